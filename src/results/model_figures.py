"""Draw what a saved model says of images: each function fills a matplotlib figure."""
from results.drawing import heat, plain


def confusion(fig, matrix, names):
    """Draw a confusion matrix [classes, classes], in per cent of the images of each true class."""
    some, names = matrix.sum(1) > 0, [plain(n, 20) for n in names]
    side = max(4, 0.32 * len(names))
    fig.set_size_inches(side + 2, side)
    ax, shares = fig.subplots(), 100 * matrix[some] / matrix[some].sum(1, keepdims=True)
    image = heat(ax, shares, [n for n, there in zip(names, some) if there], names, every=True)
    fig.colorbar(image, label='percentage of a true class (row)')
    ax.set(xlabel='predicted class', ylabel='true class')


def sheet(fig, images, titles):
    """Draw a contact sheet of images [H,W] or [H,W,3], uint8, with a title each, a list of lines."""
    columns = min(8, len(images))
    rows = -(-len(images) // columns)
    fig.set_size_inches(1.5 * columns, 1.8 * rows)
    for ax, image, title in zip(fig.subplots(rows, columns, squeeze=False).ravel(), images, titles):
        ax.imshow(image, cmap='gray', vmin=0, vmax=255, aspect='equal')
        ax.set_title('\n'.join(plain(line, 24) for line in title), fontsize=7)
    for ax in fig.axes:
        ax.set_axis_off()
