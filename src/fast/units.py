"""Which part of a gated network is run: the units that take part in the task. The others are multiplied by exactly 0.

Within an epoch the steepness s rises, so a unit that has dropped out stays out: its attention is exactly 0,
nothing that belongs to it has a gradient, and with a larger s that remains so. Leaving it out changes no
number but by the order in which floating-point sums are taken.
"""
import torch

from fast.narrow import Narrow, active
from networks import gated
from networks.parts import plain

MULTIPLE = {'cpu': 16, 'cuda': 128}  # the number of units that is run in a layer is a multiple of this
CHECK = {'cpu': 8, 'cuda': 64}  # batches after which it is looked again which units take part (on CUDA that waits)
REBUILD = 2      # what it costs to leave some out, in steps with all units (scripts/bench.sh hat)
GAIN = 0.05      # share of a step's work that leaving them out must save


class Attended:
    """Chooses the parts of a gated network."""

    def __init__(self, net):
        self.net, self.loose = net, loose(net.layers)
        self.protect(None)

    def protect(self, mask_pre):
        """From now on, gradients are multiplied by 1 - what the tasks learnt attend to."""
        self.mask_pre, self.free = mask_pre, None
        there = gated.embeddings(self.net)
        self.capacity = torch.tensor(float(sum(e.shape[1] for e in there)), device=there[0].device)
        if mask_pre is not None:
            with torch.inference_mode(False):  # an evaluation may be the first to ask for what training uses later
                self.free = [1 - m.flatten() for m in mask_pre]  # of the units of each layer
                self.capacity = sum(f.sum() for f in self.free)

    def at(self, t, s, mask_pre=None, part=None, left=0):
        """What to run of task t at steepness s, in the net's mode.

        mask_pre: cumulative attentions of the tasks learnt, one [1, units] per gated layer, None before the
        first; part: what was run so far in this pass, None at its start; left: batches that are left of the
        epoch.
        """
        if mask_pre is not self.mask_pre:
            self.protect(mask_pre)
        if part is None:
            if not self.net.training:
                return self.make(t, s)
            part = self.make(t, 0)  # at the start of an epoch s is near 0: all units take part
        return part if left % CHECK.get(part.e.device.type, 8) else self.fewer(part, t, s, left)

    def make(self, t, s):
        """The part of the units that take part in task t at steepness s."""
        rows = [e.detach()[t] for e in self.net.embeddings()]
        there = self.there(rows, s)
        return part(self.net, t, there, [len(r) for r in rows] if s == 0 else counts(there), self.free)

    def there(self, rows, s):
        """bool [units] for each layer: which units of these embeddings are to be run; at s = 0 all."""
        every = [torch.ones_like(r).bool() for r in rows]
        return [active(r, s) if s and free else full for r, free, full in zip(rows, self.loose, every)]

    def fewer(self, whole, t, s, left):
        """The part without the units whose attention has become 0, where leaving them out costs less than
        the rest of the epoch gains by it."""
        there = self.there(whole.e.detach().split(whole.below[1:]), s)
        units = counts(there)
        gain = whole.cost() - whole.cost([size(n, u) for n, u in zip(units, there)])
        rebuild = REBUILD * whole.cost([layer.width for layer in self.net.layers])
        if gain <= GAIN * whole.cost() or gain * left <= rebuild:
            return whole
        whole.write_back()
        return part(self.net, t, there, units, self.free, whole.chosen)


def loose(layers):
    """For each layer whether its units can be left out: not those that a shortcut starts from or leads to,
    where units of several layers are added, nor those that a norm mixes."""
    sources = {i - layer.skip for i, layer in enumerate(layers) if layer.skip}
    return [i not in sources and not layer.skip and layer.norm != 'group' for i, layer in enumerate(layers)]


def size(n, units):
    """How many of a layer's units (a tensor [units]) are run if n of them take part."""
    multiple = MULTIPLE.get(units.device.type, 1)
    return min(len(units), max(1, -(-n // multiple)) * multiple)


def counts(there):
    """How many units are there in each layer, from bool [units] for each; on CUDA the one time that this
    waits."""
    return torch.stack([u.sum() for u in there]).tolist()


def part(net, t, there, counts, free=None, among=None):
    """The Narrow of task t, in the net's mode, of the units that are there, bool [units] for each layer.

    counts: how many they are in each layer; among: what they are numbered by, as in Narrow.chosen (default:
    all of the net's); free: None or for each layer the factors [units] of its weights' gradients; in
    training, units of linear maps alone are put in ascending order of them.
    """
    nothing = [None] * len(there)
    rank = free is not None and net.training and plain(net.layers)
    chosen, factors = zip(*(choose(u, size(n, u), a, f, rank) for u, n, a, f in zip(
        there, counts, among or nothing, free or nothing)))
    narrow = Narrow(net, t, chosen, None if free is None else factors).train(net.training)
    if net.training:
        narrow.guard()
    return narrow


def choose(there, n, among, free, rank):
    """(units that are run, their factors) of one layer: int64 [n], those that are there first, and their
    entries of free; or, for all units in the layer's own order, None and free itself. rank: puts the units
    in ascending order of their factors."""
    if n == len(there) and among is None and not rank:
        return None, free
    c = (~there).long().argsort(stable=True)[:n]
    c = c if among is None else among[c]
    if rank:
        c = c[free[c].argsort(stable=True)]
    return c, None if free is None else free[c]
