"""The results of a grid of hyper-parameters."""
import re

import numpy as np

from results import about, alike, collect, records
from results.tables import Table
from utils import UserError


def surface(experiment, approach, folders, over=None, tags=()):
    """{'names': one or two hyper-parameters, 'points': {(value, ...): [average accuracy in per cent of each run]}, 'which': 'validation'
    or 'test', 'experiment', 'approach'} of the runs of a grid: files <experiment>_<approach>-*_<seed>.txt with their records.

    over: the hyper-parameters (default: those that vary). Validation accuracy where all records have it. Warns of runs that differ in
    something else than those and the seed.
    """
    found, pattern = {}, re.compile(r'%s_%s-.*_\d+\.txt' % (re.escape(experiment), re.escape(approach)))
    for path in collect.listing(folders):
        if pattern.fullmatch(path.name) and collect.tagged(path, tags):
            record = records.read_record(path)
            if record['config']['approach'] == approach and record['status'] == 'finished':
                found[path.name] = {**record, 'path': path, 'experiment': about.experiment(record['config'])}
    if not found:
        raise UserError('no finished %s_%s-..._<seed>.txt in %s; %s' % (
            experiment, approach, ', '.join(map(str, folders)), '; '.join(map(collect.contents, folders))))
    wrong = alike.experiments({approach: found})
    if wrong:
        raise UserError('; '.join(wrong))
    runs = list(found.values())
    which = 'validation' if all('valid_accuracy' in r for r in runs) else 'test'
    numbers = [k for k in runs[0]['config'] if k != 'seed' and all(isinstance(r['config'].get(k), (int, float)) for r in runs)]
    names = over or [k for k in numbers if len({r['config'].get(k) for r in runs}) > 1]
    if not 1 <= len(names) <= 2 or not set(names) <= set(numbers) or len(set(names)) < len(names):
        raise UserError('a surface is over one or two hyper-parameters, not %s: choose with --over from %s' % (
            ', '.join(names) or 'none', ', '.join(numbers)))
    differ = alike.differences(found, (*alike.FREE, *names))
    if differ:
        alike.say('the runs of %s differ in %s too: their mean is drawn' % (approach, ', '.join(differ)))
    points = {}
    for r in runs:
        value = np.mean(r['valid_accuracy']) if which == 'validation' else r['average_accuracy']
        points.setdefault(tuple(r['config'][n] for n in names), []).append(100 * float(value))
    return {'names': names, 'points': dict(sorted(points.items())), 'which': which, 'approach': approach,
            'experiment': runs[0]['experiment']}


def table(found):
    """A row per point of surface()."""
    return Table([*found['names'], 'average %s accuracy %%' % found['which'], 'runs', 'std'], [
        [*map(float, k), float(np.mean(v)), len(v), float(np.std(v, ddof=1)) if len(v) > 1 else None] for k, v in found['points'].items()])
