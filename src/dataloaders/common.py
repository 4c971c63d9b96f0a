"""Experiments from raw data sets: selecting classes, permuting, normalising, splitting and ordering."""
import reprlib
import weakref
from collections import UserDict
from dataclasses import dataclass

import numpy as np
import torch

from dataloaders import raw
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
    raw: str
    classes: range = None            # None: all
    permutation: np.ndarray = None   # of the pixels [H*W]
    mean: tuple = None               # instead of the raw data set's
    std: tuple = None

    @property
    def ncla(self):
        """Number of classes."""
        return len(self.classes or range(raw.TABLE[self.raw].ncla))


class Split(UserDict):
    """{'x': float32 [N,C,H,W], 'y': int64 [N]} whose x is made from uint8 when asked for, and made only once as long
    as anybody holds it: ten permutations of MNIST exist as floats one at a time."""

    def __init__(self, make, y):
        super().__init__(x=make, y=y)
        self._x = lambda: None

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if not callable(value):
            return value
        x = self._x()
        if x is None:
            x = value()
            self._x = weakref.ref(x)
        return x


def floats(images, permutation, mean, std, size):
    """Normalised float32 [N,C,H,W] of uint8 images [N,h,w] or [N,h,w,3]; smaller images are padded with black, grey
    ones repeated over the channels (as a view)."""
    x = torch.from_numpy(images)
    x = x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2)
    if permutation is not None:
        x = x.flatten(2)[:, :, torch.from_numpy(permutation)].view(x.shape)
    pad = (size[1] - x.shape[2]) // 2
    if pad:
        x = torch.nn.functional.pad(x, (pad,) * 4)
    x = x.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (mean, std))
    return x.sub_(mean).div_(std).expand(-1, size[0], -1, -1)


def choose(tasks, order, chosen=None):
    """The tasks in the given order of indices or, if chosen ('mnist,2'), those named or numbered, in that order."""
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


def build(tasks, size, seed, pc_valid, data_dir=None):
    """(data, taskcla, size) of a list of tasks, in the layout that run.py expects.

    pc_valid: share of each training set that becomes the validation set; 0: both are the same data. Only the raw
    data sets of these tasks are read.
    """
    raws, data = {}, {}
    for t, task in enumerate(tasks):
        if task.raw not in raws:
            raws[task.raw] = raw.load(task.raw, data_dir)
        data[t] = {'name': task.name, 'ncla': task.ncla}
        for s in ('train', 'test'):
            images, labels = raws[task.raw]['x_' + s], raws[task.raw]['y_' + s]
            if task.classes is not None:
                mine = np.flatnonzero((labels >= task.classes.start) & (labels < task.classes.stop))
                images, labels = images[mine], labels[mine] - task.classes.start
            if not len(labels):
                raise UserError('%s: no %s images of the classes of %s' % (task.raw, s, task.name))
            if s == 'train' and pc_valid > 0:
                r = shuffle(np.arange(len(labels)), seed)
                nvalid = int(pc_valid * len(labels))
                if nvalid == 0:
                    raise UserError('--pc-valid %g leaves no validation image of the %d of %s' % (
                        pc_valid, len(labels), task.name))
                data[t]['valid'] = split(images[r[:nvalid]], labels[r[:nvalid]], task, size)
                images, labels = images[r[nvalid:]], labels[r[nvalid:]]
            data[t][s] = split(images, labels, task, size)
        data[t].setdefault('valid', data[t]['train'])
    data['ncla'] = sum(task.ncla for task in tasks)
    data['sha256'] = {name: raw.sha256(arrays) for name, arrays in raws.items()}
    return data, [(t, task.ncla) for t, task in enumerate(tasks)], list(size)


def split(images, labels, task, size):
    """A task's Split of uint8 images and labels."""
    row = raw.TABLE[task.raw]
    mean, std = task.mean or row.mean, task.std or row.std
    return Split(lambda: floats(images, task.permutation, mean, std, size), torch.from_numpy(labels))
