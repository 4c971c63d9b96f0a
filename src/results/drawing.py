"""How figures look: lines differ by marker and dash, so that they can be read without colour."""
import os

import numpy as np

MARKERS = 'os^Dv<>Xp*Ph'
DASHES = ('-', (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.2, 1, 1.2)), (0, (8, 2)), (0, (4, 1.2, 1, 1.2, 1, 1.2)), (0, (2, 1)))
HATCHES = ('', '///', '...', 'xxx', '\\\\\\', 'ooo', '+++')
MANY = 12  # more tasks than this are not all named, nor are their numbers written


def style(i):
    """Line style of the i-th series; no two of the first 84 share marker and dash."""
    return {'marker': MARKERS[i % len(MARKERS)], 'linestyle': DASHES[i % len(DASHES)], 'color': 'C%d' % (i % 10)}


def finish(ax, xlabel, ylabel, title=None):
    """Labels and grid of one plot."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title)


def band(ax, x, least, most, i):
    """The spread of the i-th series around its line."""
    ax.fill_between(x, least, most, color='C%d' % (i % 10), alpha=0.15, linewidth=0)


def plain(text, length=40):
    """A text from a file as it can be drawn: no formulas, no line ends, no more than so many letters."""
    text = ''.join(c if c.isprintable() else '?' for c in text)
    text = text if len(text) <= length else text[:length - 1] + '…'
    return text.replace('$', r'\$')


def short(names):
    """(names without what all begin with up to a hyphen or a space, that beginning), as labels of ticks: of 'glyphs-012345' and
    'glyphs-6789AB' '012345' and '6789AB', 'glyphs-…'."""
    start = os.path.commonprefix(names) if len(names) > 1 else ''
    start = start[:max(start.rfind('-'), start.rfind(' ')) + 1]
    return [plain(n[len(start):], 14) for n in names], plain(start) + '…' * bool(start)


def ticks(ax, names, axis='x', first=0, every=False):
    """Names of the places first, first + 1, ... along an axis; of many only some, unless every one is wanted."""
    step = 1 if every else -(-len(names) // MANY)
    shown = list(names)[::step]
    places = np.arange(first, first + len(names))[::step]
    if axis == 'y':
        ax.set_yticks(places, shown)
    elif max(map(len, shown)) <= (5 if len(shown) <= 8 else 2):
        ax.set_xticks(places, shown)
    else:
        ax.set_xticks(places, shown, rotation=45, ha='right', rotation_mode='anchor')


def greys():
    """Shades from white to a grey on which black and white can both be read."""
    import matplotlib
    from matplotlib.colors import ListedColormap
    return ListedColormap(matplotlib.colormaps['Greys'](np.linspace(0, 0.77, 256)))


def heat(ax, matrix, rows, columns, label, hide=None, below=None, span=(0, 100), every=False):
    """A matrix as shades of one scale, with the numbers written in, and below them those of a second matrix of texts if given; not if
    there are many, unless every one is wanted. Returns the image, for a colour bar."""
    image = ax.imshow(np.ma.masked_array(matrix, hide), cmap=greys(), vmin=span[0], vmax=span[1], aspect='auto')
    size = max(np.shape(matrix))
    for (i, j), v in np.ndenumerate(matrix):
        if (every or size <= MANY) and np.isfinite(v) and (hide is None or not hide[i, j]):
            number = '%.0f' % v if size > 8 else '%.1f' % v
            ax.text(j, i, number + ('\n' + below[i][j] if below is not None and below[i][j] else ''), ha='center', va='center',
                    fontsize=ax.figure.look.small, color='white' if v > span[0] + 0.75 * (span[1] - span[0]) else 'black', linespacing=0.95)
    ticks(ax, columns, every=every)
    ticks(ax, rows, 'y', every=every)
    ax.set_title(label)
    return image
