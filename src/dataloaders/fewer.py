"""Fewer samples per task than there are, of every class as many as can be: --samples and --valid-samples. Of a
task with even = False, whose classes are to be as frequent as they are, any."""
import zlib

import numpy as np

from dataloaders import common
from dataloaders.images import some
from dataloaders.read import demand


def limit(data, taskcla, seed, samples=None, valid=None):
    """Leave of each task so many training and validation samples, None: all. What is drawn depends on the
    seed and the task's name. A remark is added where a task has not so many. Raise UserError."""
    for t, _ in taskcla:
        task, key = data[t], [seed, zlib.crc32(data[t]['name'].encode())]
        if valid:
            hold_out(task, valid, key)
        if samples:
            keep(task, samples, key)
    for option, s, wanted in (('--samples', 'train', samples), ('--valid-samples', 'valid', valid)):
        counts = [len(data[t][s]['y']) for t, _ in taskcla]
        if wanted and min(counts) < wanted:
            there = ', '.join(map(str, counts))
            common.remark(data, '%s %d: of a task with fewer, all there are: %s' % (option, wanted, there))


def same(task):
    """Return whether a task's validation samples are its training samples."""
    return task['train'] is task['valid'] or task['train']['y'] is task['valid']['y']


def hold_out(task, n, key):
    """Make n samples the validation samples, of those or, where they are the same, of the training samples,
    which they then leave."""
    train, shared = task['train'], same(task)
    chosen = places(task, 'valid', n, key)
    task['valid'] = some(task['valid'], chosen)
    if shared:
        rest = np.setdiff1d(np.arange(len(train['y'])), chosen)
        demand(len(rest), '--valid-samples %d leaves no training sample of %s', n, task['name'])
        task['train'] = some(train, rest)


def keep(task, n, key):
    """Leave n training samples, which stay the validation samples where they are."""
    shared = same(task)
    task['train'] = some(task['train'], places(task, 'train', n, key))
    if shared:
        task['valid'] = task['train']


def places(task, s, n, key):
    """Return the places, in order, of n samples of a task's split s, or of all, drawn by a seed."""
    y = task[s]['y'].numpy()
    return even(y, n, key) if task.get('even', True) else np.sort(common.shuffle(np.arange(len(y)), key)[:n])


def even(y, n, key):
    """Return the places, in order, of n of the labels y [N], or of all: drawn by a seed, of every class as
    many as can be."""
    drawn = common.shuffle(np.arange(len(y)), key)
    by_class = drawn[np.argsort(y[drawn], kind='stable')]
    first = np.searchsorted(y[by_class], y[by_class])  # where the class of each begins
    rank = np.empty(len(y), np.int64)                  # of each label, how many of its class are drawn before
    rank[by_class] = np.arange(len(y)) - first
    return np.sort(drawn[np.argsort(rank[drawn], kind='stable')][:n])
