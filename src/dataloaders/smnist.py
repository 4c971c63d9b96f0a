"""Split MNIST: the ten digits in five tasks of two."""
from dataloaders import split

network = 'mlp'
NTASKS = 5


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, class_order='fixed'):
    """Return (data, taskcla, size), as split:mnist:5."""
    return split.get(seed, fixed_order, pc_valid, tasks, data_dir, 'mnist', NTASKS, class_order)
