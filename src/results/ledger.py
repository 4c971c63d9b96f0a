"""HAT's ledger: what each task takes of every layer, what it reuses, what is left, and for how many more such
tasks that lasts."""
import numpy as np

from results.tables import Table

ON, BINARY = 0.5, 0.01  # attention above which a unit counts as used; how near to 0 or 1 counts as binary


def entries(masks, connections=()):
    """Return [{'layers': [[units, used, reused, new, free]], 'binary': share of masks near 0 or 1,
    'protected': share of the weights between gated layers that are}] of the attentions of each task, a list
    per task of one array [units] per layer. connections: as gated.Gated.connections says."""
    taken, out = [np.zeros(len(m), bool) for m in masks[0]] if masks else [], []
    for task in masks:
        now = [m > ON for m in task]
        rows = [[len(m), int(m.sum()), int((m & t).sum()), int((m & ~t).sum()), int((~m & ~t).sum())]
                for m, t in zip(now, taken)]
        taken = [m | t for m, t in zip(now, taken)]
        values = np.concatenate(task)
        held = [taken[i].sum() * (taken[i - 1].sum() if i else below) * n
                for i, (_, below, _, n) in enumerate(connections)]
        everything = sum(units * below * n for _, below, units, n in connections)
        out.append({'layers': rows, 'binary': float(np.mean(np.minimum(values, 1 - values) <= BINARY)),
                    'protected': float(sum(held) / everything) if everything else None})
    return out


def of(record):
    """Return a record's ledger, None if it has none; where it says what capacity the network had for each task
    (AdaHAT: the mean rate of its weights), with that, too."""
    found, capacity = record.get('ledger'), record.get('capacity')
    known = isinstance(capacity, list) and found is not None and len(capacity) == len(found)
    if not known or not all(type(c) in (int, float) and 0 <= c <= 1 for c in capacity):
        return found
    return [{**entry, 'capacity': c} for entry, c in zip(found, capacity)]


def capacity(found):
    """Return the capacity of each task in per cent, means over the ledgers of some seeds, or None where one
    does not say it."""
    if any('capacity' not in entry for entries in found for entry in entries):
        return None
    return 100 * np.mean([[entry['capacity'] for entry in entries] for entries in found], 0)


def forecast(found):
    """Return (after how many more such tasks the first layer has no free unit, the same at the largest and at
    the smallest taking), or None while nothing is taken. At the mean of what the tasks so far took anew."""
    new = np.array([[row[3] for row in entry['layers']] for entry in found], float)
    free = np.array([row[4] for row in found[-1]['layers']], float)
    with np.errstate(divide='ignore', invalid='ignore'):
        more = [np.where(free > 0, free / rate, 0.).min() for rate in (new.mean(0), new.max(0), new.min(0))]
    return tuple(map(float, more)) if np.isfinite(more[0]) else None


def lines(found, names):
    """Return the last task's entry as text, and the forecast."""
    last = found[-1]
    out = ['Units of     %s' % ''.join('%9s' % w for w in ('used', 'reused', 'new', 'free', 'of'))]
    out += ['  %-10s %s' % (n, ''.join('%9d' % row[k] for k in (1, 2, 3, 4, 0)))
            for n, row in zip(names, last['layers'])]
    held = '' if last['protected'] is None else ', weights protected: %.1f%%' % (100 * last['protected'])
    out.append('Masks within %g of 0 or 1: %.1f%%%s' % (BINARY, 100 * last['binary'], held))
    if 'capacity' in last:
        out.append('Network capacity: %.3g%%' % (100 * last['capacity']))
    more = forecast(found)
    if more:
        out.append('At this rate a layer has no free unit after %.1f more tasks (%.1f to %s)' % (
            more[0], more[1], '%.1f' % more[2] if np.isfinite(more[2]) else 'any number'))
    return out


def shares(found, layer):
    """Return [tasks, 4], per cent of a layer's units: reused, new, taken before and not used, free."""
    rows = np.array([entry['layers'][layer] for entry in found], float)
    units, used, reused, new, free = rows.T
    return 100 * np.stack([reused, new, units - used - free, free], 1) / units[:, None]


def table(found):
    """Return a row per task and layer of the ledgers of some seeds, means over them."""
    rows, left = [], capacity(found)
    for t in range(len(found[0])):
        for i in range(len(found[0][t]['layers'])):
            rows.append([t, i + 1, *map(float, np.mean([shares(f, i)[t] for f in found], 0)),
                         100 * float(np.mean([f[t]['binary'] for f in found]))])
            rows[-1] += [] if left is None else [float(left[t])]
    more = [] if left is None else ['network capacity %']
    return Table(['task', 'layer', 'reused %', 'newly taken %', 'taken, not used %', 'free %',
                  'masks binary %', *more], rows)


def sizes(found):
    """Return the numbers of units of every layer, as a tuple for each task."""
    return [tuple(row[0] for row in entry['layers']) for entry in found]


def sound(value, tasks):
    """Return whether a value is what entries() returns for so many tasks."""
    return isinstance(value, list) and len(value) == tasks and all(
        isinstance(e, dict) and isinstance(e.get('layers'), list) and e['layers'] and all(
            isinstance(row, list) and len(row) == 5 and all(type(n) is int and 0 <= n < 10 ** 9 for n in row)
            for row in e['layers'])
        and len(e['layers']) == len(value[0]['layers']) for e in value)
