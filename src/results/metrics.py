"""Tables of accuracy matrices over seeds, of what measures.py says of each; figures.py draws, tables.py prints."""
import numpy as np

from results import about, collect, records
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


def undertrained(rho):
    """{approach: numbers of tasks learnt} at which rho, the mean over the seeds, is above 0, by more than a few test images make, of
    {approach: rho [seeds, T]}: there the approach is better than joint training, which is to be the ceiling."""
    out = {a: [int(t) + 1 for t in np.flatnonzero(values.mean(0) > 0.005)] for a, values in rho.items()}
    return {a: where for a, where in out.items() if where}


def matrices(found):
    """{approach: (mean accuracy matrix over seeds, in per cent, its standard deviation or None for one seed)}."""
    each = {a: 100 * np.array([r['acc'] for r in by.values()]) for a, by in found.items()}
    return {a: (m.mean(0), m.std(0, ddof=1) if len(m) > 1 else None) for a, m in each.items()}


def matrix_table(found):
    """A row per approach and task learnt: accuracy on every task so far, in per cent, and its standard deviation over seeds."""
    by, names = matrices(found), about.places(found)[0]
    rows = []
    for a, (m, std) in by.items():
        for t, name in enumerate(names):
            cells = [c for u in range(len(m)) for c in (
                (float(m[t, u]), None if std is None else float(std[t, u])) if u <= t else (None, None))]
            rows.append([a, len(found[a]), name, *cells])
    return Table(['approach', 'seeds', 'after'] + [c for n in names for c in ('on ' + n, 'std on ' + n)], rows)


def by_place(found):
    """{approach: accuracies in per cent just learnt and after the last task, [2, seeds, T]}: a[t,t] and a[T,t] by the place t of a task
    in the sequence."""
    return {a: 100 * np.array([[np.diag(r['acc']) for r in by.values()], [r['acc'][-1] for r in by.values()]]) for a, by in found.items()}


def place_table(found):
    """A row per approach and place of by_place(), with standard deviations over the runs."""
    rows, names = [], about.places(found)[0]
    for a, values in by_place(found).items():
        n = values.shape[1]
        mean, std = values.mean(1), values.std(1, ddof=1) if n > 1 else None
        rows += [[a, n, t + 1, name, *(c for k in (0, 1) for c in (float(mean[k, t]), None if std is None else float(std[k, t])))]
                 for t, name in enumerate(names)]
    return Table(['approach', 'runs', 'place', 'task', 'just learnt %', 'std just learnt', 'after the last task %',
                  'std after the last task'], rows)


def reference(approaches, against=None):
    """What the others are compared with: the approach asked for, or the first that is neither the floor nor the ceiling. Raises
    UserError if there is none."""
    first = next((a for a in approaches if a not in ('random', 'joint')), None)
    if not (against or first):
        raise UserError('%s alone are compared: say with --against with which' % ' and '.join(approaches))
    return against or first


def differences(found, against):
    """{approach: {'mean', 'half', 'p', 'n'}}: average accuracy minus that of the approach `against`, in points, paired
    by seed, with a paired t-test, and 'holm', its p corrected for their number, None where all differences are the same.
    Raises UserError where fewer than two seeds are common."""
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
        out[a] = {'mean': float(mean), 'half': float(half), 'p': p, 'holm': None, 'n': len(seeds)}
    for a, p in holm({a: d['p'] for a, d in out.items() if d['p'] is not None}).items():
        out[a]['holm'] = p
    return out


def holm(ps):
    """{name: p} of several tests as they are together, by Holm's method (1979): the k-th smallest of m times m - k + 1, at most 1, and no
    smaller than those before it."""
    out, so_far = {}, 0.
    for k, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        so_far = out[name] = max(so_far, min(1., (len(ps) - k) * p))
    return out


def difference_table(diff, against):
    """A row per approach of differences()."""
    return Table(['approach', 'minus %s, points' % against, '+-95%', 'p', 'p (Holm)', 'seeds'],
                 [[a, d['mean'], d['half'], d['p'], d['holm'], d['n']] for a, d in diff.items()])
