"""What methods share that give every task a part of the weights: the masks, and what later tasks may move."""
from contextlib import nullcontext

import torch

from approaches import base
from learning import braking
from learning.shadow import Shadow
from networks import layers


class Masked(base.Appr):
    """Weights of linear maps and convolutions are masked; biases and normalising layers stay as the first
    task leaves them; heads are per task, without masks. What is held keeps every bit with any optimizer: its
    step is undone, not the gradient alone zeroed."""

    scenarios, isolated = ('task', 'class', 'domain'), True
    promise, first_norms = 'exact', True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        heads = {id(p) for module in layers.of_tasks(self.model) for p in module.parameters()}
        shared = {n: p for n, p in self.params().items() if id(p) not in heads}
        self.masked = [n for n, p in shared.items() if p.dim() > 1]  # names of parameters
        self.others = [n for n in shared if n not in self.masked]

    def masks_of(self, t):
        """Return {parameter's name: mask} of what task t sees, none where it sees all as it is."""
        raise NotImplementedError

    def movable(self, t):
        """Return {parameter's name: bool mask} of what task t may move; of others all."""
        raise NotImplementedError

    def owned(self):
        """Return {parameter's name: bool mask} of what the tasks so far have taken."""
        raise NotImplementedError

    def guarded(self):
        found = self.owned()
        others = self.others if any(mask.any() for mask in found.values()) else ()
        return {**found, **{n: torch.ones_like(self.params()[n], dtype=torch.bool) for n in others}}

    def under_masks(self, masks):
        """Return {parameter's name: tensor} of the network under masks {parameter's name: mask}."""
        there = self.params()
        return {**there, **{n: there[n] * m for n, m in masks.items()}}

    def weights_of(self, t):
        return self.under_masks(self.masks_of(t))

    def outputs(self, batch):
        masks = self.masks_of(batch.task)
        with self.under(Shadow(self.model, self.under_masks(masks))) if masks else nullcontext():
            return super().outputs(batch)

    def after_backward(self, batch):
        params, movable = self.params(), self.movable(batch.task)
        braking.hold(self.optimizer, batch, [(params[n], m.to(params[n].dtype)) for n, m in movable.items()])
        for n in self.others if batch.task else ():
            params[n].grad = None

    def after_step(self, batch):
        braking.finish(batch)
