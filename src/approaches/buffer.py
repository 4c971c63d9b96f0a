"""Samples of earlier tasks, kept for replay: one buffer for all methods."""
from collections import Counter

import numpy as np
import torch

from approaches import policies
from approaches.hyper import Hyper

HYPER = (Hyper('buffer_size', int, 500, (200, 500, 1000, 5000), 'samples that are kept in all (--buffer each: of each class)', least=1,
               most=10 ** 7, positional=False),
         Hyper('buffer', str, 'reservoir', help='which are kept: each of the stream with the same probability; at the end of a task, as '
               'many of each class so far, at random; of each class the last ones; of each class those nearest to its mean feature; the '
               'buffer\'s size of each class',
               choices=tuple(policies.KINDS), positional=False))


class Buffer:
    """At most `size` samples, or what the policy has room for: images x [N,C,H,W], labels y [N] from 0 within their task, tasks t [N],
    logits z [N,K] or None.

    Images are bytes where the data are, which pixels, {task: dataloaders.pixels.Pixels}, says, else floats. reservoir and
    ring take samples from the stream, in the first epoch of each task; balanced and herding at the end of a task. Draws from
    numpy's global generator, so that the run's seed makes it reproducible.
    """

    def __init__(self, size, policy='reservoir', pixels=None):
        self.size, self.policy, self.pixels = size, policies.KINDS[policy], {} if pixels is None else pixels
        self.x = self.y = self.t = self.z = None
        self.offered, self.ages = 0, []  # samples of the stream so far; of a ring, when each one came

    def __len__(self):
        return 0 if self.y is None else len(self.y)

    @property
    def state(self):
        """What a checkpoint keeps."""
        return {k: getattr(self, k) for k in ('x', 'y', 't', 'z', 'offered', 'ages')}

    @state.setter
    def state(self, state):
        vars(self).update(state)

    @property
    def megabytes(self):
        """The memory that it takes."""
        return sum(v.numel() * v.element_size() for v in (self.x, self.y, self.t, self.z) if v is not None) / 1e6

    @property
    def counts(self):
        """How many samples there are of each class of which there are any."""
        return Counter([] if self.y is None else zip(self.t.tolist(), self.y.tolist()))

    @property
    def classes(self):
        """The number of classes that have a sample."""
        return len(self.counts)

    @property
    def share(self):
        """How many samples each of these classes may have."""
        return self.policy.share(self.size, max(1, self.classes))

    @property
    def short(self):
        """How many of these classes have fewer."""
        return sum(n < self.share for n in self.counts.values())

    @property
    def empty(self):
        """The number of places without a sample."""
        return self.policy.room(self.size, max(1, self.classes)) - len(self)

    def encode(self, t, x):
        """Images of task t as they are kept."""
        pixels = self.pixels.get(t)
        return x if pixels is None else pixels.bytes(x)

    def decode(self, t, x):
        """The floats of kept images x of the tasks t [B]."""
        if x.dtype != torch.uint8:
            return x
        out = torch.empty(x.shape, device=x.device)
        for u in t.unique().tolist():
            out[t == u] = self.pixels[u].floats(x[t == u])
        return out

    def stream(self, t, x, y, z=None):
        """Offers a batch of task t's training to a buffer that takes from the stream; z: logits [B,K]."""
        places = self.policy.places(self, t, y)
        last = {place: i for i, place in enumerate(places) if place is not None}  # of two for one place the later one stays
        if last:
            chosen = list(last.values())
            self.put(list(last), self.encode(t, x[chosen]), y[chosen], torch.full_like(y[chosen], t), None if z is None else z[chosen])

    def put(self, places, x, y, t, z):
        """Puts samples in their places, each another one."""
        for name, new in (('x', x), ('y', y), ('t', t), ('z', z)):
            old = getattr(self, name)
            if new is not None:
                old = new[:0] if old is None else old
                if max(places) >= len(old):
                    old = torch.cat([old, new.new_zeros(max(places) + 1 - len(old), *new.shape[1:])])
                old[places] = new
                setattr(self, name, old)

    def end_task(self, t, x, y, features=None, z=None):
        """At the end of task t, gives every class so far the same share, from the task's whole training set. features(x): [N,D]
        for herding; z(x): logits [N,K] if they are to be kept."""
        if self.policy.streams:
            return
        there = [] if self.y is None else sorted(set(zip(self.t.tolist(), self.y.tolist())))
        labels = y.unique().tolist()
        classes = len(there) + len(labels)
        share, room = self.policy.share(self.size, classes), self.policy.room(self.size, classes)
        kept = [((self.t == u) & (self.y == c)).nonzero().flatten()[:share] for u, c in there]  # in the order of their worth
        new = [self.policy.best(share, (y == c).nonzero().flatten(), x, features) for c in labels]
        new = torch.cat(new)[:room]
        kept = torch.cat(kept)[:room - len(new)] if kept else new[:0]
        fresh = {'x': self.encode(t, x[new.cpu()]), 'y': y[new.to(y.device)], 't': torch.full_like(y[new.to(y.device)], t)}
        fresh['z'] = None if z is None else z(x[new.cpu()])
        for name, value in fresh.items():
            old = getattr(self, name)
            setattr(self, name, value if old is None or value is None else torch.cat([old[kept.to(old.device)], value]))

    def draw(self, count, before=None, device='cpu'):
        """(x, y, t, z) of so many samples at random, without repetition, or all if there are fewer; before: of tasks before that
        one alone. None if there are none."""
        there = torch.arange(len(self)) if before is None or not len(self) else (self.t < before).nonzero().flatten().cpu()
        if not len(there):
            return None
        return self.take(there[torch.from_numpy(np.random.permutation(len(there))[:count])], device)

    def take(self, chosen, device='cpu'):
        """(x, y, t, z) of the samples at some places."""
        x, y, t, z = (None if v is None else v[chosen.to(v.device)] for v in (self.x, self.y, self.t, self.z))
        return self.decode(t, x).to(device), y.to(device), t.to(device), None if z is None else z.to(device)
