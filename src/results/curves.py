"""Learning curves: a number of every epoch, of the runs of several approaches and seeds."""
import numpy as np

from results import captions, epochs
from results.tables import Table
from utils import UserError

MEASURES = {'valid_accuracy': 'validation accuracy (%)', 'valid_loss': 'validation loss',
            'train_accuracy': 'training accuracy (%)', 'train_loss': 'training loss'}


def gather(runs, measure):
    """Return {approach: [values [seeds, epochs] of each task]} of {approach: {seed: what epochs.load
    returns}}.

    Accuracies are in per cent; nan where a seed's task had ended. All passes of a task count, also where a
    method counts its epochs anew, as for every path. Approaches without any epoch are left out. Raises
    UserError if none is left.
    """
    tasks = max((epochs.tasks(rows) for by in runs.values() for rows in by.values()), default=0)
    if tasks > 10 ** 4:
        raise UserError('the tables of epochs have more tasks than a run can have')
    out, factor = {}, 100 if measure.endswith('accuracy') else 1
    for a, by in runs.items():
        values = [[[] for _ in by] for _ in range(tasks)]
        for s, rows in enumerate(by.values()):
            for r in rows:
                values[r['task']][s].append(factor * r[measure])
        if any(by.values()):
            out[a] = list(map(padded, values))
    if not out:
        raise UserError('no epoch of %s: they do not train, or have not yet' % ', '.join(runs))
    return out


def padded(lists):
    """Return lists of numbers, or of rows of as many, as one array of which each is a part, with nan after
    its end."""
    out = np.full((len(lists), *np.shape(max(lists, key=len))), np.nan)
    for row, values in zip(out, lists):
        row[:len(values)] = values
    return out


def summary(values):
    """Return (mean, least, most, count) over the seeds that reached an epoch, of [seeds, epochs]."""
    count = np.isfinite(values).sum(0)
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.nansum(values, 0) / count, np.fmin.reduce(values), np.fmax.reduce(values), count


def table(found, values):
    """Return a row per approach, task and epoch of gather(), of collected results."""
    names, rows, (curves, measure) = captions.places(found)[0], [], values
    for a, tasks in curves.items():
        for name, values in zip(names, tasks):
            for e, (mean, least, most, n) in enumerate(zip(*summary(values)), 1):
                if n:
                    rows.append([a, name, e, int(n), mean, least, most])
    return Table(['approach', 'task', 'epoch', 'seeds', MEASURES[measure].replace(' (%)', ' %'), 'least',
                  'most'], rows)
