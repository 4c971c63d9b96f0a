"""The mixture of eight image classification data sets (Serrà et al., 2018, Section 4.1), one task each."""
from dataloaders import common

network = 'alexnet'
PADDED = {'mnist': dict(mean=(0.1,), std=(0.2752,))}  # of the padded images
TASKS = [common.Task(name, name, **PADDED.get(name, {})) for name in (
    'cifar10', 'cifar100', 'mnist', 'svhn', 'fashion-mnist', 'traffic-signs', 'facescrub', 'notmnist')]


def get(seed=0, fixed_order=False, pc_valid=0.15, tasks=None, data_dir=None):
    """Return (data, taskcla, size); the seed gives the order of the tasks and the validation share."""
    order = common.order(len(TASKS), seed, fixed_order)
    return common.build(common.choose(TASKS, order, tasks), [3, 32, 32], seed, pc_valid, data_dir)
