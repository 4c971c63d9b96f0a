"""The paragraph that a run ends with: what came out, where it is, and how to see it."""
import os
import re
import shlex
import textwrap
from pathlib import Path

from results import records
from utils import ROOT


def short(path):
    """Return a path, from the project's folder if it is within."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def command(output, label, approach, seed):
    """Return the command that draws a result, named as run.py names it, or else that lists its folder."""
    output, folder = Path(output), shlex.quote(short(Path(output).parent))
    if output.name != '%s_%s_%d.txt' % (label, approach, seed) or not re.fullmatch(r'[\w:.+-]+', label):
        return 'python src/results.py %s' % folder
    where = '' if folder == 'res' else ' --folders %s' % folder
    what = 'plot_results.py --figure tasks --experiment %s --approaches %s --seeds %d%s --output %s'
    return 'python src/' + what % (label, approach, seed, where, os.path.join(folder, output.stem + '.png'))


def paragraph(output, label, folder, files):
    """Return the paragraph of a finished result; folder: of its logs; files: the names of those in it."""
    record = records.read_record(output)
    config = record['config']
    forgotten = '' if record['forgetting'] is None else ', forgetting %.1f points' % (
        100 * record['forgetting'])
    text = ('%s on %s, seed %d: average accuracy %.1f%%%s, after %d task%s. Matrix and record: %s and '
            '.json%s. To see it:') % (
        config['approach'], config['experiment'], config['seed'], 100 * record['average_accuracy'], forgotten,
        len(record['accuracy']), 's' * (len(record['accuracy']) > 1), short(output),
        '; in %s: %s' % (short(folder), ', '.join(files)) if files else '')
    return '\n'.join([*textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False),
                      '    ' + command(output, label, config['approach'], config['seed'])])
