"""Tasks of a split without clear bounds: --experiment blurry:<name>:<ntasks>:<percent>. As in the blurry streams
of Bang et al. (CVPR 2021), that share of every task's training images is of the classes of other tasks.

Every task gives that share of its images to the others, as many to each. Images keep their classes, and a task
has all classes of which it has images: that many logits where the task is told, and under --scenario class each
class has one, in the task where it came first. --samples leaves the shares as they are. Test images go nowhere: they are of the task that has their
class in the split, and none else. Validation images are a share of a task's own and received ones.
"""
import numpy as np

from dataloaders import common, dealing, raw, split
from dataloaders.read import demand

form = ('name', 'ntasks', 'percent')
examples = 'blurry:mnist:5:10',
network = common.network


def get(seed=0, fixed_order=False, pc_valid=0.10, tasks=None, data_dir=None, name=None, ntasks=None, percent=None,
        class_order='fixed', image_size=None):
    """Return (data, taskcla, size); class_order: as split has it."""
    arrays, what = raw.load(name, data_dir, image_size), 'blurry:%s:%d:%d: ' % (name, ntasks, percent)
    demand(ntasks > 1, '%sgive 2 tasks or more, which exchange images', what)
    demand(percent <= 100, '%sgive 1 to 100 per cent of the images', what)
    ncla = raw.describe(name, arrays).ncla
    own = split.divided(common.order(ncla, seed, class_order != 'seed'), ntasks, what + name)
    train, test = ([np.flatnonzero(np.isin(arrays['y_' + s], c)) for c in own] for s in ('train', 'test'))
    train = dealing.exchanged(train, percent, seed)
    classes = [sorted({*c, *arrays['y_train'][rows].tolist()}) for c, rows in zip(own, train)]
    names = ['blurry-%s-%d' % (name, t) for t in range(ntasks)]
    data, taskcla, size = dealing.build(name, arrays, names, classes, train, test, seed, pc_valid, data_dir, tasks)
    for t, _ in taskcla:
        data[t]['even'] = False
    return data, taskcla, size
