"""The tests of a run within its tasks, steps.csv in the folder of its logs: a line for each, with the
accuracies on all tasks so far."""
from pathlib import Path

import numpy as np

from results import captions, curves, epochs, measures
from results.tables import Mean, Table
from utils import UserError

COLUMNS = 'task', 'name', 'step'
ACCURACY = 'accuracy_%d'
WINDOWS = 10, 100  # tests within which windowed forgetting looks for the largest fall
NAMES = {'minimum_accuracy': 'min-ACC %', 'worst_case_accuracy': 'WC-ACC %',
         'stability_gap': 'stability gap %', **{'WF %d' % window: 'WF %d %%' % window for window in WINDOWS}}


def load(path):
    """Return (steps, accuracies) of a steps.csv: of each task that was learnt an int array [tests] of the
    steps before each test and accuracies [tests, task + 1] in 0..1. Raises UserError as epochs.load does."""
    if not Path(path).is_file():
        raise UserError('there is no %s: a run with --eval-every leaves it' % path)
    rows, steps, accuracies = epochs.table(path, COLUMNS), [], []
    for n, row in enumerate(rows, 2):
        t = row['task']
        if t == len(steps):
            steps.append([])
            accuracies.append([])
        found = [row.get(ACCURACY % u) for u in range(t + 1)]
        if t != len(steps) - 1 or steps[t] and row['step'] <= steps[t][-1]:
            raise UserError('%s, line %d: step %d of task %d does not follow the line before: lines are '
                            'missing' % (path, n, row['step'], t))
        if None in found or not all(0 <= a <= 1 for a in found):
            raise UserError('%s, line %d: expected accuracies from 0 to 1 on the tasks 0 to %d' % (
                path, n, t))
        steps[t].append(row['step'])
        accuracies[t].append(found)
    return list(map(np.array, steps)), list(map(np.array, accuracies))


def tasks(loaded):
    """Return of how many tasks it is what load() returns."""
    return len(loaded[0])


def gather(runs):
    """Return {approach: [(steps [tests], accuracies in per cent [seeds, tests, t + 1]) of each task t]} of
    {approach: {seed: what load() returns}}; nan where a seed's task had ended. Raises UserError for seeds
    that were tested at other steps."""
    out = {}
    for a, by in runs.items():
        out[a] = []
        for at, accuracies in zip(*(zip(*parts) for parts in zip(*by.values()))):
            steps = max(at, key=len)
            if not all(np.array_equal(mine[:-1], steps[:len(mine) - 1]) for mine in at):
                raise UserError('seeds of %s were tested at different steps: another --eval-every' % a)
            out[a].append((steps, 100 * curves.padded(accuracies)))
    return out


def later(tasks, u):
    """Return (steps since the first task began [tests], accuracies [seeds, tests]) on task u of one
    approach's gather(), from its end on."""
    starts = np.cumsum([0] + [steps[-1] for steps, _ in tasks])
    x, y = [[starts[u + 1]]], [tasks[u][1][:, -1:, u]]
    for start, (steps, accuracies) in list(zip(starts, tasks))[u + 1:]:
        x.append(start + steps)
        y.append(accuracies[:, :, u])
    return np.concatenate(x), np.concatenate(y, 1)


def each(loaded):
    """Return {name: number} in per cent of what load() returns."""
    accuracies = loaded[1]
    out = measures.stability(*measures.lowest_and_last(accuracies))
    for window in WINDOWS:
        falls = []
        for u in range(len(accuracies)):
            values = np.concatenate([a[:, u] for a in accuracies[u:]])
            falls.append(measures.windowed_forgetting(values, window))
        out['WF %d' % window] = np.mean(falls)
    return {name: 100 * out[name] for name in NAMES if name in out}


def table(found, runs):
    """Return a row per approach of each(), mean over the seeds, of {approach: {seed: what load()
    returns}}."""
    rows, heads = [], list(NAMES.values())
    for a, by in runs.items():
        values = list(map(each, by.values()))
        rows.append([a, len(by), *(Mean.of([v[n] for v in values if n in v]) for n in NAMES)])
    best = {**dict.fromkeys(heads[:2], max), **dict.fromkeys(heads[2:], min)}
    return Table(['approach', 'seeds', *heads], rows, captions.of(found, 'Accuracies within tasks'), best)
