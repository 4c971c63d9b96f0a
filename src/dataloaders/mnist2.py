"""Split MNIST: digits 0-4, then digits 5-9."""
from dataloaders import split

network = 'mlp'
NTASKS = 2


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None):
    """Return (data, taskcla, size), as split:mnist:2, but validated on the training set."""
    return split.get(seed, fixed_order, pc_valid, tasks, data_dir, 'mnist', NTASKS)
