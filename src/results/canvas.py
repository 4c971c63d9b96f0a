"""Put a figure into a file, written whole or not at all, a window, or text of SVG."""
import io
import sys
from contextlib import contextmanager
from pathlib import Path

import utils
from results import records
from utils import ROOT, UserError


def target(name):
    """Return the path of a figure's file, or None for a window. Raises UserError for another name."""
    if name and Path(name).suffix not in ('.png', '.pdf'):
        raise UserError('--output %s: expected a name that ends in .png or .pdf' % name)
    return ROOT / name if name else None


@contextmanager
def page(draw, style='screen'):
    """Give a figure, a layout.Page that draw(page) has filled, within the settings of its style."""
    import matplotlib
    from matplotlib import pyplot
    from results import layout
    with matplotlib.rc_context(layout.settings(style)):
        fig = pyplot.figure(FigureClass=layout.Page, style=style, layout='constrained')
        try:
            draw(fig.size(4))
            yield fig
        finally:
            pyplot.close(fig)


def show(draw, output, style='screen'):
    """Make a figure, which draw(page) fills, in a file or in a window."""
    import matplotlib
    if output:
        matplotlib.use('Agg')
    from matplotlib import pyplot
    if not output and matplotlib.get_backend().lower() == 'agg':
        raise UserError('there is no screen to show a figure on: give --output FILE.png, or --table')
    with page(draw, style) as fig:
        if output:
            save(fig, output)
        else:
            pyplot.show()


def svg(draw):
    """Return a figure, which draw(page) fills, as bytes of SVG without a background."""
    import matplotlib
    matplotlib.use('Agg')
    out = io.BytesIO()
    with page(draw) as fig:
        fig.savefig(out, format='svg', transparent=True, metadata={'Date': None})
    return out.getvalue()


def save(fig, output):
    """Write a figure whole or not at all."""
    records.check_writable(output)
    with utils.replacing(output, 'wb') as f:
        fig.savefig(f, format=output.suffix[1:])
    print('Figure at %s' % output, file=sys.stderr)
