"""Samples of earlier tasks, kept for replay: one buffer for all methods."""
from collections import Counter

import numpy as np
import torch

from dataloaders.images import same
from dataloaders.joined import Kept, Transforms
from learning import policies
from learning.batch import Batch

class Buffer:
    """At most `size` samples, or what the policy has room for: images x, labels y [N] from 0 within their
    task, tasks t [N], logits z [N,K] or None.

    Images are kept as the data set has them, uint8 [N,D], where transforms, {task:
    dataloaders.images.Pixels}, says what the task makes of them; else as floats [N,C,H,W]. reservoir, ring
    and greedy take samples from the stream; the others at the end of a task. returning: {(task, label):
    (task, label)}, of labels of classes that came before those that they had first; None: all are classes of
    their own. Draws from numpy's global generator, so that the run's seed makes it reproducible.
    """

    returning = None  # in files that know nothing of it

    def __init__(self, size, policy='reservoir', transforms=None, returning=None):
        self.size, self.policy = size, policies.KINDS[policy]
        self.transforms, self.returning = {} if transforms is None else transforms, returning
        self.x = self.y = self.t = self.z = self.maker = None
        self.offered = 0  # samples of the stream so far
        self.ages = []    # of ring and greedy, when each one came
        self.met = []                    # of greedy, the classes in the order in which they came

    def __len__(self):
        return 0 if self.y is None else len(self.y)

    def __getstate__(self):
        return {n: v for n, v in vars(self).items() if n != 'maker'}  # which is made when it is needed

    @property
    def megabytes(self):
        """The memory that it takes."""
        return sum(v.numel() * v.element_size() for v in (self.x, self.y, self.t, self.z)
                   if v is not None) / 1e6

    def key(self, t, label):
        """What a label of a task is counted as, (task, label)."""
        return self.returning.get((t, label), (t, label)) if self.returning else (t, label)

    @property
    def keys(self):
        """The class of each sample, a list."""
        pairs = [] if self.y is None else zip(self.t.tolist(), self.y.tolist())
        return [self.key(*pair) for pair in pairs]

    @property
    def counts(self):
        """How many samples there are of each class of which there are any."""
        return Counter(self.keys)

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

    def add(self, batch, z=None):
        """Offers a batch of training to a buffer that takes from the stream; z: logits [B,K]."""
        places = self.policy.places(self, batch.task, batch.y)
        # Of two for one place the later one stays.
        last = {place: i for i, place in enumerate(places) if place is not None}
        if last:
            chosen = list(last.values())
            kept = batch.raw if batch.task in self.transforms else batch.plain
            logits = None if z is None else z[chosen]
            self.put(list(last), self.flat(kept[chosen]), batch.y[chosen], batch.t[chosen], logits)

    @staticmethod
    def flat(raw):
        """Raw images as they are kept."""
        return raw.flatten(1) if raw.dtype == torch.uint8 else raw

    def put(self, places, x, y, t, z):
        """Puts samples in their places, each another one."""
        for name, new in (('x', x), ('y', y), ('t', t), ('z', z)):
            old = getattr(self, name)
            if new is None:
                continue
            old, new = (new[:0], new) if old is None else alike(old, new)
            if max(places) >= len(old):
                old = torch.cat([old, new.new_zeros(max(places) + 1 - len(old), *new.shape[1:])])
            old[places] = new
            setattr(self, name, old)

    def end_task(self, t, x, y, features=None, z=None):
        """At the end of task t, gives every class so far the same share, from the task's whole training
        set. features(x): [N,D] for herding; z(x): logits [N,K] if they are to be kept."""
        if self.policy.streams:
            return
        keys, mine = self.keys, {self.key(t, c): c for c in y.unique().tolist()}
        there, places = sorted(set(keys) - set(mine)), {}
        for i, key in enumerate(keys):
            places.setdefault(key, []).append(i)
        classes = len(there) + len(mine)
        share, room = self.policy.share(self.size, classes), self.policy.room(self.size, classes)
        kept = [i for key in there for i in places[key][:share]]  # in the order of their worth
        new = [self.best(share, places.get(key, []), (y == c).nonzero().flatten().cpu(), x, features)
               for key, c in mine.items()]
        new = torch.cat(new)[:room]
        self.choose(torch.cat([torch.tensor(kept, dtype=torch.int64)[:room - len(new)], new]), t, x, y, z)

    def best(self, share, places, rows, x, features):
        """The best of a class's samples, at some places and rows of new images x: numbers of places, or of
        rows after all places."""
        places = torch.tensor(places, dtype=torch.int64)

        def shown():
            new = x[rows.to(x.device)]
            return features(torch.cat([self.take(places, x.device).x, new]) if len(places) else new)
        numbers = torch.cat([places, len(self) + rows])
        return numbers[self.policy.best(share, len(numbers), shown)]

    def choose(self, chosen, t, x, y, z):
        """Keep of its samples and then those x, y of task t some, by their numbers in a row."""
        old, mine = chosen < len(self), chosen[chosen >= len(self)] - len(self)
        kept, order = chosen[old], torch.cat([old.nonzero(), (~old).nonzero()]).flatten().argsort()
        labels = y[mine.to(y.device)]
        images = self.flat(x.raw(mine)) if t in self.transforms else x[mine]
        logits = None if z is None else z(x[mine])
        fresh = {'x': images, 'y': labels, 't': torch.full_like(labels, t), 'z': logits}
        for name, value in fresh.items():
            old = getattr(self, name)
            if old is not None and value is not None:
                old, value = alike(old[kept.to(old.device)], value)
                value = torch.cat([old, value])
                value = value[order.to(value.device)]
            setattr(self, name, value)

    def draw(self, count, before=None, device='cpu', augment=None):
        """A Batch of so many samples at random, without repetition, or all if there are fewer; before: of
        tasks before that one alone; augment: as take() has it. Its z: their logits. None if there are
        none."""
        there = torch.arange(len(self))
        if before is not None and len(self):
            there = (self.t < before).nonzero().flatten().cpu()
        if not len(there):
            return None
        return self.take(there[torch.from_numpy(np.random.permutation(len(there))[:count])], device, augment)

    def take(self, chosen, device='cpu', augment=None):
        """The Batch of the samples at some places, augmented anew if augment, a dataloaders.augment.Augment,
        is given; its z: their logits [B,K], or None."""
        x, y, t, z = (None if v is None else v[chosen.to(v.device)].to(device)
                      for v in (self.x, self.y, self.t, self.z))
        batch = Batch(self.make(x, t, augment or same), y, t, raw=x)
        batch.z = z
        return batch

    def images(self, places, device):
        """The images at some places, to be trained on as one of the sets of dataloaders.joined.Joined."""
        return Kept(*(v[places.to(v.device)].to(device) for v in (self.x, self.t)), self.make)

    def make(self, x, t, augment=same):
        """The floats of kept images x of the tasks t [B], augmented before."""
        if x.dtype != torch.uint8:
            return augment(x)
        if self.maker is None:
            self.maker = Transforms(self.transforms)
        return self.maker(x, t, augment)


def alike(old, new):
    """Two tensors, the narrower one of images [N,D] with zeros behind, so that they are of one width."""
    if old.dim() != 2 or old.dtype != torch.uint8:
        return old, new
    width = max(old.shape[1], new.shape[1])
    return tuple(torch.nn.functional.pad(v, (0, width - v.shape[1])) for v in (old, new))
