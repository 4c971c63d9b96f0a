"""The mixture of eight image classification data sets (Serrà et al., 2018, Section 4.1), one task each."""
import numpy as np

from dataloaders import common

network = 'alexnet'
# MNIST's mean and std are those of the padded images.
TASKS = [common.Task(name, name) if name != 'mnist' else common.Task(name, name, mean=(0.1,), std=(0.2752,))
         for name in ('cifar10', 'cifar100', 'mnist', 'svhn', 'fashion-mnist', 'traffic-signs', 'facescrub', 'notmnist')]


def get(seed=0, fixed_order=False, pc_valid=0.15, tasks=None, data_dir=None):
    """(data, taskcla, size); the seed gives the order of the tasks and the validation share."""
    order = np.arange(len(TASKS)) if fixed_order else common.shuffle(np.arange(len(TASKS)), seed)
    return common.build(common.choose(TASKS, order, tasks), [3, 32, 32], seed, pc_valid, data_dir)
