"""Split MNIST: digits 0-4, then digits 5-9."""
from dataloaders import common

network = 'mlp'
TASKS = [common.Task('mnist-0-4', 'mnist', range(0, 5)), common.Task('mnist-5-9', 'mnist', range(5, 10))]


def get(seed=0, fixed_order=False, pc_valid=0., tasks=None, data_dir=None):
    """(data, taskcla, size); the order is always the same."""
    return common.build(common.choose(TASKS, range(2), tasks), [1, 28, 28], seed, pc_valid, data_dir)
