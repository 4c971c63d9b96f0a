"""Gated networks of which only the units that take part are run: the others are multiplied by exactly 0.

Within an epoch the steepness s rises, so a unit that has dropped out stays out: its attention is exactly 0, nothing that
belongs to it has a gradient, and with a larger s that remains so. Leaving it out changes no number but by the order in
which floating-point sums are taken.
"""
import torch

from approaches import base
from networks.gated import Gated
from networks.narrow import Narrow, active
from networks.whole import Whole
from utils import UserError

CHECK = {'cpu': 8, 'cuda': 64}  # batches after which it is looked again which units take part (on CUDA that waits)
REBUILD = 2      # what it costs to leave some out, in steps with all units (scripts/bench.sh hat)
GAIN = 0.05      # share of a step's work that leaving them out must save
MULTIPLE = {'cpu': 16, 'cuda': 128}  # the number of units that is run in a layer is a multiple of this


class Sparse(base.Appr):
    """Runs the part of a networks.gated.Gated that takes part in a task, as `part`, during each pass over data. Derived
    classes have s, the steepness, and free: None or for each layer the factors [units] of its weights' gradients."""

    dense = False    # True: all units are always run
    part = None      # during a pass over data: the networks.narrow.Narrow (or networks.whole.Whole) that is run
    free = None
    kept = None      # ([versions of all parameters], {(t, s): the network that evaluations ran}) as long as these hold
    mask_pre = None  # cumulative attentions of the tasks learnt, one [1, units] per layer

    @property
    def own(self):
        """Whether the network's forward pass is not Gated's, so that its parts cannot be told apart."""
        return type(self.model).forward is not Gated.forward

    @property
    def deferrable(self):
        """As in base."""
        return super().deferrable and not self.own

    def compile(self):
        """Raises UserError."""
        raise UserError('--compile is not for this approach: the network it runs changes its shape within every epoch')

    def begin_pass(self, t):
        """Sets up the units that take part in task t: in training all of them, as s starts near 0.

        What an evaluation ran is kept for the next as long as no parameter is changed in place, which torch counts.
        """
        if self.own:
            self.part = Whole(self.model, t, self.mask_pre)
            return
        if self.model.training:
            self.kept = None
        else:
            versions = [self.dense, *((p.data_ptr(), p._version) for p in self.model.parameters())]
            if self.kept is None or self.kept[0] != versions:
                self.kept = versions, {}
            self.part = self.kept[1].get((t, self.s))
            if self.part is not None:
                return
        rows = [e.detach()[t] for e in self.model.embeddings()]
        self.narrow(t, [torch.ones_like(r).bool() if self.dense else active(r, self.s) for r in rows])
        if self.kept:
            self.kept[1][t, self.s] = self.part

    def begin_batch(self, t):
        """Leaves out the units whose attention has become 0, where that costs less than the rest of the epoch gains."""
        if self.dense or self.own or self.batches_left % CHECK.get(self.device.type, 8):
            return
        part = self.part
        there = [u for u in active(part.e.detach(), self.s).split(part.below[1:])]
        counts = [self.size(n, u) for n, u in zip(torch.stack([u.sum() for u in there]).tolist(), there)]
        gain = part.cost() - part.cost(counts)
        whole = part.cost([layer.width for layer in self.model.layers])
        if gain > GAIN * part.cost() and gain * self.batches_left > REBUILD * whole:
            part.write_back()
            self.narrow(t, there, part.chosen)

    def size(self, n, units):
        """How many of a layer's units are run if n of them take part."""
        multiple = MULTIPLE.get(self.device.type, 1)
        return min(len(units), max(1, -(-n // multiple)) * multiple)

    def narrow(self, t, there, among=None):
        """Makes the part of the network that is run: of the units `among` (default: all), those that are there."""
        chosen, free = [], []
        for i, u in enumerate(there):
            c = (~u).long().argsort(stable=True)[:self.size(u.sum().item(), u)]
            c = c if among is None or among[i] is None else among[i][c]
            if self.free is not None:
                if self.model.training:
                    c = c[self.free[i][c].argsort(stable=True)]
                free.append(self.free[i][c])
            chosen.append(c)
        if self.free is None or not self.model.training:  # all of them as they are
            chosen = [None if len(c) == layer.width else c for c, layer in zip(chosen, self.model.layers)]
        self.part = Narrow(self.model, t, chosen, free or None).train(self.model.training)
        if self.model.training:
            self.part.guard()
            self.optimizer = self._get_optimizer(self.optimizer.param_groups[0]['lr'])

    def end_pass(self, t):
        """Puts what was trained back."""
        if self.model.training:
            self.part.write_back()
        self.part = None

    def trainable(self):
        """The parameters of the part that is run; otherwise as in base."""
        return super().trainable() if self.part is None else list(self.part.parameters())
