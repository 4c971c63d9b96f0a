"""Where a figure goes: a file, written whole or not at all, or a window."""
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


def show(draw, output):
    """Makes a figure, which draw(fig) fills, in a file or in a window."""
    import matplotlib
    if output:
        matplotlib.use('Agg')
    from matplotlib import pyplot
    if not output and matplotlib.get_backend().lower() == 'agg':
        raise UserError('there is no screen to show a figure on: give --output FILE.png, or --table')
    fig = pyplot.figure(figsize=(6.5, 4), layout='constrained')
    draw(fig)
    if output:
        save(fig, output)
    else:
        pyplot.show()
    pyplot.close(fig)


def save(fig, output):
    """Writes a figure whole or not at all."""
    records.check_writable(output)
    with utils.replacing(output, 'wb') as f:
        fig.savefig(f, format=output.suffix[1:], dpi=150)
    print('Figure at %s' % output, file=sys.stderr)
