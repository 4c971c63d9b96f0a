"""What measures.py says of the results of several approaches and seeds, as numbers and tables."""
import numpy as np

from results import captions, collect, records
from results.measures import forgetting_ratio, intransigence, of, summary
from results.tables import Mean, Table
from utils import UserError

BOUNDS = 'random', 'joint'  # the floor and the ceiling: never the best
BEST = {'average accuracy %': max, 'overall accuracy %': max, 'forgetting %': min, 'incremental %': max,
        'learning %': max, 'backward transfer %': max,
        'intransigence %': min}
MEASURES = {'average accuracy %': 'average_accuracy', 'overall accuracy %': 'overall_accuracy',
            'forgetting %': 'forgetting',
            'incremental %': 'average_incremental_accuracy',
            'learning %': 'learning_accuracy', 'backward transfer %': 'backward_transfer',
            'intransigence %': 'intransigence'}


def report(output):
    """Return what a finished result says, {name: number}, with intransigence and rho where results of joint
    and random of the same tasks and seed lie beside it."""
    record = records.read_record(output)
    acc = np.array(record['accuracy'])
    joint, random = (collect.beside(output, a) for a in ('joint', 'random'))
    out = of(record)
    if joint is not None:
        out['intransigence'] = intransigence(acc, joint)
    if joint is not None and random is not None:
        out['rho, the forgetting ratio'] = float(forgetting_ratio(acc, random, joint)[-1])
    return out


def ratios(found):
    """Return {approach: rho [seeds, T]} of {approach: {seed: row}} for all but random and joint.

    A seed counts where all three have it. Raises UserError where random or joint, or a common seed, is
    missing.
    """
    missing = [a for a in BOUNDS if a not in found]
    if missing:
        raise UserError('the forgetting ratio needs results of random and joint too: add %s to '
                        '--approaches' % ','.join(missing))
    out = {}
    for a, by in found.items():
        seeds = sorted(set(by) & set(found['random']) & set(found['joint']))
        if a in BOUNDS:
            continue
        if not seeds:
            raise UserError('no seed of %s has results of random and joint too' % a)
        out[a] = np.stack([forgetting_ratio(*(found[k][s]['acc'] for k in (a, *BOUNDS))) for s in seeds])
    if not out:
        raise UserError('only random and joint among --approaches: name those to compare with them')
    return out


def ratio_table(found, rho):
    """Return a row per approach: rho after each number of tasks, and the mean over all."""
    n = next(iter(rho.values())).shape[1]
    heads = ['rho %d' % (t + 1) for t in range(n)]
    rows = []
    for a, values in rho.items():
        rows.append([a, len(values), *map(Mean.of, values.T), float(values.mean())])
    caption = captions.of(found, 'Forgetting ratio rho after each number of tasks', captions.sizes(rho))
    return Table(['approach', 'seeds', *heads, 'mean'], rows, caption, dict.fromkeys([*heads, 'mean'], max))


def undertrained(rho):
    """Return {approach: numbers of tasks learnt} at which the mean of {approach: rho [seeds, T]} is above 0.

    By more than a few test images make: there the approach is better than joint training, which is to be the
    ceiling.
    """
    out = {}
    for a, values in rho.items():
        above = np.flatnonzero(values.mean(0) > 0.005)
        if len(above):
            out[a] = [int(t) + 1 for t in above]
    return out


def summaries(found, query=None):
    """Return {approach: {name of a measure: [seeds], 'seconds': [seeds]}} in per cent and seconds.

    What needs two tasks, or joint's result of every seed, is left out where there is none.
    """
    out, joint = {}, found.get('joint', {})
    for a, by in found.items():
        each = []
        for seed, r in by.items():
            lost = intransigence(r['acc'], joint[seed]['acc']) if seed in joint else None
            counts = (r['record'] or {}).get('test_samples')
            each.append({**summary(r['acc'], counts=counts), 'intransigence': lost})
        full = [k for k in each[0] if all(s[k] is not None for s in each)]
        out[a] = {k: 100 * np.array([s[k] for s in each]) for k in full}
        seconds = [r['seconds'] for r in by.values()]
        out[a]['seconds'] = np.array([] if None in seconds else seconds)
    return out


def summary_table(found, each):
    """Return a row per approach: seeds, the measures in per cent, seconds."""
    rows = []
    for a, values in each.items():
        means = [Mean.of(values.get(name, ())) for name in MEASURES.values()]
        seconds = float(values['seconds'].mean()) if len(values['seconds']) else None
        rows.append([a, len(found[a]), *means, seconds])
    return Table(['approach', 'seeds', *MEASURES, 'seconds'], rows,
                 captions.of(found, 'Measures of each approach'), BEST, BOUNDS)


def over_orders(found):
    """Return {approach: average accuracies in per cent [orders, seeds]} of {order: what collect() found}.

    Of the seeds that every order has; raises UserError if there are none.
    """
    out = {}
    for a in next(iter(found.values())):
        seeds = sorted(set.intersection(*(set(by[a]) for by in found.values())))
        if not seeds:
            raise UserError('no seed of %s has been run in all of the %d orders' % (a, len(found)))
        out[a] = np.array([[100 * by[a][s]['acc'][-1].mean() for s in seeds] for by in found.values()])
    return out


def order_table(values):
    """Return a row per approach: standard deviations of its average accuracy over orders and over seeds."""
    rows = [[a, *v.shape, float(v.mean()), *spreads(v)] for a, v in values.items()]
    return Table(['approach', 'orders', 'seeds', 'average accuracy %', 'std over orders', 'std over seeds'],
                 rows)


def spreads(values):
    """Return (standard deviation over orders of the means over seeds, that over seeds within an order) of
    [orders, seeds].

    The second is a root mean square; None where there is only one.
    """
    orders, seeds = values.shape
    over = float(values.mean(1).std(ddof=1)) if orders > 1 else None
    within = float(np.sqrt(values.var(1, ddof=1).mean())) if seeds > 1 else None
    return over, within


def matrices(found, query=None):
    """Return {approach: accuracy matrices in per cent [seeds, T, T]}."""
    return {a: 100 * np.array([r['acc'] for r in by.values()]) for a, by in found.items()}


def matrix_table(found, by):
    """Return a row per approach and task learnt: accuracy on every task so far, in per cent."""
    names, rows = captions.places(found)[0], []
    for a, each in by.items():
        for t, name in enumerate(names):
            later = [None] * (len(names) - t - 1)
            rows.append([a, len(each), name, *map(Mean.of, each[:, t, :t + 1].T), *later])
    caption = captions.of(found, 'Accuracy in per cent on each task after each')
    return Table(['approach', 'seeds', 'after', *('on ' + n for n in names)], rows, caption)


def place_table(found, by):
    """Return a row per approach and place t of the sequence: accuracy just learnt, a[t,t], and at the end."""
    rows, names = [], captions.places(found)[0]
    for a, each in by.items():
        for t, name in enumerate(names):
            rows.append([a, len(each), t + 1, name, Mean.of(each[:, t, t]), Mean.of(each[:, -1, t])])
    return Table(['approach', 'runs', 'place', 'task', 'just learnt %', 'after the last task %'], rows,
                 'Accuracy by the place of a task in the sequence, ' + captions.label(found))


def differences(found, against=None):
    """Return {approach: {'mean': Mean, 'p', 'holm', 'n', 'against'}}: average accuracy minus that of the
    approach `against`, in points.

    Against: the one asked for, or the first that is neither the floor nor the ceiling. Paired by seed, with a
    paired t-test, and 'holm', its p corrected for their number, None where all differences are the same.
    Raises UserError where fewer than two seeds are common.
    """
    against = against or next((a for a in found if a not in BOUNDS), None)
    if not against:
        raise UserError('%s alone are compared: say with --against with which' % ' and '.join(found))
    if len(found) < 2:
        raise UserError('a comparison needs two approaches or more, not only %s' % against)
    if against not in found:
        raise UserError('--against %s is not among --approaches: %s' % (against, ', '.join(found)))
    out = {a: difference(found, a, against) for a in found if a != against}
    for a, p in holm({a: d['p'] for a, d in out.items() if d['p'] is not None}).items():
        out[a]['holm'] = p
    return out


def difference(found, approach, against):
    """Return what differences() has of one approach."""
    from scipy import stats
    seeds = sorted(set(found[approach]) & set(found[against]))
    if len(seeds) < 2:
        raise UserError('%s and %s have %d seed(s) in common: a paired comparison needs 2' % (
            approach, against, len(seeds)))
    x, y = ([100 * found[a][s]['acc'][-1].mean() for s in seeds] for a in (approach, against))
    mean = Mean.of(np.subtract(x, y))
    p = float(stats.ttest_rel(x, y).pvalue) if mean.std > 0 else None
    return {'mean': mean, 'p': p, 'holm': None, 'n': len(seeds), 'against': against}


def holm(ps):
    """Return {name: p} of several tests as they are together, by Holm's method (1979).

    The k-th smallest of m times m - k + 1, at most 1, and no smaller than those before it.
    """
    out, so_far = {}, 0.
    for k, (name, p) in enumerate(sorted(ps.items(), key=lambda item: item[1])):
        so_far = out[name] = max(so_far, min(1., (len(ps) - k) * p))
    return out


def difference_table(found, diff):
    """Return a row per approach of differences()."""
    against = next(iter(diff.values()))['against']
    rows = [[a, d['mean'], d['p'], d['holm'], d['n']] for a, d in diff.items()]
    caption = captions.of(found, 'Average accuracy minus that of %s, paired by seed' % against,
                          {a: d['n'] for a, d in diff.items()}) + '; p: paired t-test'
    return Table(['approach', 'minus %s, points' % against, 'p', 'p (Holm)', 'seeds'], rows, caption,
                 decimals={'p': 4, 'p (Holm)': 4})
