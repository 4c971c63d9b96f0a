"""Whether what a dataloader's get() returned is what everything else relies on."""
import reprlib

import numpy as np
import torch

from dataloaders.images import Split
from dataloaders.read import about, demand


def check(data, taskcla, size, origin):
    """Raise UserError, with task and split and what is expected, unless the data are in the layout of the
    original: data[t] = {'name', 'ncla', 'train', 'valid', 'test'}, each split {'x': float32 [N,C,H,W],
    'y': int64 [N]} with labels 0 to ncla-1."""
    with about(origin):
        three = isinstance(size, (list, tuple, torch.Size)) and len(size) == 3
        three = three and all(isinstance(n, int) and n > 0 for n in size)
        demand(three, 'size is %r, expected [channels, height, width]', size)
        pairs = isinstance(taskcla, (list, tuple)) and len(taskcla) > 0
        pairs = pairs and all(isinstance(row, (list, tuple)) and len(row) == 2 for row in taskcla)
        demand(pairs and all(row[0] == t for t, row in enumerate(taskcla)),
               'taskcla is %r, expected [(0, classes), (1, classes), ...]', taskcla)
        for t, ncla in taskcla:
            there = hasattr(data, '__getitem__') and t in data
            demand(there, 'there is no data[%d], expected one for each of taskcla', t)
            task = data[t]
            missing = [k for k in ('name', 'ncla', 'train', 'valid', 'test') if k not in task]
            demand(not missing, 'data[%d] lacks %s', t, ', '.join(missing))
            name, n = task['name'], task['ncla']
            demand(isinstance(name, str) and n == ncla,
                   'data[%d] has the name %r and ncla %r, expected a text and %r', t, name, n, ncla)
            numbers = task.get('classes')
            known = numbers is None or isinstance(numbers, (list, tuple, range)) and len(set(numbers)) == ncla
            demand(known and (numbers is None or len(numbers) == ncla),
                   'data[%d] has the classes %s, expected %d different numbers', t, reprlib.repr(numbers), ncla)
            for s in ('train', 'valid', 'test'):
                with about('data[%d][%r] (%s)' % (t, s, name)):
                    split(task[s], ncla, list(size))


def split(found, ncla, size):
    """Raise UserError unless a split has fitting x and y. Of one that common.build made, only the labels are
    looked at: its images have been checked as bytes, and are made into floats when they are needed."""
    demand(all(k in found for k in 'xy'), 'it lacks x or y')
    y = found['y']
    labels = isinstance(y, torch.Tensor) and y.dtype == torch.int64 and y.dim() == 1 and len(y) > 0
    demand(labels, 'y is %s, expected an int64 tensor [N] of labels', kind(y))
    least, most = y.min(), y.max()
    demand(0 <= least and most < ncla, 'labels run from %d to %d, expected 0 to %d', least, most, ncla - 1)
    if isinstance(found, Split):
        made = list(found.pixels.size)
        demand(made == size, 'its images are made of size %s, expected %s, as size says', made, size)
        return
    x, shape = found['x'], [len(y), *size]
    demand(getattr(x, 'dtype', None) == torch.float32, 'x is %s, expected a float32 tensor', kind(x))
    demand(list(x.shape) == shape, 'x has shape %s, expected %s, as size and y say', list(x.shape), shape)
    demand(torch.isfinite(x).all(), 'x has values that are not finite')


def kind(value):
    """Return a value's type in words."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    return '%s %s' % (str(value.dtype).replace('torch.', ''), list(value.shape))


def classes(data, taskcla):
    """Return of each task what tells its classes apart, a list of keys in the order of its labels: classes of
    two tasks with the same key are the same class. They are if both have the same number in `classes`, and of
    tasks that common.build made also the same pixels of the same raw data set. Of a task without `classes`, and
    of one whose images have been replaced, all are its own."""
    out = []
    for t, ncla in taskcla:
        task, found = data[t], data[t]['train']
        numbers, where = task.get('classes'), None
        if isinstance(found, Split):
            where = task.get('source', {}).get('sha256'), sight(found.pixels)
            numbers = None if found.replaced else numbers
        keys = [(t, label) for label in range(ncla)]
        out.append(keys if numbers is None else [(where, number) for number in numbers])
    return out


def sight(pixels):
    """Return what, but for the size, Pixels make of images: those of the same sight make the same."""
    order = pixels.permutation
    plain = order is None or np.array_equal(order, np.arange(len(order)))
    order = b'' if plain else np.asarray(order, np.int64).tobytes()
    return tuple(pixels.mean), tuple(pixels.std), order, (pixels.angle or 0.) % 360
