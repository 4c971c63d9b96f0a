"""Which part of a gated network is run: the units that take part in the task. The others are multiplied by exactly 0.

Within an epoch the steepness s rises, so a unit that has dropped out stays out: its attention is exactly 0, nothing that
belongs to it has a gradient, and with a larger s that remains so. Leaving it out changes no number but by the order in
which floating-point sums are taken.
"""
import torch

from networks import gated
from subnets import parts
from subnets.kept import Kept
from subnets.narrow import active
from subnets.whole import Whole

CHECK = {'cpu': 8, 'cuda': 64}  # batches after which it is looked again which units take part (on CUDA that waits)
REBUILD = 2      # what it costs to leave some out, in steps with all units (scripts/bench.sh hat)
GAIN = 0.05      # share of a step's work that leaving them out must save
OWN = ('forward', 'mask', 'get_view_for', 'run', 'product', 'shaped', 'outputs')  # what parts do as Gated does it


class Attended:
    """Chooses the parts of a network. dense: True to run all units always. Raises UserError for a network that is not gated."""

    def __init__(self, net):
        gated.check(net)
        self.net, self.dense, self.kept = net, False, Kept(net)
        # Of a network that computes in a way of its own, the parts cannot be told apart.
        self.own = any(getattr(type(net), n, None) is not getattr(gated.Gated, n) for n in OWN)
        self.protect(None)

    def protect(self, mask_pre):
        """From now on, gradients are multiplied by 1 - what the tasks learnt attend to."""
        self.mask_pre, self.free = mask_pre, None
        self.capacity = sum(e.shape[1] for e in gated.embeddings(self.net))
        if mask_pre is not None:
            with torch.inference_mode(False):  # an evaluation may be the first to ask for what training uses later
                self.free = [1 - m.flatten() for m in mask_pre]  # of the units of each layer
                self.capacity = sum(f.sum() for f in self.free).item()
        self.kept.forget()

    def at(self, t, s, mask_pre=None, part=None, left=0):
        """What to run of task t at steepness s, in the net's mode; what an evaluation runs is kept for the next.

        mask_pre: cumulative attentions of the tasks learnt, one [1, units] per gated layer, None before the first; part: what
        was run so far in this pass, None at its start; left: batches that are left of the epoch.
        """
        if mask_pre is not self.mask_pre:
            self.protect(mask_pre)
        if part is None:
            if self.own:
                return Whole(self.net, t, self.mask_pre)
            if not self.net.training:
                return self.kept.get((t, s, self.dense), lambda: self.make(t, s))
            self.kept.forget()
            part = self.make(t, 0)  # at the start of an epoch s is near 0: all units take part
        return part if self.own or self.dense or left % CHECK.get(part.e.device.type, 8) else self.fewer(part, t, s, left)

    def make(self, t, s):
        """The part of the units that take part in task t at steepness s."""
        rows = [e.detach()[t] for e in self.net.embeddings()]
        there = [torch.ones_like(r).bool() if self.dense or s == 0 else active(r, s) for r in rows]
        counts = [len(r) for r in rows] if self.dense or s == 0 else parts.counts(there)
        return parts.part(self.net, t, there, counts, self.free)

    def fewer(self, part, t, s, left):
        """The part without the units whose attention has become 0, where leaving them out costs less than the rest of the
        epoch gains by it."""
        there = active(part.e.detach(), s).split(part.below[1:])
        counts = parts.counts(there)
        gain = part.cost() - part.cost([parts.size(n, u) for n, u in zip(counts, there)])
        whole = part.cost([layer.width for layer in self.net.layers])
        if gain <= GAIN * part.cost() or gain * left <= REBUILD * whole:
            return part
        part.write_back()
        return parts.part(self.net, t, there, counts, self.free, part.chosen)
