"""The page that a figure is drawn on: its widths and letters, the legend above and the line below that says
what is shown."""
import textwrap
from types import SimpleNamespace

from matplotlib.figure import Figure

from results.drawing import plain

# One column and the whole width in inches, letters, marks and lines in points; paper: a page of two columns.
LOOKS = {'screen': SimpleNamespace(one=6.5, wide=11.8, height=1, font=10, small=8, marker=5, line=1.4,
                                   dpi=150),
         'paper': SimpleNamespace(one=3.3, wide=6.9, height=0.64, font=8, small=7, marker=3.5, line=1,
                                  dpi=300)}


def settings(style):
    """Return matplotlib's settings of a style; the letters of a PDF are embedded, not drawn."""
    look = LOOKS[style]
    letters = dict.fromkeys(('font.size', 'axes.titlesize', 'axes.labelsize', 'figure.titlesize',
                             'figure.labelsize'), look.font)
    small = dict.fromkeys(('xtick.labelsize', 'ytick.labelsize', 'legend.fontsize'), look.small)
    return {**letters, **small, 'axes.linewidth': look.line / 2, 'lines.markersize': look.marker,
            'lines.linewidth': look.line, 'errorbar.capsize': 0.6 * look.marker, 'hatch.linewidth': 0.6,
            'axes.titlepad': 4, 'axes.grid': True, 'grid.alpha': 0.3, 'axes.axisbelow': True,
            'image.aspect': 'auto', 'savefig.dpi': look.dpi, 'pdf.fonttype': 42, 'svg.hashsalt': 'figure'}


class Page(Figure):
    """A figure that knows its style."""

    def __init__(self, *args, style='screen', **kwargs):
        self.look = LOOKS[style]
        super().__init__(*args, **kwargs)

    def size(self, height, wide=False):
        """Set one column or both, and a height in inches of the screen's style."""
        self.set_size_inches(self.look.wide if wide else self.look.one, height * self.look.height)
        return self

    def panels(self, n, ylabel, most=3, height=3.2, share=True):
        """Return n axes in rows of at most `most`, with one label and, if shared, one scale of y; on one
        column if there is one panel, else on both."""
        columns = min(n, most)
        rows = -(-n // columns)
        self.size(0.8 + height * rows, wide=columns > 1)
        axes = self.subplots(rows, columns, squeeze=False, sharey=share).ravel()
        for ax in axes[n:]:
            ax.remove()
        self.supylabel(ylabel)
        return list(axes[:n])

    def letters(self, inches):
        """Return how many small letters fit into a width, roughly."""
        return max(10, int(inches * 72 / (0.54 * self.look.small)))

    def grow(self, lines):
        """Make the page higher by so many lines of small text."""
        self.set_figheight(self.get_figheight() + 1.35 * self.look.small / 72 * lines)

    def key(self, **kwargs):
        """Put a legend of the first axes above all, in as many columns as fit."""
        handles, labels = self.axes[0].get_legend_handles_labels()
        room = self.letters(self.get_figwidth() - 0.2)
        columns = max(1, min(len(labels), room // (max(map(len, labels)) + 11)))
        rows = -(-len(labels) // columns)
        self.grow(rows - 1)
        self.legend(handles, labels, loc='outside upper center', ncols=-(-len(labels) // rows),
                    handlelength=3.4, borderaxespad=0.2, columnspacing=1.2, **kwargs)

    def note(self, *parts):
        """Write small text below all axes, at last, when the width is known; empty parts are left out."""
        text = '; '.join(plain(p, 400) for p in parts if p)
        lines = textwrap.wrap(text, self.letters(self.get_figwidth() - 0.1))
        self.grow(len(lines) - 1)
        self.supxlabel('\n'.join(lines), fontsize=self.look.small, color='0.25')
