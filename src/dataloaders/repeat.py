"""Classes that come again (class-incremental with repetition): every task has some classes drawn by the seed,
each class is in one task at least where there are places for all: --experiment repeat:<name>:<ntasks>:<each>.

A class's images, training and test, are dealt out to the tasks that have it, so that none is in two tasks.
"""
import numpy as np

from dataloaders import common, dealing, raw
from dataloaders.read import demand

form = ('name', 'ntasks', 'each')
examples = 'repeat:mnist:8:4',
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None, each=None,
        image_size=None):
    """Return (data, taskcla, size); each: the number of classes of each task. Of a fixed order, tasks have the
    next classes in turn."""
    arrays = raw.load(name, data_dir, image_size)
    ncla = raw.describe(name, arrays).ncla
    demand(each <= ncla, 'repeat:%s:%d:%d: %s has %d classes: give 1 to %d of each task', name, ntasks, each,
           name, ncla, ncla)
    classes = in_turn(ncla, ntasks, each) if fixed_order else drawn(ncla, ntasks, each, seed)
    data, taskcla, size = dealing.drawn(name, classes, 'repeat', arrays, seed, pc_valid, data_dir, tasks)
    absent = ncla - len(set().union(*classes))
    if absent:
        common.remark(data, '%d of the %d classes of %s are in no task' % (absent, ncla, name))
    return data, taskcla, size


def in_turn(ncla, ntasks, each):
    """Return the classes of each task, the next ones in turn."""
    return [sorted((t * each + i) % ncla for i in range(each)) for t in range(ntasks)]


def drawn(ncla, ntasks, each, seed):
    """Return the classes of each task, drawn by a seed: first a task for every class, as far as there are
    places, then the other places, among the classes that a task has not."""
    random = np.random.RandomState(seed)
    places = random.permutation(np.repeat(np.arange(ntasks), each))
    classes = [set() for _ in range(ntasks)]
    for c, t in zip(random.permutation(ncla), places):
        classes[t].add(int(c))
    for mine in classes:
        others = sorted(set(range(ncla)) - mine)
        mine.update(random.permutation(others)[:each - len(mine)].tolist())
    return [sorted(mine) for mine in classes]
