"""Experiments from raw data sets: selecting classes, splitting and ordering."""
import reprlib
from dataclasses import dataclass

import numpy as np
from dataloaders import raw
from dataloaders.images import Pixels, Split, misfit
from utils import UserError


def shuffle(a, seed):
    """A shuffled copy of an array, by the seed alone."""
    indices = np.arange(len(a))
    np.random.RandomState(seed).shuffle(indices)
    return a[indices]


@dataclass(frozen=True)
class Task:
    """One task: some classes of one raw data set, renumbered from 0."""
    name: str
    raw: object                      # its name, or a raw.Raw
    classes: object = None           # a range or tuple of them; None: all
    permutation: np.ndarray = None   # of the pixels [H*W]
    mean: tuple = None               # instead of the raw data set's
    std: tuple = None
    angle: float = None              # degrees to rotate by, counter-clockwise

    @property
    def ncla(self):
        """Number of classes, of a raw data set in the table."""
        return len(self.classes or range(raw.TABLE[self.raw].ncla))


def network(name, data_dir=None):
    """The network for a raw data set where the experiment names none: mlp for grey images and those that
    alexnet cannot take."""
    channels, height, width = raw.shape(name, data_dir)
    return 'alexnet' if channels == 3 and height == width >= 12 else 'mlp'


def size(arrays):
    """[channels, height, width] of a raw data set's images."""
    shape = arrays['x_train'].shape[1:]
    return [shape[2] if len(shape) == 3 else 1, *shape[:2]]


def choose(tasks, order, chosen=None):
    """The tasks in the given order of indices or, if chosen ('mnist,2'), those named or numbered, in that
    order."""
    return [tasks[i] for i in (order if chosen is None else numbers([task.name for task in tasks], chosen))]


def numbers(names, chosen):
    """[2, 7] of 'mnist,7': the positions in names of what is chosen by name or by number. Raises UserError."""
    there = 'there are: ' + ', '.join('%d %s' % item for item in enumerate(names))
    out = []
    for name in chosen.split(','):
        name = name.strip()
        if name in names:
            out.append(names.index(name))
        elif name.isdecimal() and name.isascii() and len(name) < 9 and int(name) < len(names):
            out.append(int(name))
        else:
            raise UserError('--tasks: no task %s; %s' % (reprlib.repr(name), there))
        if out.count(out[-1]) > 1:
            raise UserError('--tasks: %s is named twice' % names[out[-1]])
    return out


def build(tasks, size, seed, pc_valid, data_dir=None, loaded=None):
    """(data, taskcla, size) of a list of tasks, in the layout that run.py expects.

    pc_valid: share of each training set that becomes the validation set; 0: both are the same data. Only the
    raw data sets of these tasks are read; loaded: {name: arrays} of those that have been.
    """
    loaded, sources, rows, digests, parts, data = dict(loaded or {}), {}, {}, {}, {}, {}
    for t, task in enumerate(tasks):
        name = getattr(task.raw, 'name', task.raw)
        if sources.setdefault(name, task.raw) != task.raw:
            raise UserError('two data sets are named %s: give every raw.Raw a name of its own' % name)
        if name not in loaded:
            loaded[name] = raw.load(task.raw, data_dir)
        if name not in rows:
            rows[name], digests[name] = raw.describe(task.raw, loaded[name]), raw.sha256(loaded[name])
        row, classes = rows[name], task.classes
        check(name, task, loaded[name], row, list(size))
        ncla = row.ncla if classes is None else len(classes)
        source = {'name': name, 'sha256': digests[name], 'classes': tuple(range(ncla) if classes is None else classes)}
        data[t] = {'name': task.name, 'ncla': ncla, 'source': source}
        if row.class_names:
            data[t]['class_names'] = [row.class_names[c] for c in (range(ncla) if classes is None else classes)]
        if (name, classes) not in parts:  # tasks of the same images share what says which they are
            parts[name, classes] = select(loaded[name], classes, seed, pc_valid, task)
        pixels = Pixels(task.mean or row.mean, task.std or row.std, tuple(size), task.permutation, task.angle)
        for s, (x, chosen, y) in parts[name, classes].items():
            data[t][s] = Split(loaded[name][x], chosen, y, pixels)
        data[t].setdefault('valid', data[t]['train'])
    data['ncla'] = sum(data[t]['ncla'] for t in range(len(tasks)))
    data['sha256'] = digests
    data['normalisation'] = {name: {'mean': row.mean, 'std': row.std} for name, row in rows.items()}
    return data, [(t, data[t]['ncla']) for t in range(len(tasks))], list(size)


def check(name, task, arrays, row, size):
    """Raises UserError unless a task can be made of a raw data set, with images of a size [C,H,W]."""
    def demand(ok, what, *values):
        if not ok:
            raise UserError('%s: %s' % (name, what % values))
    for s in ('train', 'test'):
        shape = arrays['x_' + s].shape[1:]
        channels = shape[2] if len(shape) == 3 else 1
        own, why, permutation = [channels, *shape[:2]], misfit(shape, size), task.permutation
        demand(why is None, 'its images are of size %s, task %s declares %s: %s', own, task.name, size, why)
        demand(permutation is None or np.array_equal(np.sort(permutation), np.arange(shape[0] * shape[1])),
               'the permutation of task %s is not one of the numbers 0 to %d', task.name, shape[0] * shape[1] - 1)
        for what in ('mean', 'std'):
            found = getattr(task, what) or getattr(row, what)
            demand(len(found) in (1, channels), 'task %s has %d numbers as %s, its images %d channels',
                   task.name, len(found), what, channels)
    classes = list(range(row.ncla) if task.classes is None else task.classes)
    demand(len(set(classes)) == len(classes), 'task %s names a class twice: %s', task.name, classes)
    there = set(classes) <= set(range(row.ncla))
    demand(there, 'task %s has the classes %s, the data set 0 to %d', task.name, classes, row.ncla - 1)


def select(arrays, classes, seed, pc_valid, task):
    """{split: (name of the images, indices among them or None for all, labels [N] from 0)} of some classes."""
    out = {}
    for s in ('train', 'test'):
        labels, chosen = arrays['y_' + s], None
        if classes is not None:
            new = np.full(max(labels.max(), *classes) + 1, -1)  # of each class, its number within the task
            new[list(classes)] = np.arange(len(classes))
            chosen = np.flatnonzero(new[labels] >= 0)
            labels = new[labels[chosen]]
        if not len(labels):
            raise UserError('%s: no %s images of the classes of %s' % (getattr(task.raw, 'name', task.raw), s, task.name))
        if s == 'train' and pc_valid > 0:
            r = shuffle(np.arange(len(labels)), seed)
            nvalid = int(pc_valid * len(labels))
            if nvalid == 0:
                raise UserError('--pc-valid %g leaves no validation image of the %d of %s' % (pc_valid, len(labels), task.name))
            out['valid'] = 'x_train', r[:nvalid] if chosen is None else chosen[r[:nvalid]], labels[r[:nvalid]]
            chosen, labels = r[nvalid:] if chosen is None else chosen[r[nvalid:]], labels[r[nvalid:]]
        out[s] = 'x_' + s, chosen, labels
    return out
