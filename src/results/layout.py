"""The page that a figure is drawn on: its widths and letters, the legend above and the line below that says
what is shown."""
import textwrap
from dataclasses import dataclass

from matplotlib.figure import Figure

from results.drawing import plain


@dataclass(frozen=True)
class Look:
    """Sizes of a style: one column and the whole width in inches, letters, marks and lines in points."""
    one: float
    wide: float
    font: float
    small: float
    marker: float
    line: float


LOOKS = {'screen': Look(6.5, 11.8, 10, 8, 5, 1.4),
         'paper': Look(3.3, 6.9, 8, 7, 3.5, 1.0)}  # paper: a page of two columns


def settings(style):
    """Return matplotlib's settings of a style; the letters of a PDF are embedded, not drawn."""
    look = LOOKS[style]
    letters = dict.fromkeys(('font.size', 'axes.titlesize', 'axes.labelsize', 'figure.titlesize'), look.font)
    small = dict.fromkeys(('xtick.labelsize', 'ytick.labelsize', 'legend.fontsize'), look.small)
    return {**letters, **small, 'axes.linewidth': look.line / 2, 'lines.markersize': look.marker,
            'lines.linewidth': look.line,
            'pdf.fonttype': 42, 'hatch.linewidth': 0.6, 'axes.titlepad': 4}


class Page(Figure):
    """A figure that knows its style."""

    def __init__(self, *args, style='screen', **kwargs):
        self.look = LOOKS[style]
        super().__init__(*args, **kwargs)

    def size(self, height, wide=False):
        """Set one column or both, and a height in inches of the screen's style."""
        scale = 1 if self.look is LOOKS['screen'] else 0.64
        self.set_size_inches(self.look.wide if wide else self.look.one, height * scale)
        return self

    def panels(self, n, most=3, height=3.2):
        """Return n axes in rows of at most `most`; on one column if there is one panel, else on both."""
        columns = min(n, most)
        rows = -(-n // columns)
        self.size(0.8 + height * rows, wide=columns > 1)
        axes = self.subplots(rows, columns, squeeze=False).ravel()
        for ax in axes[n:]:
            ax.remove()
        return list(axes[:n])

    def letters(self, size, inches):
        """Return how many letters of a size fit into a width, roughly."""
        return max(10, int(inches * 72 / (0.54 * size)))

    def grow(self, lines):
        """Make the page higher by so many lines of small text."""
        self.set_figheight(self.get_figheight() + 1.35 * self.look.small / 72 * lines)

    def key(self, handles=None, labels=None, **kwargs):
        """Put a legend above all axes, in as many columns as fit."""
        if handles is None:
            handles, labels = self.axes[0].get_legend_handles_labels()
        room = self.letters(self.look.small, self.get_figwidth() - 0.2)
        columns = max(1, min(len(labels), room // (max(map(len, labels)) + 11)))
        rows = -(-len(labels) // columns)
        columns = -(-len(labels) // rows)
        self.grow(rows - 1)
        self.legend(handles, labels, loc='outside upper center', ncols=columns, handlelength=3.4,
                    borderaxespad=0.2, columnspacing=1.2, **kwargs)

    def note(self, *parts):
        """Write small text below all axes, at last, when the width is known; empty parts are left out."""
        text = '; '.join(plain(p, 400) for p in parts if p)
        lines = textwrap.wrap(text, self.letters(self.look.small, self.get_figwidth() - 0.1))
        self.grow(len(lines) - 1)
        self.supxlabel('\n'.join(lines), fontsize=self.look.small, color='0.25')
