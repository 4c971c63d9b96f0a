"""Which samples a buffer keeps: places for those of the stream, or the best of each class at the end of a task."""
from collections import Counter

import numpy as np
import torch


class Policy:
    """streams: whether samples are taken from the stream; else at the end of a task. fair: whether every
    class has a share."""

    streams = fair = True

    @staticmethod
    def share(size, classes):
        """How many samples a class may have, of a buffer of some size with so many classes so far."""
        return max(1, size // classes)

    @staticmethod
    def room(size, classes):
        """How many samples there may be in all."""
        return size

    @staticmethod
    def places(kept, t, y):
        """Where each sample of a batch of task t with labels y [B] goes in a buffer.Buffer: a number, or
        None."""
        return [None] * len(y)

    @staticmethod
    def best(count, n, features):
        """Of n samples of one class so many, int64, in the order of their worth; features(): theirs [n,D]."""


class Reservoir(Policy):
    """After n samples each of them is there with probability size / n (Vitter, 1985)."""

    fair = False

    @staticmethod
    def places(kept, t, y):
        counts = np.arange(kept.offered, kept.offered + len(y))  # of the samples before each one
        kept.offered += len(y)
        drawn = np.where(counts < kept.size, counts, np.random.randint(counts + 1))
        places = [place if place < kept.size else None for place in drawn.tolist()]
        return places


class Ring(Policy):
    """A sample takes the place of the oldest of its class, once the class has its share; while it has not
    and the buffer is full, that of the oldest of the largest class (Chaudhry et al., 2019)."""

    @staticmethod
    def places(kept, t, y):
        places, there = [], kept.keys
        for label in y.tolist():
            mine, counts = kept.key(t, label), Counter(there)
            enough = counts[mine] >= Ring.share(kept.size, len({*counts, mine}))
            if not enough and len(there) < kept.size:
                place = len(there)
                there.append(mine), kept.ages.append(0)
            else:
                victim = mine if enough else max(counts, key=counts.get)
                place = min((i for i, key in enumerate(there) if key == victim), key=kept.ages.__getitem__)
                there[place] = mine
            kept.offered += 1
            kept.ages[place] = kept.offered
            places.append(place)
        return places


class Greedy(Policy):
    """A sample is kept if its class has less than its share, the size over the classes so far; in a full
    buffer it takes the place of one at random of the largest class, of several that was met first (Prabhu
    et al., 2020, Alg. 1). A class counts on when it has lost its last sample."""

    @staticmethod
    def places(kept, t, y):
        places, there = [], kept.keys
        counts = dict.fromkeys(kept.met, 0) | Counter(there)
        for label in y.tolist():
            mine, place = kept.key(t, label), None
            kept.offered += 1
            if mine not in counts or counts[mine] < kept.size // len(counts):
                place = Greedy.place(kept, there, counts)
                counts[mine] = counts.get(mine, 0) + 1
                there[place], kept.ages[place] = mine, kept.offered
            places.append(place)
        kept.met = list(counts)
        return places

    @staticmethod
    def place(kept, there, counts):
        """A free place, or that of a sample that has to go, which counts no longer."""
        if len(there) < kept.size:
            there.append(None), kept.ages.append(0)
            return len(there) - 1
        largest = max(counts, key=counts.get)
        counts[largest] -= 1
        mine = [i for i, key in enumerate(there) if key == largest]
        mine.sort(key=kept.ages.__getitem__)
        return mine[np.random.randint(len(mine))]


class Balanced(Policy):
    """As many of each class so far, at random."""

    streams = False

    @staticmethod
    def best(count, n, features):
        return torch.from_numpy(np.random.permutation(n)[:count])


class Each(Balanced):
    """The buffer's size of each class, at random (van de Ven et al., 2022)."""

    @staticmethod
    def share(size, classes):
        return size

    @staticmethod
    def room(size, classes):
        return size * classes


class Herding(Policy):
    """As many of each class so far, those whose mean feature is nearest to the class's (Rebuffi et al.,
    2017)."""

    streams = False

    @staticmethod
    def best(count, n, features):
        return herding(features(), count).cpu()


KINDS = {kind.__name__.lower(): kind for kind in (Reservoir, Balanced, Ring, Herding, Each, Greedy)}


def herding(features, count):
    """The order [count] in which samples are chosen, so that their mean feature stays nearest to that of
    all: the k-th is argmin || mu - (f + sum of those chosen) / k ||, of L2-normalised features [N,D]
    (Rebuffi et al., 2017, Alg. 4)."""
    features = torch.nn.functional.normalize(features, dim=1)
    mean, total, left, order = features.mean(0), torch.zeros_like(features[0]), torch.ones(len(features), dtype=torch.bool), []
    left = left.to(features.device)
    for k in range(1, min(count, len(features)) + 1):
        distance = (mean - (features + total) / k).norm(dim=1).masked_fill(~left, torch.inf)
        order.append(int(distance.argmin()))
        total, left[order[-1]] = total + features[order[-1]], False
    return torch.tensor(order, dtype=torch.int64, device=features.device)
