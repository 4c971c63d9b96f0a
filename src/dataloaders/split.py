"""The classes of one data set in tasks of as equal numbers as can be: --experiment split:<name>:<ntasks>."""
import numpy as np

from dataloaders import common, raw
from dataloaders.read import demand

form = ('name', 'ntasks')
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None,
        class_order='fixed'):
    """Return (data, taskcla, size); class_order: 'fixed', or 'seed' to draw it by the seed."""
    arrays = raw.load(name, data_dir)
    ncla, fixed = raw.describe(name, arrays).ncla, class_order != 'seed'
    demand(1 <= ntasks <= ncla // 2, 'split:%s:%d: %s has %d classes, of which every task needs two: give '
           '1 to %d tasks', name, ntasks, name, ncla, ncla // 2)
    parts = [tuple(c.tolist()) for c in np.array_split(common.order(ncla, seed, fixed), ntasks)]
    everything = []
    for c in parts:
        label = '-'.join(map(str, [name, *((c[0], c[-1]) if fixed else c)]))
        everything.append(common.Task(label, name, c))
    chosen = common.choose(everything, range(ntasks), tasks)
    data, taskcla, size = common.build(chosen, None, seed, pc_valid, data_dir, {name: arrays})
    if ncla % ntasks:
        data['note'] = '%d classes in %d tasks of %s' % (ncla, ntasks, ', '.join(str(len(c)) for c in parts))
    return data, taskcla, size
