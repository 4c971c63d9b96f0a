"""Split CIFAR-10: five tasks of two classes."""
from dataloaders import split

network = 'alexnet'
NTASKS = 5


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, class_order='fixed'):
    """Return (data, taskcla, size), as split:cifar10:5."""
    return split.get(seed, fixed_order, pc_valid, tasks, data_dir, 'cifar10', NTASKS, class_order)
