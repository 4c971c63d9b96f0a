"""The tests of a run within its tasks, steps.csv in the folder of its logs: a line for each, with the accuracies
on all tasks so far."""
import numpy as np

from results import epochs
from utils import UserError

COLUMNS = 'task', 'name', 'step'
ACCURACY = 'accuracy_%d'


def load(path):
    """Return (steps, accuracies) of a steps.csv: of each task that was learnt an int array [tests] of the steps
    before each test and accuracies [tests, task + 1] in 0..1. Raises UserError as epochs.load does."""
    rows, steps, accuracies = epochs.table(path, COLUMNS), [], []
    for n, row in enumerate(rows, 2):
        t = row['task']
        if t == len(steps):
            steps.append([])
            accuracies.append([])
        found = [row.get(ACCURACY % u) for u in range(t + 1)]
        if t != len(steps) - 1 or steps[t] and row['step'] <= steps[t][-1]:
            raise UserError('%s, line %d: step %d of task %d does not follow the line before: lines are missing' % (
                path, n, row['step'], t))
        if None in found or not all(0 <= a <= 1 for a in found):
            raise UserError('%s, line %d: expected accuracies from 0 to 1 on the tasks 0 to %d' % (path, n, t))
        steps[t].append(row['step'])
        accuracies[t].append(found)
    return [np.array(s) for s in steps], [np.array(a) for a in accuracies]
