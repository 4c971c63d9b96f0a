"""What HAT says of its units: what each task attends to, and which weights nothing is to change."""
import warnings
from collections import Counter

import torch

from approaches import gates
from learning import normalising
from networks import gated


class Inspected:
    """Of an approach: has its gated model, the cumulative attentions mask_pre, and `used`, what becomes of
    weights that they use."""

    full = False    # whether all units are taken
    sharing = None  # names of the layers whose running statistics tasks share, once that is known

    def __init__(self, model, *args, **kwargs):
        gated.check(model)
        super().__init__(model, *args, **kwargs)

    @property
    def steepest(self):
        """Steepness at which masks are kept."""
        return gates.HARD if self.binary == 'on' else self.smax

    def train(self, t, xtrain, *data):
        """Says before the first epoch which running statistics tasks share."""
        if self.sharing is None:
            self.sharing = self.shared_statistics(xtrain[:2].to(self.device))
            if self.sharing:
                warnings.warn('HAT: the tasks share the running statistics of %s, which no gate protects: later tasks change '
                              'them, and with them what is said of earlier ones' % ', '.join(self.sharing))
        super().train(t, xtrain, *data)

    def shared_statistics(self, x):
        """The names of the normalising layers that images x pass in more than one task."""
        there, uses = normalising.layers(self.model), Counter()
        self.model.eval()
        for u in range(len(gated.embeddings(self.model)[0]) if there else 0):
            with torch.no_grad(), normalising.used(self.model) as names:
                self.model(self.task(u), x)
            uses.update(names)
        return [n for n in there if uses[n + '.running_mean'] > 1]

    def account(self, done):
        shared = {'shared_statistics': self.sharing} if self.sharing else {}
        return {**super().account(done), **shared}

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)

    def kept(self, t):
        """What task t attends to, as it is kept: a list of [1, units], one per layer."""
        if self.binary == 'on':
            gates.decide(self.model, t)
        return [m.detach().clone() for m in self.model.mask(self.task(t), s=self.steepest)]

    def say_if_full(self):
        """Warn once that all units are taken."""
        if not self.full and all((m == 1).all() for m in self.mask_pre):
            self.full = True
            warnings.warn('HAT: every unit is taken by the tasks so far; later ones can only reuse them')

    def attention(self, done):
        """What each of so many tasks attends to, at full steepness: for each a list of arrays [units], one
        per layer."""
        masks = [self.model.mask(self.task(t), s=self.steepest) for t in range(done)]
        return [[m.detach().flatten().cpu().numpy() for m in layers] for layers in masks]

    def guarded(self):
        """The weights between units that earlier tasks attend to fully, if these hold them."""
        there = gates.views(self.model, self.mask_pre) if self.used == 'fixed' else ()
        return {n: (view == 1).expand_as(p) for n, p, view in there}
