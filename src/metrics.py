"""Figures from saved accuracy matrices, over seeds. Everything is computed here; figures.py draws, tables.py prints."""
import re
import sys
import warnings
from pathlib import Path

import numpy as np

import results
from tables import Table
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
    if results.record_path(path).exists():
        record = results.read_record(path)
        if record.get('status') != 'finished':
            return None
        out.update(seconds=record.get('seconds'), tasks=record.get('tasks') or out['tasks'])
    return out


def interval(values):
    """(mean, half width of the 95 % Student-t interval, standard deviation) over the first axis [seeds, ...]; the last
    two are None for one seed."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return values.mean(0), None, None
    from scipy import stats
    std = values.std(0, ddof=1)
    return values.mean(0), stats.t.ppf(0.975, len(values) - 1) * std / np.sqrt(len(values)), std


def forgetting_ratio(acc, random, joint):
    """rho [T], after each task the mean over the tasks so far of (A - R) / (J - R) - 1, from three matrices [T,T]: the
    approach's, random's (whose diagonal is R) and joint's (Serrà et al., 2018, Section 4.1). nan where J = R."""
    floor = np.diag(random)
    with np.errstate(divide='ignore', invalid='ignore'):
        rho = (acc - floor) / (joint - floor) - 1
    return np.array([rho[t, :t + 1].mean() if np.isfinite(rho[t, :t + 1]).all() else np.nan for t in range(len(acc))])


def ratios(found):
    """{approach: rho [seeds, T]} for all but random and joint, which must be among the collected results; a seed counts
    where all three have it."""
    lack = [a for a in ('random', 'joint') if a not in found]
    if lack:
        raise UserError('the forgetting ratio needs results of random and joint too: add %s to --approaches' % ','.join(lack))
    out = {}
    for a, by in found.items():
        seeds = sorted(set(by) & set(found['random']) & set(found['joint']))
        if a not in ('random', 'joint'):
            if not seeds:
                raise UserError('no seed of %s has results of random and joint too' % a)
            out[a] = np.stack([forgetting_ratio(*(found[k][s]['acc'] for k in (a, 'random', 'joint'))) for s in seeds])
    if not out:
        raise UserError('only random and joint among --approaches: name those to compare with them')
    return out


def ratio_table(rho):
    """A row per approach: seeds, then rho after each number of tasks, its interval and standard deviation, and the mean
    over all numbers of tasks."""
    n = next(iter(rho.values())).shape[1]
    columns = ['approach', 'seeds'] + ['%s %d' % (k, t + 1) for t in range(n) for k in ('rho', '+-95%', 'std')] + ['mean']
    rows = []
    for a, values in rho.items():
        mean, half, std = interval(values)
        cells = [c for t in range(n) for c in (
            float(mean[t]), None if half is None else float(half[t]), None if std is None else float(std[t]))]
        rows.append([a, len(values), *cells, float(mean.mean())])
    return Table(columns, rows)


def summaries(found):
    """{approach: {'average_accuracy', 'forgetting', 'backward_transfer': [seeds], 'seconds'}} in per cent and seconds;
    metrics that need two tasks are left out for one."""
    out = {}
    for a, by in found.items():
        each = [results.summary(r['acc']) for r in by.values()]
        out[a] = {k: 100 * np.array([s[k] for s in each]) for k in each[0] if each[0][k] is not None}
        seconds = [r['seconds'] for r in by.values()]
        out[a]['seconds'] = np.array(seconds) if None not in seconds else np.array([])
    return out


def summary_table(found):
    """A row per approach: seeds, average accuracy and forgetting in per cent with intervals, seconds."""
    rows = []
    for a, s in summaries(found).items():
        row = [a, len(found[a])]
        for k in ('average_accuracy', 'forgetting'):
            mean, half, _ = interval(s[k]) if k in s else (None,) * 3
            row += [None if v is None else float(v) for v in (mean, half)]
        rows.append(row + [float(s['seconds'].mean()) if len(s['seconds']) else None])
    return Table(['approach', 'seeds', 'average accuracy %', '+-95%', 'forgetting %', '+-95%', 'seconds'], rows)


def mean_matrices(found):
    """{approach: mean accuracy matrix over seeds, in per cent}."""
    return {a: 100 * np.mean([r['acc'] for r in by.values()], axis=0) for a, by in found.items()}


def matrix_table(found):
    """A row per approach and task learnt: accuracy on every task so far, in per cent."""
    means = mean_matrices(found)
    n = len(next(iter(means.values())))
    return Table(['approach', 'after task'] + ['on task %d' % (u + 1) for u in range(n)],
                 [[a, t + 1] + [float(m[t, u]) if u <= t else None for u in range(n)]
                  for a, m in means.items() for t in range(n)])


def differences(found, against):
    """{approach: {'mean', 'half', 'p', 'n'}}: average accuracy minus that of the approach `against`, in points, paired
    by seed, with a paired t-test. Raises UserError where fewer than two seeds are common."""
    from scipy import stats
    if len(found) < 2:
        raise UserError('a comparison needs two approaches or more, not only %s' % against)
    if against not in found:
        raise UserError('--against %s is not among --approaches: %s' % (against, ', '.join(found)))
    average = {a: {s: 100 * r['acc'][-1].mean() for s, r in by.items()} for a, by in found.items()}
    out = {}
    for a in found:
        seeds = sorted(set(average[a]) & set(average[against]))
        if a == against:
            continue
        if len(seeds) < 2:
            raise UserError('%s and %s have %d seed(s) in common: a paired comparison needs 2' % (a, against, len(seeds)))
        x, y = ([average[k][s] for s in seeds] for k in (a, against))
        mean, half, std = interval(np.subtract(x, y))
        p = float(stats.ttest_rel(x, y).pvalue) if std > 0 else None
        out[a] = {'mean': float(mean), 'half': float(half), 'p': p, 'n': len(seeds)}
    return out


def difference_table(diff, against):
    """A row per approach of differences()."""
    return Table(['approach', 'minus %s, points' % against, '+-95%', 'p', 'seeds'],
                 [[a, d['mean'], d['half'], d['p'], d['n']] for a, d in diff.items()])


def surface(experiment, approach, folders, over=None):
    """((name, name or None), {(value, value): mean average accuracy in per cent}, 'validation' or 'test') of the runs of
    a grid: files <experiment>_<approach>-*_<seed>.txt with their records.

    over: one or two hyper-parameters (default: those that vary). Validation accuracy where all records have it.
    """
    found = []
    for path in listing(folders):
        if re.fullmatch(r'%s_%s-.*_\d+\.txt' % (re.escape(experiment), re.escape(approach)), path.name):
            record = results.read_record(path)
            if record['config']['approach'] == approach and record['status'] == 'finished':
                found.append(record)
    if not found:
        raise UserError('no finished %s_%s-..._<seed>.txt in %s' % (experiment, approach, ', '.join(map(str, folders))))
    which = 'validation' if all('valid_accuracy' in r for r in found) else 'test'
    numbers = [k for k, v in found[0]['config'].items() if isinstance(v, (int, float)) and k != 'seed']
    names = over or [k for k in numbers if len({r['config'].get(k) for r in found}) > 1]
    if not 1 <= len(names) <= 2 or not set(names) <= set(numbers) or len(set(names)) < len(names):
        raise UserError('a surface is over one or two hyper-parameters, not %s: choose with --over from %s' % (
            ', '.join(names) or 'none', ', '.join(numbers)))
    points = {}
    for r in found:
        value = np.mean(r['valid_accuracy']) if which == 'validation' else r['average_accuracy']
        points.setdefault(tuple(r['config'][n] for n in names), []).append(100 * value)
    return names, {k: float(np.mean(v)) for k, v in sorted(points.items())}, which
