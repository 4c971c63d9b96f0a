"""HAT's ledger: what each task takes of every layer, what it reuses, what is left, and for how many more such
tasks that lasts."""
import numpy as np

from results import forms
from results.tables import Table

ON, BINARY = 0.5, 0.01  # attention above which a unit counts as used; how near to 0 or 1 counts as binary


def entries(masks, connections=()):
    """Return [{'layers': [[units, used, reused, new, free]], 'binary': share of masks near 0 or 1,
    'protected': share of the weights between gated layers that are}] of the attentions of each task, a list
    per task of one array [units] per layer. connections: as gated.Gated.connections says."""
    taken, out = [np.zeros(len(m), bool) for m in masks[0]] if masks else [], []
    everything = sum(units * below * n for _, below, units, n in connections)
    for task in masks:
        rows = []
        for i, m in enumerate(task):
            now, before = m > ON, taken[i]
            taken[i] = before | now
            counts = now, now & before, now & ~before, ~taken[i]
            rows.append([len(m), *(int(c.sum()) for c in counts)])
        held, used = 0, [int(t.sum()) for t in taken]
        for i, (_, below, _, n) in enumerate(connections):
            held += used[i] * (used[i - 1] if i else below) * n
        values = np.concatenate(task)
        out.append({'layers': rows, 'binary': float(np.mean(np.minimum(values, 1 - values) <= BINARY)),
                    'protected': held / everything if everything else None})
    return out


def of(record):
    """Return a record's ledger, None if it has none; where it says what capacity the network had for each
    task (AdaHAT: the mean rate of its weights), with that, too."""
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
    last, more = found[-1], forecast(found)
    out = ['Units of          used   reused      new     free       of']
    for name, (units, *counts) in zip(names, last['layers']):
        out.append('  %-10s %s' % (name, ''.join('%9d' % n for n in (*counts, units))))
    held = '' if last['protected'] is None else ', weights protected: %.1f%%' % (100 * last['protected'])
    out.append('Masks within %g of 0 or 1: %.1f%%%s' % (BINARY, 100 * last['binary'], held))
    if 'capacity' in last:
        out.append('Network capacity: %.3g%%' % (100 * last['capacity']))
    if more:
        most = '%.1f' % more[2] if np.isfinite(more[2]) else 'any number'
        out.append('At this rate a layer has no free unit after %.1f more tasks (%.1f to %s)' % (
            more[0], more[1], most))
    return out


def shares(found, layer):
    """Return [tasks, 4], per cent of a layer's units: reused, new, taken before and not used, free."""
    rows = np.array([entry['layers'][layer] for entry in found], float)
    units, used, reused, new, free = rows.T
    return 100 * np.stack([reused, new, units - used - free, free], 1) / units[:, None]


def table(results, found):
    """Return a row per task and layer of the ledgers of some seeds, means over them."""
    rows, left = [], capacity(found)
    layers = [np.mean([shares(f, i) for f in found], 0) for i in range(len(found[0][0]['layers']))]
    for t in range(len(found[0])):
        binary = 100 * np.mean([f[t]['binary'] for f in found])
        more = [] if left is None else [left[t]]
        rows += [[t, i + 1, *values[t], binary, *more] for i, values in enumerate(layers)]
    more = [] if left is None else ['network capacity %']
    return Table(['task', 'layer', 'reused %', 'newly taken %', 'taken, not used %', 'free %',
                  'masks binary %', *more], rows)


COUNT = forms.whole(0, 10 ** 9 - 1)
ENTRY = forms.having({'layers': forms.listed(forms.items(*[COUNT] * 5), 1)})


def sound(value, tasks):
    """Return whether a value is what entries() returns for so many tasks."""
    try:
        forms.listed(ENTRY, tasks, tasks)(value, '')
    except ValueError:
        return False
    return len({len(entry['layers']) for entry in value}) < 2
