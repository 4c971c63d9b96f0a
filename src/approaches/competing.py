"""Which logits an approach's samples are decided by: what it asks its scenario, and what the tests ask it."""
import math

import torch

from approaches.scenarios import joined
from networks.layers import Plain


class Competing:
    """Of an approach: has its model, its loop and a scenario."""

    scenarios = 'task',   # what of approaches.scenarios it supports
    isolated = False      # whether every task has a network or a mask of its own: then a task not told is inferred
    blind = None          # why a task cannot be tested before it is learnt
    infer = None          # what infers the task at test where it is not told (approaches.inference); `inferred`: how often rightly
    inferred, seen = None, 0  # seen: number of tasks met so far

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

    def separate(self, t):
        """Whether samples of several tasks are computed with each one's own head alone, which takes heads of one size."""
        return (isinstance(t, torch.Tensor) and self.scenario.apart(self.model.training) and len(set(self.scenario.ncla[:self.seen])) == 1
                and getattr(type(self.model), 'forward', None) is Plain.forward)

    def targets(self, t, y):
        """The labels y [B] of task t among the logits that compete."""
        return y if self.separate(t) else self.scenario.targets(t, y, self.heads(t))

    def outputs(self, t, x):
        """The logits [N, classes] of all of x, in batches."""
        self.model.eval()
        with torch.inference_mode(), self.precision(), self.passing(t):
            self.choose_part(t)
            return torch.cat([self.logits(t, images.to(self.device)) for images in x.split(self.eval_sbatch or self.sbatch)])

    def guess(self, t, x, y):
        """The accuracy on a task that may not have been learnt yet."""
        if self.infer is not None:
            return self.infer(self, t, x, y)[0]
        told = self.outputs(t, x).argmax(1)
        return (told == self.targets(t, y.to(self.device))).float().mean().item()
