"""Permuted MNIST: ten tasks, each all of MNIST under one permutation of its pixels."""
import numpy as np

from dataloaders import common

network = 'mlp'
NTASKS = 10


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None):
    """(data, taskcla, size); the permutations depend on the seed and the position alone."""
    ids = np.arange(NTASKS) if fixed_order else common.shuffle(np.arange(NTASKS), seed)
    everything = [common.Task('pmnist-%d' % i, 'mnist', permutation=common.shuffle(np.arange(784), 100 * r + i))
                  for i, r in enumerate(ids)]
    return common.build(common.choose(everything, range(NTASKS), tasks), [1, 28, 28], seed, pc_valid, data_dir)
