"""The classes of one data set in tasks of as equal numbers as can be, or in a first one of some classes and
further ones of others: --experiment split:<name>:<ntasks>, split:<name>:<first>+<step>."""
import numpy as np

from dataloaders import common, raw
from dataloaders.read import demand

form = ('name', 'ntasks')
examples = 'split:mnist:5', 'split:cifar100:50+10'
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None,
        class_order='fixed', image_size=None):
    """Return (data, taskcla, size); ntasks: a number, or '50+10'; class_order: 'fixed', or 'seed' to draw it
    by the seed; image_size: side of the images of a folder."""
    arrays = raw.load(name, data_dir, image_size)
    ncla, fixed = raw.describe(name, arrays).ncla, class_order != 'seed'
    parts = divided(common.order(ncla, seed, fixed), ntasks, 'split:%s:%s: %s' % (name, ntasks, name))
    everything = []
    for c in parts:
        label = '-'.join(map(str, [name, *((c[0], c[-1]) if fixed else c)]))
        everything.append(common.Task(label, name, c))
    chosen = common.choose(everything, range(len(parts)), tasks)
    data, taskcla, size = common.build(chosen, None, seed, pc_valid, data_dir, {name: arrays})
    sizes = [len(c) for c in parts]
    if len(set(sizes[isinstance(ntasks, str):])) > 1:
        common.remark(data, '%d classes in %d tasks of %s' % (ncla, len(parts), ', '.join(map(str, sizes))))
    return data, taskcla, size


def divided(classes, ntasks, what):
    """Return the classes of each task, a list of tuples, of all in an order; what: to begin a UserError."""
    n = len(classes)
    if isinstance(ntasks, int):
        demand(1 <= ntasks <= n, '%s has %d classes: give 1 to %d tasks', what, n, n)
        parts = np.array_split(classes, ntasks)
    else:
        first, step = map(int, ntasks.split('+'))
        demand(first <= n, '%s has %d classes: give a first task of 1 to %d', what, n, n)
        parts = np.split(classes, range(first, n, step))
    return [tuple(c.tolist()) for c in parts]
