"""How figures look: lines differ by marker and dash, so that they can be read without colour."""
import itertools
import os

import numpy as np

from results import captions

MARKERS = 'os^Dv<>Xp*Ph'
DASHES = ('-', (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (8, 2)),
          (0, (4, 1.2, 1, 1.2, 1, 1.2)), (0, (2, 1)))
HATCHES = ('', '///', '...', 'xxx', '\\\\\\', 'ooo', '+++')
MANY = 12  # more tasks than this are not all named, nor are their numbers written
TURNED = {'rotation': 45, 'ha': 'right', 'rotation_mode': 'anchor'}


def style(i):
    """Return the line style of the i-th series; no two of the first 84 share marker and dash."""
    return {'marker': MARKERS[i % len(MARKERS)], 'linestyle': DASHES[i % len(DASHES)],
            'color': 'C%d' % (i % 10)}


def band(ax, x, least, most, i):
    """Draw the spread of the i-th series around its line."""
    ax.fill_between(x, least, most, color='C%d' % (i % 10), alpha=0.15, linewidth=0)


def plain(text, length=40):
    """Return a text as it can be drawn: no formulas, no line ends, no more than so many letters."""
    text = ''.join(c if c.isprintable() else '?' for c in text)
    text = text if len(text) <= length else text[:length - 1] + '…'
    return text.replace('$', r'\$')


def short(names):
    """Return (names without what all begin with, that beginning), as labels of ticks.

    Up to a hyphen or a space: of 'glyphs-012345' and 'glyphs-6789AB' '012345' and '6789AB', 'glyphs-…'.
    """
    start = os.path.commonprefix(names) if len(names) > 1 else ''
    start = start[:max(start.rfind('-'), start.rfind(' ')) + 1]
    return [plain(n[len(start):], 14) for n in names], plain(start) + '…' * bool(start)


def labels(found):
    """Return (short names of the tasks of {approach: {seed: row}}, what they begin with, a remark)."""
    names, remark = captions.places(found)
    return *short(names), remark


def ticks(axis, names, every=False):
    """Name the places 0, 1, ... of an axis, ax.xaxis or ax.yaxis; of many only some, unless every one is
    wanted."""
    step = 1 if every else -(-len(names) // MANY)
    shown = names[::step]
    long = axis.axis_name == 'x' and max(map(len, shown)) > (5 if len(shown) <= 8 else 2)
    axis.set_ticks(range(0, len(names), step), shown, **TURNED if long else {})


def greys():
    """Return shades from white to a grey on which black and white can both be read."""
    import matplotlib
    from matplotlib.colors import ListedColormap
    return ListedColormap(matplotlib.colormaps['Greys'](np.linspace(0, 0.77, 256)))


def heat(ax, matrix, rows, columns, below=None, span=(0, 100), every=False):
    """Draw a matrix as shades of one scale and return the image, for a colour bar; cells that are masked or
    no numbers are left empty.

    The numbers are written in, and below them those of a second matrix of texts if given; not if there are
    many, unless every one is wanted.
    """
    matrix = np.ma.masked_invalid(matrix)
    image = ax.imshow(matrix, cmap=greys(), vmin=span[0], vmax=span[1])
    size = max(matrix.shape)
    for i, j in np.argwhere(~np.ma.getmaskarray(matrix)) if every or size <= MANY else ():
        text = ('%.0f' if size > 8 else '%.1f') % matrix[i, j]
        if below is not None and below[i][j]:
            text += '\n' + below[i][j]
        ax.text(j, i, text, ha='center', va='center', fontsize=ax.figure.look.small, linespacing=0.95,
                color='white' if image.norm(matrix[i, j]) > 0.75 else 'black')
    ticks(ax.xaxis, columns, every)
    ticks(ax.yaxis, rows, every)
    ax.grid(False)
    return image


def label_points(ax, points, texts, size):
    """Label points (x, y) of a plot that is laid out, on no other point or label, with a line if far."""
    points, unit = np.asarray(points, float), ax.figure.dpi / 72  # pixels of a point, as letters are measured
    pixels = ax.transData.transform(points)
    taken = [(*p, 3 * unit, 3 * unit) for p in pixels]  # centres, half widths, half heights
    angles = np.deg2rad(np.arange(-60, 300, 15))
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    for point, place, text in zip(points, pixels, texts):
        half = np.array([0.33 * size * len(text) + 1, 0.5 * size]) * unit
        for radius, direction in itertools.product(range(9, 150, 5), circle):
            at = place + radius * unit * direction
            inside = (at - half >= ax.bbox.min).all() and (at + half <= ax.bbox.max).all()
            if inside and not any((abs(at - box[:2]) < half + box[2:]).all() for box in taken):
                break
        taken.append((*at, *half))
        line = {'arrowstyle': '-', 'linewidth': 0.4, 'color': '0.5', 'shrinkA': 0, 'shrinkB': 2}
        ax.annotate(text, point, radius * direction, textcoords='offset points', fontsize=size,
                    ha='center', va='center', arrowprops=line if radius > 12 else None)
