"""Rotated MNIST: ten tasks, each all of MNIST rotated by an angle that the seed draws."""
from dataloaders import rotated

network = 'mlp'
NTASKS = 10


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, angles='drawn'):
    """Return (data, taskcla, size), as rotated:mnist:10."""
    return rotated.get(seed, fixed_order, pc_valid, tasks, data_dir, 'mnist', NTASKS, angles)
