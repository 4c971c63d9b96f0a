"""Permuted MNIST: ten tasks, each all of MNIST under one permutation of its pixels."""
from dataloaders import permuted

network = 'mlp'
NTASKS = 10


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None):
    """Return (data, taskcla, size), as permuted:mnist:10."""
    return permuted.get(seed, fixed_order, pc_valid, tasks, data_dir, 'mnist', NTASKS, 'pmnist')
