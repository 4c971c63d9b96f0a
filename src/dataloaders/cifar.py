"""Incremental CIFAR: CIFAR-10 in five tasks of 2 classes and CIFAR-100 in five of 20."""
from dataloaders import common

network = 'alexnet'
TASKS = [common.Task('cifar10-%d' % i, 'cifar10', range(2 * i, 2 * i + 2)) for i in range(5)]
TASKS += [common.Task('cifar100-%d' % i, 'cifar100', range(20 * i, 20 * i + 20)) for i in range(5)]


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None):
    """Return (data, taskcla, size); the seed gives the order of the tasks and the validation share."""
    order = common.order(len(TASKS), seed, fixed_order)
    return common.build(common.choose(TASKS, order, tasks), [3, 32, 32], seed, pc_valid, data_dir)
