"""The tests of a run within its tasks, steps.csv in the folder of its logs: a line for each, with the
accuracies on all tasks so far."""
from pathlib import Path

import numpy as np

from results import captions, epochs, measures
from results.tables import Mean, Table
from utils import UserError

COLUMNS = 'task', 'name', 'step'
ACCURACY = 'accuracy_%d'
WINDOWS = 10, 100  # tests within which windowed forgetting looks for the largest fall


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
    return [np.array(s) for s in steps], [np.array(a) for a in accuracies]


def gather(runs):
    """Return {approach: [(steps [tests], accuracies in per cent [seeds, tests, t + 1]) of each task t]} of
    {approach: {seed: what load() returns}}; nan where a seed's task had ended. Raises UserError for seeds
    that were tested at other steps."""
    out = {}
    for a, by in runs.items():
        out[a] = []
        for t in range(len(next(iter(by.values()))[0])):
            steps = max((found[0][t] for found in by.values()), key=len)
            values = np.full((len(by), len(steps), t + 1), np.nan)
            for row, (mine, accuracies) in zip(values, (found for found in by.values())):
                if not np.array_equal(mine[t][:-1], steps[:len(mine[t]) - 1]):
                    raise UserError('seeds of %s were tested at different steps: another --eval-every' % a)
                row[:len(mine[t])] = 100 * accuracies[t]
            out[a].append((steps, values))
    return out


def later(tasks, u):
    """Return (steps since the first task began [tests], accuracies [seeds, tests]) on task u of one
    approach's gather(), from its end on."""
    starts = np.cumsum([0] + [steps[-1] for steps, _ in tasks])
    x, y = [[starts[u + 1]]], [tasks[u][1][:, -1:, u]]
    for t in range(u + 1, len(tasks)):
        x.append(starts[t] + tasks[t][0])
        y.append(tasks[t][1][:, :, u])
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
    return {name: 100 * out[name] for name in out if name != 'stability_gaps'}


def table(found, runs):
    """Return a row per approach of each(), mean over the seeds, of {approach: {seed: what load()
    returns}}."""
    names = {'minimum_accuracy': 'min-ACC %', 'worst_case_accuracy': 'WC-ACC %',
             'stability_gap': 'stability gap %'}
    names.update({'WF %d' % window: 'WF %d %%' % window for window in WINDOWS})
    rows = []
    for a, by in runs.items():
        values = list(map(each, by.values()))
        rows.append([a, len(by), *(Mean.of([v[n] for v in values if n in v]) for n in names)])
    best = {'min-ACC %': max, 'WC-ACC %': max, **{head: min for head in list(names.values())[2:]}}
    return Table(['approach', 'seeds', *names.values()], rows,
                 captions.of(found, 'Accuracies within tasks'), best)
