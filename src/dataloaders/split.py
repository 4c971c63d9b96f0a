"""The classes of one data set in tasks of as equal numbers as can be: --experiment split:<name>:<ntasks>."""
import numpy as np

from dataloaders import common, raw
from utils import UserError

form = ('name', 'ntasks')
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None, class_order='fixed'):
    """(data, taskcla, size); the seed gives the validation share and, if class_order is 'seed', the order
    of the classes."""
    arrays = raw.load(name, data_dir)
    ncla = raw.describe(name, arrays).ncla
    if not 1 <= ntasks <= ncla // 2:
        raise UserError('split:%s:%d: %s has %d classes, of which every task needs two: give 1 to %d tasks' % (
            name, ntasks, name, ncla, ncla // 2))
    classes, shuffled = np.arange(ncla), class_order == 'seed'
    parts = [tuple(c.tolist()) for c in np.array_split(common.shuffle(classes, seed) if shuffled else classes, ntasks)]
    everything = [common.Task('-'.join(map(str, [name, *(c if shuffled else (c[0], c[-1]))])), name, c) for c in parts]
    data, taskcla, size = common.build(common.choose(everything, range(ntasks), tasks), common.size(arrays), seed, pc_valid,
                                       data_dir, {name: arrays})
    if ncla % ntasks:
        data['note'] = '%d classes in %d tasks of %s' % (ncla, ntasks, ', '.join(str(len(c)) for c in parts))
    return data, taskcla, size
