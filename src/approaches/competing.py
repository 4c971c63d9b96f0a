"""Which logits an approach's samples are decided by: what it asks its scenario."""
import math
from contextlib import contextmanager

import torch
from torch.func import functional_call

from approaches.scenarios import joined
from networks import layers


class Shadow:
    """A network with other weights {name: tensor}; what it leaves out is the network's own."""

    def __init__(self, model, weights):
        self.model, self.weights, self.training = model, weights, model.training

    def __call__(self, x, **more):
        return functional_call(self.model, self.weights, (x,), more)


class Competing:
    """Of an approach: has its model, its loop and a scenario."""

    scenarios = 'task',   # what of approaches.scenarios it supports
    isolated = False      # whether every task has a network or a mask of its own: then a task not told is inferred
    seen = 0              # number of tasks met so far
    active = 'all-so-far', 'all', 'current'  # what of --active-classes it can do
    joined_heads = False  # whether the optimizer moves all heads at every step, as if they were one layer

    def logits(self, t, x):
        """The logits [B, classes] that compete for samples of task t; of one head, or of several side by side."""
        heads = self.heads(t)
        if self.separate(t):
            return self.model.own(x, t, heads)
        output = joined(self.model(x, only=heads) if self.only else self.model(x), heads)
        if isinstance(t, torch.Tensor) and self.scenario.apart(self.model.training):
            output = output.masked_fill(self.scenario.foreign(t, heads), -math.inf)
        return output

    def heads(self, t):
        """The heads whose logits compete for samples of task t, as scenarios.Task.heads says."""
        return self.scenario.heads(t, self.seen, self.model.training)

    def idle_heads(self):
        """The parameters whose gradient, where a batch gives them none, is to be zero for the optimizer."""
        return [p for head in layers.heads(self.model) for p in head.parameters() if p.requires_grad] if self.joined_heads else ()

    def separate(self, t):
        """Whether samples of several tasks are computed with each one's own head alone, which takes heads of one size."""
        return (isinstance(t, torch.Tensor) and self.scenario.apart(self.model.training) and len(set(self.scenario.ncla[:self.seen])) == 1
                and getattr(type(self.model), 'forward', None) is layers.Plain.forward)

    def targets(self, t, y):
        """The labels y [B] of task t among the logits that compete."""
        return y if self.separate(t) else self.scenario.targets(t, y, self.heads(t))

    def students(self, t, outputs):
        """[(the earlier tasks' heads, the logits that are to take after them)] of a network's outputs: where earlier classes compete
        with those of task t, all that compete."""
        heads = self.heads(t)
        return [(earlier, joined(outputs, heads if isinstance(heads, range) else earlier)) for earlier in self.scenario.earlier(t)]

    def weights(self, t):
        """{parameter's name: tensor} of the network by which task t is tested."""
        return dict(self.model.named_parameters())

    @contextmanager
    def under(self, weights):
        """Within it, the model has other weights, {name: tensor}, through which gradients flow."""
        model, self.model = self.model, Shadow(self.model, weights)
        try:
            yield
        finally:
            self.model = model
