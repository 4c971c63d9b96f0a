"""The synthetic task sequences on which the figures of golden.json were measured.

`tasks('mlp')`  : 3 tasks of 10, 6 and 10 classes, inputs 1x28x28.
`tasks('hard')` : 2 noisy tasks of 4 classes, inputs 1x28x28; a network overfits them, so the patience runs out.
`tasks('conv')` : 3 tasks of 2, 5 and 10 classes, inputs 3x32x32.

Each returns (data, taskcla, size) in the layout of a dataloader's get():
data[t] = {'name', 'ncla', 'train'|'valid'|'test': {'x': float32 [N,C,H,W], 'y': int64 [N]}}.
Only numpy's legacy RandomState is used, whose stream is frozen, so every machine makes the same arrays.
"""
import io

import numpy as np
import torch

import utils
from learning import evaluation
from learning.batch import Batch
from runs import checkpoint

KINDS = {
    # kind: (seed, size, classes per task, train, valid, test samples per task, noise)
    'mlp': (11, (1, 28, 28), (10, 6, 10), 640, 128, 320, 2.0),
    'hard': (13, (1, 28, 28), (4, 4), 320, 128, 320, 6.0),
    'conv': (12, (3, 32, 32), (2, 5, 10), 320, 64, 160, 1.0),
}


def progress(done, ntasks):
    """What a run notes in a checkpoint besides the approach."""
    matrix = np.zeros((ntasks, ntasks), np.float32)
    return {'done': done, 'acc': matrix, 'lss': matrix, 'inferred': matrix, 'ahead': np.zeros((2, ntasks), np.float32),
            'valid': np.zeros((ntasks, ntasks)), 'seconds': [1.] * done, 'cut': False, 'elapsed': 2., 'devices': ['cpu'], 'listeners': {}}


def learn(appr, data, first, accs, note=None):
    """Learns the tasks from `first` on, appending what the tests say of each; joint gets all tasks so far. note(): called after each."""
    for t in range(first, sum(isinstance(k, int) for k in data)):
        sets = [[data[u][s] for u in (range(t + 1) if appr.cumulative else [t])] for s in ('train', 'valid')]
        task = [torch.cat([torch.full_like(d['y'], u) for u, d in enumerate(part)]) for part in sets] if appr.cumulative else t
        appr.train(task, *(torch.cat([d[k] for d in part]) for part in sets for k in 'xy'))
        tests = [data[u]['test'] for u in range(t + 1)]
        accs.append([(*appr.eval(u, d['x'], d['y']), getattr(appr.scenario, 'right', None)) for u, d in enumerate(tests)])
        if note:
            note()


def goes_on(make, data, points):
    """Asserts that an approach that make() gives goes on bit for bit from what it was at the end of an epoch or a task of
    data. points(n): which of the n states are tried. Returns it, and the one that went on from the last."""
    ntasks = sum(isinstance(k, int) for k in data)
    store, states, accs, appr = checkpoint.Checkpoint('o.txt', {}, every=1e9), [], [], make()

    def note():
        store.take(appr, progress(len(accs), ntasks))
        states.append(io.BytesIO())
        torch.save(store.pending, states[-1])
    appr.fitting.on_epoch = note
    learn(appr, data, 0, accs, note)
    weights, trained = utils.get_model(appr.model), [p.requires_grad for p in appr.model.parameters()]
    for k in points(len(states)):
        states[k].seek(0)
        other, again = make(), []
        np.random.rand(7), torch.rand(7)
        done = store.restore(torch.load(states[k], weights_only=True), other, ntasks)['done']
        other.configure(seen=done)
        learn(other, data, done, again)
        assert again == accs[done:] and trained == [p.requires_grad for p in other.model.parameters()]
        assert all(torch.equal(w, weights[n]) for n, w in utils.get_model(other.model).items())
    return appr, other


def tasks(kind, most=None):
    """The sequence of a kind; most: no more samples than this of each set."""
    seed, size, classes, ntrain, nvalid, ntest, noise = KINDS[kind]
    rs = np.random.RandomState(seed)
    dim = int(np.prod(size))
    data, taskcla = {}, []
    for t, ncla in enumerate(classes):
        prototypes = rs.standard_normal((ncla, dim))
        if kind == 'conv':  # smooth prototypes, so that a convolution has something to find
            p = prototypes.reshape((ncla,) + size)
            for axis in (2, 3):
                for _ in range(3):
                    p = (np.roll(p, 1, axis) + p + np.roll(p, -1, axis)) / 3
            prototypes = (p / p.std()).reshape(ncla, dim)
        data[t] = {'name': '%s-%d' % (kind, t), 'ncla': ncla}
        for split, n in (('train', ntrain), ('valid', nvalid), ('test', ntest)):
            y = rs.randint(0, ncla, n)
            x = prototypes[y] + noise * rs.standard_normal((n, dim))
            x = (x / np.sqrt(1 + noise ** 2)).astype(np.float32).reshape((n,) + size)
            data[t][split] = {'x': torch.from_numpy(x)[:most], 'y': torch.from_numpy(y.astype(np.int64))[:most]}
        taskcla.append((t, ncla))
    data['ncla'] = sum(classes)
    return data, taskcla, list(size)


def batch_of(t, x, y=None):
    """A Batch of task t, an int, or of tasks [B]."""
    y = torch.zeros(len(x), dtype=torch.int64) if y is None else y
    return Batch(x, y, task=t) if isinstance(t, int) else Batch(x, y, t)


def logits(appr, t, x):
    """The logits of images that compete, in the network's present mode."""
    return appr.compete(batch_of(t, x))[0]


def said(appr, t, x):
    """What the approach says of images at test, [N, classes]."""
    return evaluation.logits(appr, t, x)


def set_scenario(appr, scenario):
    """Gives an approach a scenario; returns it."""
    appr.configure(scenario=scenario)
    return appr
