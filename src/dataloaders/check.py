"""Whether what a dataloader's get() returned is what everything else relies on."""
import torch

from dataloaders.images import Split
from utils import UserError


def check(data, taskcla, size, origin):
    """Raises UserError, with task and split and what is expected, unless the data are in the layout of the
    original: data[t] = {'name', 'ncla', 'train', 'valid', 'test'}, each split {'x': float32 [N,C,H,W],
    'y': int64 [N]} with labels 0 to ncla-1."""
    def demand(ok, what):
        if not ok:
            raise UserError('%s: %s' % (origin, what))
    demand(isinstance(size, (list, tuple, torch.Size)) and len(size) == 3 and all(isinstance(n, int) and n > 0 for n in size),
           'size is %r, expected [channels, height, width]' % (size,))
    demand(isinstance(taskcla, (list, tuple)) and len(taskcla) > 0 and all(
        isinstance(row, (list, tuple)) and len(row) == 2 and row[0] == t for t, row in enumerate(taskcla)),
        'taskcla is %r, expected [(0, classes), (1, classes), ...]' % (taskcla,))
    seen = set()
    for t, ncla in taskcla:
        demand(hasattr(data, '__getitem__') and t in data, 'there is no data[%d], expected one for each of taskcla' % t)
        task = data[t]
        missing = [k for k in ('name', 'ncla', 'train', 'valid', 'test') if k not in task]
        demand(not missing, 'data[%d] lacks %s' % (t, ', '.join(missing)))
        demand(isinstance(task['name'], str) and task['ncla'] == ncla, 'data[%d] has the name %r and ncla %r, expected a text and %r' % (
            t, task['name'], task['ncla'], ncla))
        for s in ('train', 'valid', 'test'):
            if id(task[s]) not in seen:
                split(task[s], ncla, list(size), '%s: data[%d][%r] (%s)' % (origin, t, s, task['name']))
                seen.add(id(task[s]))


def apart(data, taskcla):
    """Raises UserError if two tasks have a class of one raw data set with the same pixels, so that nothing
    can tell which task an image is of. Of tasks that common.build did not make, or whose images have been
    replaced, nothing is known."""
    owner = {}
    for t, _ in taskcla:
        task, found = data[t], data[t]['train']
        if 'source' not in task or not isinstance(found, Split) or found.replaced:
            continue
        source, sight = task['source'], found.pixels.sight
        mine = [(source['sha256'], sight, c) for c in source['classes']]
        first = next((owner[key] for key in mine if key in owner), None)
        if first is not None:
            both = [c for c, key in zip(source['classes'], mine) if owner.get(key) == first]
            raise UserError('--scenario class: the tasks %s and %s share the class%s %s of %s, with the same pixels, which would '
                            'count as different classes: give every class to one task, or use --scenario task or domain' % (
                                data[first]['name'], task['name'], 'es' * (len(both) > 1), named(both, task), source['name']))
        owner.update(dict.fromkeys(mine, t))


def named(classes, task):
    """Some classes of a raw data set, of which a task has names, in words."""
    names = dict(zip(task['source']['classes'], task.get('class_names', ())))
    words = [str(names.get(c, c)) for c in classes[:10]]
    return ', '.join(words) + (' and %d more' % (len(classes) - 10) if len(classes) > 10 else '')


def split(found, ncla, size, what):
    """Raises UserError unless a split has fitting x and y. Of one that common.build made, only the labels
    are looked at: its images have been checked as bytes, and are made into floats when they are needed."""
    def demand(ok, problem, *values):
        if not ok:
            raise UserError(what + problem % values)
    demand(all(k in found for k in 'xy'), ' lacks x or y')
    y = found['y']
    demand(isinstance(y, torch.Tensor) and y.dtype == torch.int64 and y.dim() == 1 and len(y) > 0,
           ': y is %s, expected an int64 tensor [N] of labels', kind(y))
    demand(0 <= y.min() and y.max() < ncla, ': labels run from %d to %d, expected 0 to %d', y.min(), y.max(), ncla - 1)
    if isinstance(found, Split):
        made = list(found.pixels.size)
        demand(made == size, ': its images are made of size %s, expected %s, as size says', made, size)
        return
    x = found['x']
    demand(isinstance(x, torch.Tensor) and x.dtype == torch.float32, ': x is %s, expected a float32 tensor', kind(x))
    demand(list(x.shape) == [len(y), *size], ': x has shape %s, expected %s, as size and y say', list(x.shape), [len(y), *size])
    demand(torch.isfinite(x).all(), ': x has values that are not finite')


def kind(value):
    """A value's type in words."""
    return '%s %s' % (str(value.dtype).replace('torch.', ''), list(value.shape)) if isinstance(value, torch.Tensor) else type(
        value).__name__
