"""The results of a grid of hyper-parameters."""
import re

import numpy as np

from results import collect, comparable
from results.tables import Mean, Table
from utils import UserError


def grid(experiment, approaches, folders, seeds=None, tags=()):
    """Return the rows of a grid of an approach: files <experiment>_<approach>-*_<seed>.json."""
    experiment, approach = collect.label(experiment), approaches[0]
    found = collect.rows(folders, tags, r'%s_%s-.*_\d+' % (re.escape(experiment), re.escape(approach)))
    runs = [r for r in found if r['config']['approach'] == approach and r['status'] == 'finished']
    if not runs:
        raise UserError('no finished %s_%s-..._<seed>.txt in %s; %s' % (
            experiment, approach, ', '.join(map(str, folders)), '; '.join(map(collect.contents, folders))))
    wrong = comparable.experiments(runs)
    if wrong:
        raise UserError('; '.join(wrong))
    return runs


def points(runs, over=None):
    """Return {'names': one or two hyper-parameters, 'points': {(value, ...): [average accuracy in per cent of
    each run]}, 'which': 'validation' or 'test', 'experiment', 'approach'} of the rows of a grid.

    over: the hyper-parameters (default: those that vary). Validation accuracy where all records have it.
    Warns of runs that differ in something else than those and the seed.
    """
    configs, approach = [r['config'] for r in runs], runs[0]['config']['approach']
    numbers = [k for k in configs[0] if all(isinstance(c.get(k), (int, float)) for c in configs)]
    numbers = [k for k in numbers if k != 'seed']
    names = over or [k for k in numbers if len({c[k] for c in configs}) > 1]
    if not 1 <= len(names) <= 2 or not set(names) <= set(numbers) or len(set(names)) < len(names):
        raise UserError('a surface is over one or two hyper-parameters, not %s: choose with --over from '
                        '%s' % (', '.join(names) or 'none', ', '.join(numbers)))
    differ = ', '.join(comparable.differences(dict(enumerate(runs)), (*comparable.FREE, *names)))
    if differ:
        comparable.warn('the runs of %s differ in %s too: their mean is drawn' % (approach, differ))
    validated = all('valid_accuracy' in r['record'] for r in runs)
    out = {}
    for r in runs:
        value = np.mean(r['record']['valid_accuracy']) if validated else r['record']['average_accuracy']
        out.setdefault(tuple(r['config'][n] for n in names), []).append(100 * value)
    return {'names': names, 'points': dict(sorted(out.items())), 'approach': approach,
            'which': 'validation' if validated else 'test', 'experiment': runs[0]['experiment']}


def table(runs, found):
    """Return a row per point of points()."""
    rows = [[*map(float, point), Mean.of(values), len(values)] for point, values in found['points'].items()]
    caption = 'Average {which} accuracy, experiment {experiment}, {approach}'.format(**found)
    return Table([*found['names'], 'average %s accuracy %%' % found['which'], 'runs'], rows, caption)
