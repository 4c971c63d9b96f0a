"""Figures from the logs of hat-test: how much of the network tasks use, share and need."""
import numpy as np

from results.tables import Table
from utils import UserError

ON = 0.5  # attention above which a unit counts as used
FEW = 10  # with fewer epochs the masks have hardly begun to empty, and a path of compression says nothing


def best_epochs(logs):
    """Return {task: epoch whose weights were kept}, of the lowest validation loss, for the tasks trained."""
    return {t: int(np.argmin(loss)) for t, loss in sorted(logs['valid_loss'].items()) if len(loss)}


def attentions(logs):
    """Return [[tasks, units] of each layer]: the attention of each task learnt at the epoch kept."""
    epochs = best_epochs(logs)
    if not epochs:
        raise UserError('the log has no trained task')
    layers = sorted(logs['mask'][min(epochs)])
    return [np.array([np.ravel(logs['mask'][t][i][e]) for t, e in epochs.items()], float) for i in layers]


def names(logs):
    """Return the names of the gated layers."""
    if 'layers' in logs:
        return [row[0] for row in logs['layers']]
    return ['layer %d' % (i + 1) for i in sorted(logs['mask'][0])]


def task_names(logs):
    """Return the names of the tasks learnt."""
    return [str(logs['task_name'].get(t, t)) for t in best_epochs(logs)]


def capacity(logs):
    """Return per cent of each layer's units in use, of each task and so far: two arrays [tasks, layers]."""
    used = [values > ON for values in attentions(logs)]
    so_far = [np.logical_or.accumulate(u) for u in used]
    return tuple(100 * np.stack([u.mean(1) for u in each], 1) for each in (used, so_far))


def capacity_table(logs):
    """Return a row per task: use of each layer, then cumulative use, in per cent."""
    heads = [text % n for text in ('%s %%', '%s so far %%') for n in names(logs)]
    rows = [[task, *values] for task, values in zip(task_names(logs), np.hstack(capacity(logs)))]
    return Table(['task', *heads], rows)


def overlap(logs):
    """Return [tasks, tasks], per cent: of the units that task t (row) uses, how many task u (column) uses."""
    used = np.hstack(attentions(logs)) > ON
    shared = (used[:, None] & used).sum(-1)
    return 100 * shared / np.maximum(1, used.sum(1))[:, None]


def by_chance(logs):
    """Return [tasks], per cent: the share of all units that task u uses, and of any task's, were u's
    drawn."""
    return 100 * (np.hstack(attentions(logs)) > ON).mean(1)


def overlap_table(logs):
    """Return a row per task of overlap(), and one of what chance would give."""
    tasks = task_names(logs)
    values = zip([*tasks, 'any, by chance'], [*overlap(logs), by_chance(logs)])
    return Table(['of the units of', *tasks], [[name, *row] for name, row in values])


def attention(logs):
    """Return [[units, tasks] of each layer], the attention with the units sorted.

    By the task that uses them first, those of one task by the tasks that use them later too; those that none
    uses are at the end.
    """
    return [values.T[np.lexsort((values <= ON)[::-1])] for values in attentions(logs)]


def masks_table(logs):
    """Return a row per layer and task: units used, and how many of them are used by no earlier task."""
    rows = []
    for name, values in zip(names(logs), attentions(logs)):
        used = values > ON
        new = np.diff(np.logical_or.accumulate(used).sum(1), prepend=0)
        for task, on, first in zip(task_names(logs), used, new.tolist()):
            rows.append([name, task, len(on), int(on.sum()), first])
    return Table(['layer', 'task', 'units', 'used', 'first used'], rows)


def compression(logs):
    """Return (per cent of the weights kept [epochs], validation accuracy in per cent [epochs]) of the first
    task: a weight is kept while both its units are used; heads and biases are not counted."""
    if 'layers' not in logs:
        raise UserError('the log does not say how its layers are connected: run hat-test again')
    epochs = len(logs['valid_acc'].get(0, ()))
    if not epochs:
        raise UserError('the log has no trained first task')
    kept, total, under = 0, 0, None
    for i, (_, below, units, weights) in enumerate(logs['layers']):
        active = np.array([(np.ravel(logs['mask'][0][i][e]) > ON).sum() for e in range(epochs)])
        kept = kept + weights * active * (below if under is None else under)
        total, under = total + weights * below * units, active
    return 100 * kept / total, 100 * np.asarray(logs['valid_acc'][0])


def too_short(by):
    """Return the names of {name: logs} with too few epochs of the first task for a path of compression."""
    epochs = {name: len(logs['valid_acc'].get(0, ())) for name, logs in by.items()}
    return ['%s (%d)' % item for item in epochs.items() if item[1] < FEW]


def compression_table(by):
    """Return a row per log, {name: logs}: weights kept and validation accuracy at the epoch that was kept."""
    rows = []
    for name, logs in by.items():
        kept, acc = compression(logs)
        e = best_epochs(logs)[0]
        rows.append([name, len(kept), kept[e], acc[e], 100 * np.ravel(logs['test_acc'][0])[0]])
    return Table(['data set', 'epochs', 'weights kept %', 'validation accuracy %', 'test accuracy %'], rows)
