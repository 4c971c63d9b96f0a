"""Every task has all classes, but other images of them: --experiment instances:<name>:<ntasks>.

Training and test images are dealt out, so that none is in two tasks.
"""
from dataloaders import common, dealing, raw

form = ('name', 'ntasks')
examples = 'instances:mnist:5',
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None,
        image_size=None):
    """Return (data, taskcla, size)."""
    arrays = raw.load(name, data_dir, image_size)
    classes = [range(raw.describe(name, arrays).ncla)] * ntasks
    return dealing.drawn(name, classes, 'instances', arrays, seed, pc_valid, data_dir, tasks)
