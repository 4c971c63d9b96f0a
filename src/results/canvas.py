"""Where a figure goes: a file, written whole or not at all, or a window."""
import io
import sys
from pathlib import Path

import utils
from results import records
from utils import ROOT, UserError


def target(name):
    """The path of a figure's file, or None for a window. Raises UserError for a name that is neither."""
    if name and Path(name).suffix not in ('.png', '.pdf'):
        raise UserError('--output %s: expected a name that ends in .png or .pdf' % name)
    return ROOT / name if name else None


def show(draw, output, style='screen'):
    """Makes a figure, which draw(page.Page) fills, in a file or in a window."""
    import matplotlib
    if output:
        matplotlib.use('Agg')
    from matplotlib import pyplot
    from results import page
    if not output and matplotlib.get_backend().lower() == 'agg':
        raise UserError('there is no screen to show a figure on: give --output FILE.png, or --table')
    with matplotlib.rc_context(page.settings(style)):
        fig = pyplot.figure(FigureClass=page.Page, style=style, layout='constrained')
        try:
            draw(fig.size(4))
            if output:
                save(fig, output)
            else:
                pyplot.show()
        finally:
            pyplot.close(fig)


def svg(draw):
    """A figure, which draw(page.Page) fills, as bytes of SVG without a background."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    from results import page
    with matplotlib.rc_context({**page.settings('screen'), 'svg.hashsalt': 'figure'}):
        fig = pyplot.figure(FigureClass=page.Page, style='screen', layout='constrained')
        try:
            draw(fig.size(4))
            out = io.BytesIO()
            fig.savefig(out, format='svg', transparent=True, metadata={'Date': None})
        finally:
            pyplot.close(fig)
    return out.getvalue()


def save(fig, output):
    """Writes a figure whole or not at all."""
    records.check_writable(output)
    with utils.replacing(output, 'wb') as f:
        fig.savefig(f, format=output.suffix[1:], dpi=150 if fig.look.font >= 10 else 300)
    print('Figure at %s' % output, file=sys.stderr)
