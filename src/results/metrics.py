"""What measures.py says of the results of several approaches and seeds, as numbers and tables."""
import numpy as np

from results import captions, collect, records
from results.measures import forgetting_ratio, intransigence, of, summary
from results.tables import Mean, Table
from utils import UserError

BOUNDS = 'random', 'joint'  # the floor and the ceiling: never the best
MEASURES = {'average accuracy %': ('average_accuracy', max), 'overall accuracy %': ('overall_accuracy', max),
            'forgetting %': ('forgetting', min), 'incremental %': ('average_incremental_accuracy', max),
            'learning %': ('learning_accuracy', max), 'backward transfer %': ('backward_transfer', max),
            'intransigence %': ('intransigence', min)}


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
    for a in found:
        if a not in BOUNDS:
            three = [found[k] for k in (a, *BOUNDS)]
            seeds = sorted(set.intersection(*map(set, three)))
            if not seeds:
                raise UserError('no seed of %s has results of random and joint too' % a)
            out[a] = np.stack([forgetting_ratio(*(by[s]['acc'] for by in three)) for s in seeds])
    if not out:
        raise UserError('only random and joint among --approaches: name those to compare with them')
    return out


def ratio_table(found, rho):
    """Return a row per approach: rho after each number of tasks, and the mean over all."""
    rows = [[a, len(values), *map(Mean.of, values.T), values.mean()] for a, values in rho.items()]
    heads = [*('rho %d' % t for t in range(1, len(rows[0]) - 2)), 'mean']
    caption = captions.of(found, 'Forgetting ratio rho after each number of tasks', captions.sizes(rho))
    return Table(['approach', 'seeds', *heads], rows, caption, dict.fromkeys(heads, max))


def undertrained(rho):
    """Return {approach: numbers of tasks learnt} at which the mean of {approach: rho [seeds, T]} is above 0.

    By more than a few test images make: there the approach is better than joint training, which is to be the
    ceiling.
    """
    above = {a: 1 + np.flatnonzero(values.mean(0) > 0.005) for a, values in rho.items()}
    return {a: tasks.tolist() for a, tasks in above.items() if len(tasks)}


def summaries(found, query=None):
    """Return {approach: {name of a measure: [seeds]}} in per cent.

    What needs two tasks, or joint's result of every seed, is left out where there is none.
    """
    out, joint = {}, found.get('joint', {})
    for a, by in found.items():
        each = []
        for seed, r in by.items():
            lost = intransigence(r['acc'], joint[seed]['acc']) if seed in joint else None
            counts = (r['record'] or {}).get('test_samples')
            each.append({**summary(r['acc'], counts=counts), 'intransigence': lost})
        values = {k: [s[k] for s in each] for k in each[0]}
        out[a] = {k: 100 * np.array(v) for k, v in values.items() if None not in v}
    return out


def summary_table(found, each):
    """Return a row per approach: seeds, the measures in per cent, seconds."""
    rows = []
    for a, values in each.items():
        seconds = [r['seconds'] for r in found[a].values()]
        rows.append([a, len(found[a]), *(Mean.of(values.get(name, ())) for name, _ in MEASURES.values()),
                     None if None in seconds else np.mean(seconds)])
    return Table(['approach', 'seeds', *MEASURES, 'seconds'], rows,
                 captions.of(found, 'Measures of each approach'),
                 {head: better for head, (_, better) in MEASURES.items()}, BOUNDS)


def over_orders(found, query=None):
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


def order_table(found, values):
    """Return a row per approach: standard deviations of its average accuracy over orders, of the means over
    seeds, and over seeds, a root mean square over the orders; None where there is only one."""
    rows = []
    for a, v in values.items():
        orders, seeds = v.shape
        over = v.mean(1).std(ddof=1) if orders > 1 else None
        within = np.sqrt(v.var(1, ddof=1).mean()) if seeds > 1 else None
        rows.append([a, orders, seeds, v.mean(), over, within])
    return Table(['approach', 'orders', 'seeds', 'average accuracy %', 'std over orders', 'std over seeds'],
                 rows)


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
    rows = []
    for a, each in by.items():
        for t, name in enumerate(captions.places(found)[0]):
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
    corrected = holm({a: d['p'] for a, d in out.items() if d['p'] is not None})
    return {a: {**d, 'holm': corrected.get(a), 'against': against} for a, d in out.items()}


def difference(found, approach, against):
    """Return {'mean': Mean, 'p', 'n'} of the differences of one approach."""
    from scipy import stats
    seeds = sorted(set(found[approach]) & set(found[against]))
    if len(seeds) < 2:
        raise UserError('%s and %s have %d seed(s) in common: a paired comparison needs 2' % (
            approach, against, len(seeds)))
    x, y = ([100 * found[a][s]['acc'][-1].mean() for s in seeds] for a in (approach, against))
    mean = Mean.of(np.subtract(x, y))
    return {'mean': mean, 'p': stats.ttest_rel(x, y).pvalue if mean.std > 0 else None, 'n': len(seeds)}


def holm(ps):
    """Return {name: p} of several tests as they are together, by Holm's method (1979).

    The k-th smallest of m times m - k + 1, at most 1, and no smaller than those before it.
    """
    out, so_far = {}, 0.
    for k, name in enumerate(sorted(ps, key=ps.get)):
        so_far = out[name] = max(so_far, min(1., (len(ps) - k) * ps[name]))
    return out


def difference_table(found, diff):
    """Return a row per approach of differences()."""
    against = next(iter(diff.values()))['against']
    rows = [[a, d['mean'], d['p'], d['holm'], d['n']] for a, d in diff.items()]
    caption = captions.of(found, 'Average accuracy minus that of %s, paired by seed' % against,
                          {a: d['n'] for a, d in diff.items()}) + '; p: paired t-test'
    return Table(['approach', 'minus %s, points' % against, 'p', 'p (Holm)', 'seeds'], rows, caption,
                 decimals={'p': 4, 'p (Holm)': 4})
