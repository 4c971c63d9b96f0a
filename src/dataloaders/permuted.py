"""One data set again and again, each time with its pixels permuted otherwise: --experiment permuted:<name>:<ntasks>."""
import numpy as np

from dataloaders import common, raw

form = ('name', 'ntasks')
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None, name=None, ntasks=None, title=None):
    """(data, taskcla, size); the permutations depend on the seed and the position alone. permuted:mnist:10
    is pmnist."""
    arrays = raw.load(name, data_dir)
    pixels, ids = int(np.prod(arrays['x_train'].shape[1:3])), np.arange(ntasks)
    ids = ids if fixed_order else common.shuffle(ids, seed)
    title = title or 'permuted-' + name
    everything = [common.Task('%s-%d' % (title, i), name, permutation=common.shuffle(np.arange(pixels), max(100, ntasks) * int(r) + i))
                  for i, r in enumerate(ids)]
    return common.build(common.choose(everything, range(ntasks), tasks), common.size(arrays), seed, pc_valid, data_dir,
                        {name: arrays})
