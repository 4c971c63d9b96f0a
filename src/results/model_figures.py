"""Drawing what a saved model says of images: each function fills a matplotlib figure."""
import numpy as np

from results.drawing import heat, plain


def confusion(fig, matrix, names):
    """Which classes are taken for which, in per cent of the images of each class."""
    there, names = matrix.sum(1) > 0, [plain(n, 20) for n in names]
    side = max(4, 0.32 * len(names))
    fig.set_size_inches(side + 2, side)
    shares = 100 * matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    ax = fig.subplots()
    image = heat(ax, shares[there], [n for n, t in zip(names, there) if t], names, '', every=True)
    fig.colorbar(image, label='% of the images of a class (row) that are told to be of another')
    ax.set_xlabel('told')
    ax.set_ylabel('class')


def sheet(fig, images, titles):
    """A contact sheet of images [H,W] or [H,W,3], uint8, with a title each, a list of lines."""
    columns = min(8, len(images))
    rows = -(-len(images) // columns)
    fig.set_size_inches(1.5 * columns, 1.8 * rows)
    for ax, image, title in zip(fig.subplots(rows, columns, squeeze=False).ravel(), images, titles):
        ax.imshow(image, cmap='gray', vmin=0, vmax=255)
        ax.set_title('\n'.join(plain(line, 24) for line in title), fontsize=7)
    for ax in fig.axes:
        ax.set_axis_off()
