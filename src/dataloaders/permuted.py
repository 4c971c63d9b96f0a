"""One data set again and again, its pixels permuted each time: --experiment permuted:<name>:<ntasks>."""
import numpy as np

from dataloaders import common, raw

form = ('name', 'ntasks')
examples = 'permuted:mnist:10',
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None, name=None, ntasks=None,
        title=None, image_size=None):
    """Return (data, taskcla, size); the permutations depend on the seed and the position alone."""
    arrays, everything = raw.load(name, data_dir, image_size), []
    pixels = np.arange(np.prod(arrays['x_train'].shape[1:3]))
    for i, r in enumerate(common.order(ntasks, seed, fixed_order)):
        permutation = common.shuffle(pixels, max(100, ntasks) * int(r) + i)
        called = '%s-%d' % (title or 'permuted-' + name, i)
        everything.append(common.Task(called, name, permutation=permutation))
    chosen = common.choose(everything, range(ntasks), tasks)
    return common.build(chosen, None, seed, pc_valid, data_dir, {name: arrays})
