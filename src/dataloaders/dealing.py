"""Which task an image goes to where tasks have classes in common. No image is of two tasks."""
import numpy as np

from dataloaders import common


def dealt(y, classes, seed):
    """Return of each task the places of its images among the labels y [N], a list of arrays: those of a class
    are dealt out to the tasks that have it, as equally as can be, drawn by the seed. classes: of each task."""
    hands = [[np.zeros(0, np.int64)] for _ in classes]
    for c in sorted(set().union(*classes)):
        having = [t for t, mine in enumerate(classes) if c in mine]
        images = common.shuffle(np.flatnonzero(y == c), [seed, c])
        for k, t in enumerate(common.shuffle(np.array(having), [seed, c])):
            hands[t].append(images[k::len(having)])
    return [np.sort(np.concatenate(hand)) for hand in hands]


def exchanged(rows, percent, seed):
    """Return the images of each task, a list of arrays of rows, once every task has given some per cent of
    those that it had to the others, as many to each as can be, drawn by the seed."""
    hands, n = [], len(rows)
    gifts = [[] for _ in rows]
    for t, mine in enumerate(rows):
        drawn = common.shuffle(mine, [seed, t])
        given = int(len(mine) * percent / 100)
        hands.append(drawn[given:])
        for k in range(1, n):
            gifts[(t + k) % n].append(drawn[:given][k - 1::n - 1])
    return [np.sort(np.concatenate([hand, *more])) for hand, more in zip(hands, gifts)]


def build(name, arrays, names, classes, train, test, seed, pc_valid, data_dir=None, tasks=None):
    """Return (data, taskcla, size) of tasks of one raw data set by their names, classes, rows of training and
    of test images; tasks: those that are chosen."""
    parts = zip(names, classes, train, test)
    everything = [common.Task(label, name, tuple(c), train=some, test=others) for label, c, some, others in parts]
    chosen = common.choose(everything, range(len(names)), tasks)
    return common.build(chosen, None, seed, pc_valid, data_dir, {name: arrays})


def drawn(name, classes, kind, arrays, seed, pc_valid, data_dir=None, tasks=None):
    """Return (data, taskcla, size) of tasks of some classes each, whose images are dealt out."""
    hands = [dealt(arrays['y_' + s], classes, seed) for s in ('train', 'test')]
    names = ['%s-%s-%d' % (kind, name, t) for t in range(len(classes))]
    return build(name, arrays, names, classes, *hands, seed, pc_valid, data_dir, tasks)
