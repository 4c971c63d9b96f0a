"""Gated networks of which only the units that take part are run: the others are multiplied by exactly 0.

Within an epoch the steepness s rises, so a unit that has dropped out stays out: its attention is exactly 0, nothing that
belongs to it has a gradient, and with a larger s that remains so. Leaving it out changes no number but by the order in
which floating-point sums are taken.
"""
import torch

from approaches import base
from networks import parts
from networks.gated import Gated
from networks.kept import Kept
from networks.narrow import active
from networks.whole import Whole
from utils import UserError

CHECK = {'cpu': 8, 'cuda': 64}  # batches after which it is looked again which units take part (on CUDA that waits)
REBUILD = 2      # what it costs to leave some out, in steps with all units (scripts/bench.sh hat)
GAIN = 0.05      # share of a step's work that leaving them out must save


class Sparse(base.Appr):
    """Runs the part of a networks.gated.Gated that takes part in a task, as `part`, during each pass over data. Derived
    classes have s, the steepness, and free: None or for each layer the factors [units] of its weights' gradients."""

    dense = False    # True: all units are always run
    part = None      # during a pass over data: the networks.narrow.Narrow (or networks.whole.Whole) that is run
    free = None
    mask_pre = None  # cumulative attentions of the tasks learnt, one [1, units] per layer

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = Kept(self.model)  # what evaluations run

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
        """Sets up the units that take part in task t: in training all of them, as s starts near 0. What an evaluation runs
        is kept for the next."""
        if self.own:
            self.part = Whole(self.model, t, self.mask_pre)
        elif self.model.training:
            self.kept.forget()
            self.narrow(t, self.there(t))
        else:
            self.part = self.kept.get((t, self.s, self.dense), lambda: self.narrow(t, self.there(t)))

    def there(self, t):
        """The units that take part in task t at the present steepness, bool [units] per layer."""
        rows = [e.detach()[t] for e in self.model.embeddings()]
        return [torch.ones_like(r).bool() if self.dense else active(r, self.s) for r in rows]

    def begin_batch(self, t):
        """Leaves out the units whose attention has become 0, where that costs less than the rest of the epoch gains."""
        if self.dense or self.own or self.batches_left % CHECK.get(self.device.type, 8):
            return
        part = self.part
        there = [u for u in active(part.e.detach(), self.s).split(part.below[1:])]
        counts = [parts.size(n, u) for n, u in zip(torch.stack([u.sum() for u in there]).tolist(), there)]
        gain = part.cost() - part.cost(counts)
        whole = part.cost([layer.width for layer in self.model.layers])
        if gain > GAIN * part.cost() and gain * self.batches_left > REBUILD * whole:
            part.write_back()
            self.narrow(t, there, part.chosen)

    def narrow(self, t, there, among=None):
        """Runs, from here on, those units that are there, bool [units] per layer, of those `among` (default: all)."""
        self.part = parts.part(self.model, t, there, self.free, among)
        if self.model.training:
            self.optimizer = self._get_optimizer(self.optimizer.param_groups[0]['lr'])
        return self.part

    def end_pass(self, t):
        """Puts what was trained back."""
        if self.model.training:
            self.part.write_back()
        self.part = None

    def trainable(self):
        """The parameters of the part that is run; otherwise as in base."""
        return super().trainable() if self.part is None else list(self.part.parameters())
