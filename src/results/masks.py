"""Figures from the logs of hat-test: how much of the network tasks use, share and need."""
import numpy as np

from results.tables import Table
from utils import UserError

ON = 0.5  # attention above which a unit counts as used
FEW = 10  # with fewer epochs the masks have hardly begun to empty, and a path of compression says nothing


def best_epochs(logs):
    """Return {task: epoch whose weights were kept}: that of the lowest validation loss; tasks not trained are
    left out."""
    return {t: int(np.argmin(loss)) for t, loss in logs['valid_loss'].items() if len(loss)}


def used(logs):
    """Return {task: [bool [units] per layer]}: the units that each task learnt attends to."""
    return {t: [np.ravel(logs['mask'][t][i][e]) > ON for i in sorted(logs['mask'][t])]
            for t, e in best_epochs(logs).items()}


def names(logs):
    """Return the names of the gated layers."""
    return [row[0] for row in logs['layers']] if 'layers' in logs else [
        'layer %d' % (i + 1) for i in sorted(logs['mask'][0])]


def capacity(logs):
    """Return (of each task, cumulative): two arrays [tasks, layers], per cent of each layer's units in
    use."""
    masks = used(logs)
    if not masks:
        raise UserError('the log has no trained task')
    each = np.array([[100 * m.mean() for m in masks[t]] for t in sorted(masks)])
    total, out = None, []
    for t in sorted(masks):
        total = masks[t] if total is None else [a | b for a, b in zip(total, masks[t])]
        out.append([100 * m.mean() for m in total])
    return each, np.array(out)


def capacity_table(logs):
    """Return a row per task: use of each layer, then cumulative use, in per cent."""
    each, total = capacity(logs)
    return Table(['task'] + ['%s %%' % n for n in names(logs)] + ['%s so far %%' % n for n in names(logs)],
                 [[task, *map(float, each[i]), *map(float, total[i])]
                  for i, task in enumerate(task_names(logs))])


def overlap(logs):
    """Return [tasks, tasks], per cent: of the units that task t (row) uses, how many task u (column) uses
    too."""
    masks = {t: np.concatenate(m) for t, m in used(logs).items()}
    if not masks:
        raise UserError('the log has no trained task')
    return np.array([[100 * (masks[t] & masks[u]).sum() / max(1, masks[t].sum()) for u in sorted(masks)]
                     for t in sorted(masks)])


def by_chance(logs):
    """Return [tasks], per cent: |u| / units, the share of the units that task u uses; so many of any task's
    units it would share with u if u's were drawn at random."""
    masks = used(logs)
    return np.array([100 * np.concatenate(masks[t]).mean() for t in sorted(masks)])


def task_names(logs):
    """Return the names of the tasks learnt."""
    return [str(logs['task_name'].get(t, t)) for t in sorted(used(logs))]


def overlap_table(logs):
    """Return a row per task of overlap(), and one of what chance would give."""
    tasks, rows = task_names(logs), [*overlap(logs), by_chance(logs)]
    names = [*tasks, 'any, by chance']
    return Table(['of the units of', *tasks], [[n, *map(float, row)] for n, row in zip(names, rows)])


def attention(logs):
    """Return [[units, tasks] of each layer]: the attention of each task at the epoch kept, the units sorted
    by the task that uses them first, those of one task by the tasks that use them later too, and those that
    none uses at the end."""
    epochs = best_epochs(logs)
    if not epochs:
        raise UserError('the log has no trained task')
    out = []
    for i in sorted(logs['mask'][min(epochs)]):
        values = np.array([np.ravel(logs['mask'][t][i][epochs[t]]) for t in sorted(epochs)], float).T
        out.append(values[np.lexsort((values <= ON).T[::-1])])
    return out


def masks_table(logs):
    """Return a row per layer and task: units used, and how many of them are used by no earlier task."""
    rows = []
    for name, values in zip(names(logs), attention(logs)):
        on = values > ON
        first = np.where(on.any(1), on.argmax(1), -1)
        rows += [[name, task, len(on), int(on[:, t].sum()), int((first == t).sum())]
                 for t, task in enumerate(task_names(logs))]
    return Table(['layer', 'task', 'units', 'used', 'first used'], rows)


def compression(logs):
    """Return (per cent of the weights kept [epochs], validation accuracy in per cent [epochs]) of the first
    task: a weight is kept while both its units are used; heads and biases are not counted."""
    if 'layers' not in logs:
        raise UserError('the log does not say how its layers are connected: run hat-test again')
    epochs = len(logs['valid_acc'].get(0, ()))
    if not epochs:
        raise UserError('the log has no trained first task')
    kept, total = np.zeros(epochs), 0
    for i, (_, below, units, weights) in enumerate(logs['layers']):
        for e in range(epochs):
            active = (np.ravel(logs['mask'][0][i][e]) > ON).sum()
            under = below if i == 0 else (np.ravel(logs['mask'][0][i - 1][e]) > ON).sum()
            kept[e] += weights * active * under
        total += weights * below * units
    return 100 * kept / total, 100 * np.asarray(logs['valid_acc'][0])


def too_short(by):
    """Return the names of the logs, of {name: logs}, whose first task was trained for too few epochs for a
    path of compression."""
    epochs = {name: len(logs['valid_acc'].get(0, ())) for name, logs in by.items()}
    return ['%s (%d)' % item for item in epochs.items() if item[1] < FEW]


def compression_table(by):
    """Return a row per log, {name: logs}: weights kept and validation accuracy at the epoch that was kept."""
    rows = []
    for name, logs in by.items():
        kept, acc = compression(logs)
        e = best_epochs(logs)[0]
        rows.append([name, len(kept), float(kept[e]), float(acc[e]),
                     100 * float(np.ravel(logs['test_acc'][0])[0])])
    return Table(['data set', 'epochs', 'weights kept %', 'validation accuracy %', 'test accuracy %'], rows)
