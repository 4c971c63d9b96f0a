"""Experiments from raw data sets: selecting classes, splitting and ordering."""
import reprlib
from dataclasses import dataclass

import numpy as np

from dataloaders import raw
from dataloaders.images import Pixels, Split, misfit
from dataloaders.read import about, demand
from utils import UserError


def shuffle(a, seed):
    """Return a shuffled copy of an array, by the seed alone."""
    indices = np.arange(len(a))
    np.random.RandomState(seed).shuffle(indices)
    return a[indices]


def order(n, seed, fixed):
    """Return arange(n) or, unless it is fixed, that shuffled by the seed."""
    return np.arange(n) if fixed else shuffle(np.arange(n), seed)


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


def network(name, data_dir=None):
    """Return the network for a raw data set where the experiment names none: mlp for grey images and those that
    alexnet cannot take."""
    channels, height, width = raw.shape(name, data_dir)
    return 'alexnet' if channels == 3 and height == width >= 12 else 'mlp'


def choose(tasks, order, chosen=None):
    """Return the tasks in the given order of indices or, if chosen ('mnist,2'), those named or numbered, in that
    order."""
    return [tasks[i] for i in (order if chosen is None else numbers([task.name for task in tasks], chosen))]


def numbers(names, chosen):
    """Return [2, 7] of 'mnist,7': the places in names of what is chosen by name or number. Raise UserError."""
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
    """Return (data, taskcla, size) of a list of tasks, in the layout that run.py expects.

    size: [C,H,W] that images are padded or repeated to; None: that of the first task's. pc_valid: share of each
    training set that becomes the validation set; 0: both are the same data. Only the raw data sets of these tasks
    are read; loaded: {name: arrays} of those that have been.
    """
    sets, parts, data, digests = {}, {}, {}, {}
    for t, task in enumerate(tasks):
        name = getattr(task.raw, 'name', task.raw)
        if name not in sets:
            arrays = loaded[name] if loaded and name in loaded else raw.load(task.raw, data_dir)
            sets[name] = task.raw, arrays, raw.describe(task.raw, arrays)
            digests[name] = raw.sha256(arrays)
        source, arrays, row = sets[name]
        demand(source == task.raw, 'two data sets are named %s: give every raw.Raw a name of its own', name)
        size = list(size or raw.size(arrays['x_train'].shape[1:]))
        with about(name):
            check(task, arrays['x_train'].shape[1:], row, size)
        if (name, task.classes) not in parts:  # tasks of the same images share what says which they are
            parts[name, task.classes] = select(name, arrays, task, seed, pc_valid)
        classes = tuple(range(row.ncla) if task.classes is None else task.classes)
        source = {'name': name, 'sha256': digests[name], 'classes': classes}
        data[t] = {'name': task.name, 'ncla': len(classes), 'source': source}
        if row.class_names:
            data[t]['class_names'] = [row.class_names[c] for c in classes]
        pixels = Pixels(task.mean or row.mean, task.std or row.std, tuple(size), task.permutation, task.angle)
        for s, (x, chosen, y) in parts[name, task.classes].items():
            data[t][s] = Split(arrays[x], chosen, y, pixels)
        data[t].setdefault('valid', data[t]['train'])
    taskcla = [(t, data[t]['ncla']) for t in range(len(tasks))]
    data['ncla'] = sum(ncla for _, ncla in taskcla)
    data['sha256'] = digests
    data['normalisation'] = {name: {'mean': row.mean, 'std': row.std} for name, (_, _, row) in sets.items()}
    return data, taskcla, size


def check(task, shape, row, size):
    """Raise UserError unless a task can be made of a raw data set of images of a shape, with a size [C,H,W]."""
    own, why, pixels = raw.size(shape), misfit(shape, size), shape[0] * shape[1]
    demand(why is None, 'its images are of size %s, task %s declares %s: %s', own, task.name, size, why)
    demand(task.permutation is None or np.array_equal(np.sort(task.permutation), np.arange(pixels)),
           'the permutation of task %s is not one of the numbers 0 to %d', task.name, pixels - 1)
    for what in ('mean', 'std'):
        found = getattr(task, what) or getattr(row, what)
        demand(len(found) in (1, own[0]), 'task %s has %d numbers as %s, its images %d channels', task.name, len(found),
               what, own[0])
    classes = list(range(row.ncla) if task.classes is None else task.classes)
    demand(len(set(classes)) == len(classes), 'task %s names a class twice: %s', task.name, classes)
    demand(set(classes) <= set(range(row.ncla)), 'task %s has the classes %s, the data set 0 to %d', task.name, classes,
           row.ncla - 1)


def select(name, arrays, task, seed, pc_valid):
    """Return {split: (name of the images, indices among them or None for all, labels [N] from 0)} of a task."""
    out = {}
    for s in ('train', 'test'):
        labels, chosen = arrays['y_' + s], None
        if task.classes is not None:
            new = np.full(max(labels.max(), *task.classes) + 1, -1)  # of each class, its number within the task
            new[list(task.classes)] = np.arange(len(task.classes))
            chosen = np.flatnonzero(new[labels] >= 0)
            labels = new[labels[chosen]]
        demand(len(labels), '%s: no %s images of the classes of %s', name, s, task.name)
        if s == 'train' and pc_valid > 0:
            places = np.arange(len(labels)) if chosen is None else chosen
            r, nvalid = shuffle(np.arange(len(labels)), seed), int(pc_valid * len(labels))
            demand(nvalid, '--pc-valid %g leaves no validation image of the %d of %s', pc_valid, len(labels), task.name)
            out['valid'] = 'x_train', places[r[:nvalid]], labels[r[:nvalid]]
            chosen, labels = places[r[nvalid:]], labels[r[nvalid:]]
        out[s] = 'x_' + s, chosen, labels
    return out
