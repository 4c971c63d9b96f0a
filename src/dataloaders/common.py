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
    train: np.ndarray = None         # which training images, of these classes; None: all
    test: np.ndarray = None


def network(name, data_dir=None, image_size=None):
    """Return the network for a raw data set: mlp for grey images and those that alexnet cannot take."""
    channels, height, width = raw.shape(name, data_dir, image_size)
    return 'alexnet' if channels == 3 and height == width >= 12 else 'mlp'


def too_small(name, data_dir=None, image_size=None):
    """Return what is to be said of colour images for which network() takes mlp, '' of others."""
    channels, height, width = raw.shape(name, data_dir, image_size)
    if channels == 1 or network(name, data_dir, image_size) == 'alexnet':
        return ''
    return 'The colour images of %s are of %d x %d pixels: mlp is taken, as alexnet needs square ones of ' \
           '12 x 12 or more' % (name, height, width)


def remark(data, text):
    """Add a line to what a run is to say of its data."""
    data['note'] = '\n'.join([data['note'], text] if 'note' in data else [text])


def choose(tasks, order, chosen=None):
    """Return the tasks in an order of indices or, if chosen ('mnist,2'), those named or numbered."""
    if chosen is not None:
        order = numbers([task.name for task in tasks], chosen)
    return [tasks[i] for i in order]


def numbers(names, chosen):
    """Return [2, 7] of 'mnist,7': the places in names of what is chosen. Raise UserError."""
    there = ', '.join('%d %s' % item for item in enumerate(names))
    out = []
    for name in chosen.split(','):
        name = name.strip()
        if name in names:
            out.append(names.index(name))
        elif name.isdecimal() and name.isascii() and len(name) < 9 and int(name) < len(names):
            out.append(int(name))
        else:
            raise UserError('--tasks: no task %s; there are: %s' % (reprlib.repr(name), there))
        demand(out.count(out[-1]) == 1, '--tasks: %s is named twice', names[out[-1]])
    return out


def build(tasks, size, seed, pc_valid, data_dir=None, loaded=None):
    """Return (data, taskcla, size) of a list of tasks, in the layout that run.py expects.

    size: [C,H,W] that images are padded or repeated to; None: that of the first task's. pc_valid: share of
    the training sets that becomes the validation sets; 0: both are the same data. loaded: {name: arrays} of
    raw data sets that have been read; of the others, only those of these tasks are.
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
        key = (name, task.classes) if task.train is None is task.test else t
        if key not in parts:  # tasks of the same images share what says which they are
            parts[key] = select(name, arrays, task, seed, pc_valid)
        classes = tuple(range(row.ncla) if task.classes is None else task.classes)
        source = {'name': name, 'sha256': digests[name]}
        data[t] = {'name': task.name, 'ncla': len(classes), 'classes': classes, 'source': source}
        if row.class_names:
            data[t]['class_names'] = [row.class_names[c] for c in classes]
        pixels = Pixels(task.mean or row.mean, task.std or row.std, tuple(size), task.permutation, task.angle,
                        row.cut)
        for s, (x, chosen, y) in parts[key].items():
            data[t][s] = Split(arrays[x], chosen, y, pixels)
        data[t].setdefault('valid', data[t]['train'])
    for _, arrays, _ in sets.values():
        if 'note' in arrays:
            remark(data, arrays['note'])
    taskcla = [(t, data[t]['ncla']) for t in range(len(tasks))]
    data['ncla'] = sum(ncla for _, ncla in taskcla)
    data['sha256'] = digests
    data['normalisation'] = {name: {'mean': row.mean, 'std': row.std} for name, (_, _, row) in sets.items()}
    return data, taskcla, size


def check(task, shape, row, size):
    """Raise UserError unless a task of a size [C,H,W] can be made of a raw data set's images of a shape."""
    own, why, name, order = raw.size(shape), misfit(shape, size), task.name, task.permutation
    demand(why is None, 'its images are of size %s, task %s declares %s: %s', own, name, size, why)
    (channels, height, width), there = own, row.ncla
    demand(order is None or np.array_equal(np.sort(order), np.arange(height * width)),
           'the permutation of task %s is not one of the numbers 0 to %d', name, height * width - 1)
    for what in ('mean', 'std'):
        n = len(getattr(task, what) or getattr(row, what))
        fits = n in (1, channels)
        demand(fits, 'task %s has %d numbers as %s, its images %d channels', name, n, what, channels)
    classes = list(range(there) if task.classes is None else task.classes)
    demand(len(set(classes)) == len(classes), 'task %s names a class twice: %s', name, classes)
    known = set(classes) <= set(range(there))
    demand(known, 'task %s has the classes %s, the data set 0 to %d', name, classes, there - 1)


def select(name, arrays, task, seed, pc_valid):
    """Return {split: (the images' name, indices among them or None for all, labels [N] from 0)} of a task."""
    out = {}
    for s in ('train', 'test'):
        labels, chosen = arrays['y_' + s], None
        if task.classes is not None:
            new = np.full(max(labels.max(), *task.classes) + 1, -1)  # of each class, its number in the task
            new[list(task.classes)] = np.arange(len(task.classes))
            rows = getattr(task, s)
            chosen = np.flatnonzero(new[labels] >= 0) if rows is None else rows
            labels = new[labels[chosen]]
        demand(len(labels), '%s: no %s images of the classes of %s', name, s, task.name)
        if s == 'train' and pc_valid > 0:
            places = np.arange(len(labels)) if chosen is None else chosen
            total = len(labels)
            n, r = int(pc_valid * total), shuffle(np.arange(total), seed)
            demand(n, '--pc-valid %g leaves no validation image of the %d of %s', pc_valid, total, task.name)
            out['valid'] = 'x_train', places[r[:n]], labels[r[:n]]
            chosen, labels = places[r[n:]], labels[r[n:]]
        out[s] = 'x_' + s, chosen, labels
    return out
