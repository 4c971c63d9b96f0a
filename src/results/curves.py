"""Learning curves: a number of every epoch, of the runs of several approaches and seeds."""
import numpy as np

from results import about
from results.tables import Table
from utils import UserError

MEASURES = {'valid_accuracy': 'validation accuracy (%)', 'valid_loss': 'validation loss',
            'train_accuracy': 'training accuracy (%)', 'train_loss': 'training loss'}


def gather(runs, measure):
    """{approach: [values [seeds, epochs] of each task]} of {approach: {seed: what epochs.load returns}}: accuracies in per cent; nan
    where a seed's task had ended; the last line of an epoch counts, as resumed runs may have it twice. Approaches without any epoch are
    left out. Raises UserError if none is left."""
    tasks = 1 + max((r['task'] for by in runs.values() for rows in by.values() for r in rows), default=-1)
    out, factor = {}, 100 if measure.endswith('accuracy') else 1
    if tasks > 10 ** 4 or any(r['epoch'] > 10 ** 6 for by in runs.values() for rows in by.values() for r in rows):
        raise UserError('the tables of epochs have more tasks or epochs than a run can have')
    for a, by in runs.items():
        if any(by.values()):
            out[a] = [np.full((len(by), max((r['epoch'] for rows in by.values() for r in rows if r['task'] == t), default=0)), np.nan)
                      for t in range(tasks)]
            for s, rows in enumerate(by.values()):
                for r in rows:
                    out[a][r['task']][s, r['epoch'] - 1] = factor * r[measure]
    if not out:
        raise UserError('no epoch of %s: they do not train, or have not yet' % ', '.join(runs))
    return out


def summary(values):
    """(mean, least, most, how many) over the seeds that reached an epoch, of [seeds, epochs]; nan where none did."""
    count = np.isfinite(values).sum(0)
    filled = [np.where(np.isfinite(values), values, x) for x in (0, np.inf, -np.inf)]
    with np.errstate(invalid='ignore', divide='ignore'):
        mean = filled[0].sum(0) / count
    return mean, np.where(count, filled[1].min(0), np.nan), np.where(count, filled[2].max(0), np.nan), count


def table(curves, found, measure):
    """A row per approach, task and epoch of gather(), of collected results."""
    names = about.places(found)[0]
    label = MEASURES[measure].replace(' (%)', ' %')
    return Table(['approach', 'task', 'epoch', 'seeds', label, 'least', 'most'], [
        [a, names[t], e + 1, int(n), *map(float, (mean, least, most))] for a, tasks in curves.items() for t, values in enumerate(tasks)
        for e, (mean, least, most, n) in enumerate(zip(*summary(values))) if n])
