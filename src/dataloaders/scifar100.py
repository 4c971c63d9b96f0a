"""Split CIFAR-100: ten tasks of ten classes."""
from dataloaders import split

network = 'alexnet'
NTASKS = 10


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, class_order='fixed'):
    """Return (data, taskcla, size), as split:cifar100:10."""
    return split.get(seed, fixed_order, pc_valid, tasks, data_dir, 'cifar100', NTASKS, class_order)
