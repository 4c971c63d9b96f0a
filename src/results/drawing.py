"""How figures look: lines differ by marker and dash and bars by hatch, so that they can be read without colour."""
import numpy as np

MARKERS, DASHES = 'os^Dv<>Xp*P', ('-', '--', '-.', ':')
HATCHES = ('', '///', '...', 'xxx', '\\\\\\', 'ooo', '+++')


def style(i):
    """Line style of the i-th series."""
    return {'marker': MARKERS[i % len(MARKERS)], 'linestyle': DASHES[i % len(DASHES)], 'markersize': 5, 'linewidth': 1.4}


def finish(ax, xlabel, ylabel, title=None, legend=True):
    """Labels, grid and legend of one plot."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title, fontsize=10)
    if legend:
        ax.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1.01, 1), borderaxespad=0)


def panels(fig, n, width=3):
    """n axes in rows of at most `width`; the figure grows with them."""
    columns = min(n, width)
    rows = -(-n // columns)
    fig.set_size_inches(1 + 3.6 * columns, 0.6 + 3.2 * rows)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.remove()
    return axes[:n]


def heat(ax, matrix, rows, columns, label, hide=None):
    """A matrix of per cents as shades with the numbers written in, in one colour scale of 0 to 100."""
    shown = np.ma.masked_array(matrix, hide)
    ax.imshow(shown, cmap='Greys', vmin=0, vmax=130, aspect='auto')
    small = 8 if max(matrix.shape) <= 8 else 6
    for (i, j), v in np.ndenumerate(matrix):
        if hide is None or not hide[i, j]:
            ax.text(j, i, '%.0f' % v if max(matrix.shape) > 8 else '%.1f' % v, ha='center', va='center', fontsize=small,
                    color='white' if v > 75 else 'black')
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha='right', fontsize=7)
    ax.set_yticks(range(len(rows)), rows, fontsize=7)
    ax.set_title(label, fontsize=10)
