"""Finding and reading saved results."""
import re
import sys
import warnings
from pathlib import Path

import numpy as np

from results import records
from utils import UserError


def collect(experiment, approaches, folders=('res',), seeds=None):
    """{approach: {seed: {'acc': matrix [T,T], 'seconds': or None, 'tasks': names}}} of saved results.

    seeds: those wanted (default: all that are there). Raises UserError naming all missing and malformed files at once;
    leaves out, with a warning, results of runs that have not finished.
    """
    out, wrong = {}, []
    for a in approaches:
        out[a] = {}
        pattern = re.compile(r'%s_%s_(\d+)\.txt' % (re.escape(experiment), re.escape(a)))
        there = {}
        for f in listing(folders):
            if m := pattern.fullmatch(f.name):
                if int(m[1]) in there:
                    wrong.append('%s and %s are of the same seed' % (there[int(m[1])], f))
                there[int(m[1])] = f
        if not there and seeds is None:
            wrong.append('no %s_%s_<seed>.txt in %s' % (experiment, a, ', '.join(map(str, folders))))
        for seed in sorted(there) if seeds is None else seeds:
            if seed not in there:
                wrong.append('no %s_%s_%d.txt in %s' % (experiment, a, seed, ', '.join(map(str, folders))))
                continue
            try:
                result = read(there[seed])
            except UserError as e:
                wrong.append(str(e))
                continue
            if result is None:
                print('warning: %s is of a run that has not finished: left out' % there[seed], file=sys.stderr)
            else:
                out[a][seed] = result
    for seed in {s for by in out.values() for s in by}:
        names = {tuple(by[seed]['tasks']) for by in out.values() if seed in by and by[seed]['seconds'] is not None}
        if len(names) > 1:
            wrong.append('the results of seed %d are of different tasks: %s' % (seed, ' and '.join(map(','.join, sorted(names)))))
    sizes = {len(r['acc']) for by in out.values() for r in by.values()}
    if len(sizes) > 1:
        wrong.append('the results are of %s tasks, expected the same number in all' % ' and '.join(map(str, sorted(sizes))))
    wrong += ['no finished result of %s' % a for a, by in out.items() if not by and not wrong]
    if wrong:
        raise UserError('; '.join(wrong))
    return out


def listing(folders):
    """All files of some folders; those that do not exist have none."""
    return [f for d in folders if Path(d).is_dir() for f in sorted(Path(d).iterdir())]


def read(path):
    """A result from its matrix and, where there is one, its record; None if that says that the run has not finished."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of an empty file
            acc = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as e:
        raise UserError('%s is not a matrix (%s)' % (path, ' '.join(str(e).split())[:100]))
    if acc.shape[0] != acc.shape[1] or not acc.size or not np.isfinite(acc).all() or acc.min() < 0 or acc.max() > 1:
        raise UserError('%s is not a square matrix of accuracies in 0..1' % path)
    out = {'acc': acc, 'seconds': None, 'tasks': ['task %d' % (t + 1) for t in range(len(acc))]}
    if records.record_path(path).exists():
        record = records.read_record(path)
        if record.get('status') != 'finished':
            return None
        out.update(seconds=record.get('seconds'), tasks=record.get('tasks') or out['tasks'])
    return out


def orders(experiment, approaches, folders, seeds=None):
    """{order: what collect() finds} of the orders of tasks that run_multi.py --orders has run."""
    there = sorted({int(m[1]) for f in listing(folders) if (m := re.fullmatch(
        r'%s-order(\d{1,4})_.+_\d+\.txt' % re.escape(experiment), f.name))})
    if not there:
        raise UserError('no %s-order<k>_<approach>_<seed>.txt in %s: run_multi.py --orders makes them' % (
            experiment, ', '.join(map(str, folders))))
    return {k: collect('%s-order%d' % (experiment, k), approaches, folders, seeds) for k in there}


def ledgers(experiment, approach, folders, seeds=None):
    """The ledgers of HAT's finished results, a list. Raises UserError if there are none, or of different networks."""
    found = []
    for seed in collect(experiment, [approach], folders, seeds)[approach]:
        path = next(f for f in listing(folders) if f.name == '%s_%s_%d.txt' % (experiment, approach, seed))
        found.append(records.read_record(path).get('ledger'))
    if None in found:
        raise UserError('the results of %s have no ledger: that is of hat and hat-test, of runs since there is one' % approach)
    if len({str([[row[0] for row in e['layers']] for e in f]) for f in found}) > 1:
        raise UserError('the ledgers are of networks of different sizes')
    return found


def beside(output, approach):
    """The matrix [T,T] of another approach on the same tasks and seed, from the folder of a result; None if it is not there."""
    there = records.read_record(output)
    found, mine = re.fullmatch(r'(.+)_%s(_\d+)' % re.escape(there['config']['approach']), Path(output).stem), there['tasks']
    try:
        other = records.read_record(Path(output).with_name('%s_%s%s.txt' % (found[1], approach, found[2]))) if found else None
    except UserError:
        return None
    return np.array(other['accuracy']) if other and other['status'] == 'finished' and other['tasks'] == mine else None


def surface(experiment, approach, folders, over=None):
    """((name, name or None), {(value, value): mean average accuracy in per cent}, 'validation' or 'test') of the runs of
    a grid: files <experiment>_<approach>-*_<seed>.txt with their records.

    over: one or two hyper-parameters (default: those that vary). Validation accuracy where all records have it.
    """
    found = []
    for path in listing(folders):
        if re.fullmatch(r'%s_%s-.*_\d+\.txt' % (re.escape(experiment), re.escape(approach)), path.name):
            record = records.read_record(path)
            if record['config']['approach'] == approach and record['status'] == 'finished':
                found.append(record)
    if not found:
        raise UserError('no finished %s_%s-..._<seed>.txt in %s' % (experiment, approach, ', '.join(map(str, folders))))
    which = 'validation' if all('valid_accuracy' in r for r in found) else 'test'
    numbers = [k for k in found[0]['config'] if k != 'seed' and all(isinstance(r['config'].get(k), (int, float)) for r in found)]
    names = over or [k for k in numbers if len({r['config'].get(k) for r in found}) > 1]
    if not 1 <= len(names) <= 2 or not set(names) <= set(numbers) or len(set(names)) < len(names):
        raise UserError('a surface is over one or two hyper-parameters, not %s: choose with --over from %s' % (
            ', '.join(names) or 'none', ', '.join(numbers)))
    points = {}
    for r in found:
        value = np.mean(r['valid_accuracy']) if which == 'validation' else r['average_accuracy']
        points.setdefault(tuple(r['config'][n] for n in names), []).append(100 * value)
    return names, {k: float(np.mean(v)) for k, v in sorted(points.items())}, which
