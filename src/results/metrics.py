"""Tables of accuracy matrices over seeds, of what measures.py says of each; figures.py draws, tables.py prints."""
import numpy as np

from results import collect, records
from results.measures import forgetting_ratio, intransigence, summary
from results.tables import Table
from utils import UserError


def report(output):
    """What a finished result says, {name: number}, with intransigence and rho where results of joint and random of the same
    tasks and seed lie beside it."""
    record = records.read_record(output)
    acc, joint, random = np.array(record['accuracy']), collect.beside(output, 'joint'), collect.beside(output, 'random')
    out = summary(acc, record.get('before_learning'), record.get('untrained'))
    if joint is not None:
        out['intransigence'] = intransigence(acc, joint)
    if joint is not None and random is not None:
        out['rho, the forgetting ratio'] = float(forgetting_ratio(acc, random, joint)[-1])
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
    """{approach: {name of a measure: [seeds], 'seconds'}} in per cent and seconds; what needs two tasks, or joint's result of
    every seed, is left out where there is none."""
    out, joint = {}, found.get('joint', {})
    for a, by in found.items():
        each = [{**summary(r['acc']), 'intransigence': intransigence(r['acc'], joint[s]['acc']) if s in joint else None}
                for s, r in by.items()]
        out[a] = {k: 100 * np.array([s[k] for s in each]) for k in each[0] if all(s[k] is not None for s in each)}
        seconds = [r['seconds'] for r in by.values()]
        out[a]['seconds'] = np.array(seconds) if None not in seconds else np.array([])
    return out


def summary_table(found):
    """A row per approach: seeds, average accuracy and forgetting in per cent with intervals, the other measures, seconds."""
    rows, more = [], ('average_incremental_accuracy', 'learning_accuracy', 'backward_transfer', 'intransigence')
    for a, s in summaries(found).items():
        row = [a, len(found[a])]
        for k in ('average_accuracy', 'forgetting'):
            mean, half, _ = interval(s[k]) if k in s else (None,) * 3
            row += [None if v is None else float(v) for v in (mean, half)]
        row += [float(s[k].mean()) if k in s else None for k in more]
        rows.append(row + [float(s['seconds'].mean()) if len(s['seconds']) else None])
    return Table(['approach', 'seeds', 'average accuracy %', '+-95%', 'forgetting %', '+-95%', 'incremental %', 'learning %',
                  'backward transfer %', 'intransigence %', 'seconds'], rows)


def over_orders(found):
    """{approach: average accuracies in per cent [orders, seeds]} of {order: what collect() found}, of the seeds that every order
    has. Raises UserError if there are none."""
    out = {}
    for a in next(iter(found.values())):
        seeds = sorted(set.intersection(*(set(by[a]) for by in found.values())))
        if not seeds:
            raise UserError('no seed of %s has been run in all of the %d orders' % (a, len(found)))
        out[a] = np.array([[100 * by[a][s]['acc'][-1].mean() for s in seeds] for by in found.values()])
    return out


def order_table(values):
    """A row per approach: how far its average accuracy varies over orders (of the means over seeds) and over seeds (within an
    order, root mean square), as standard deviations."""
    return Table(['approach', 'orders', 'seeds', 'average accuracy %', 'std over orders', 'std over seeds'], [
        [a, *v.shape, float(v.mean()), *spreads(v)] for a, v in values.items()])


def spreads(values):
    """(standard deviation over orders of the means over seeds, that over seeds within an order) of [orders, seeds]; None for one."""
    orders, seeds = values.shape
    return (float(values.mean(1).std(ddof=1)) if orders > 1 else None,
            float(np.sqrt(values.var(1, ddof=1).mean())) if seeds > 1 else None)


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


