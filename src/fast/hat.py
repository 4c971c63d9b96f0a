"""HAT's steps and tests with the units alone that are not switched off."""
from contextlib import contextmanager

import torch

from approaches import gates, hat
from fast.general import HOOKS, knows
from fast.step import descend
from fast.units import Attended
from learning.recipe import is_plain
from networks import gated

KNOWN = {'approaches.' + name for name in ('base', 'hat', 'hat_test', 'inspected', 'adahat')}
NAMES = *HOOKS, 's', 'steepest', 'share', 'rates'  # what steps and tests of HAT call


def of(appr):
    """The Hat of an approach, or None for another method, and for a network that computes in a way of its
    own."""
    known = isinstance(appr, hat.Appr) and knows(appr, KNOWN, NAMES)
    return Hat(appr) if known and gated.is_standard(appr.model) else None


class Hat:
    """What learning.evaluation.Plain is, by parts of the network (fast.units)."""

    def __init__(self, appr):
        self.appr, self.units = appr, Attended(appr.model)
        self.part, self.left = None, 0  # what is trained; batches that are left of the epoch

    @contextmanager
    def training(self, t, steps):
        """Leaves the step to plain code where a unit that is off may move, by what the optimizer remembers,
        and where what is used is not held."""
        appr = self.appr
        held = type(appr).rates is hat.Appr.rates and appr.used == 'fixed'
        if not (held and is_plain(appr.optimizer)):
            yield appr.step
            return
        self.part, self.left = None, steps
        try:
            yield self.step
            self.part.write_back()
        finally:
            self.part = None

    def write_back(self):
        if self.part is not None:
            self.part.write_back()

    def choose(self, t):
        """Takes up the part of the network that is to be trained from here on."""
        part = self.units.at(t, self.appr.s, self.appr.mask_pre, self.part, self.left)
        if part is not self.part:
            self.part, lr = part, self.appr.optimizer.param_groups[0]['lr']
            self.optimizer = torch.optim.SGD(part.parameters(), lr=lr)
        self.left -= 1
        return part

    def step(self, batch):
        """Trains on a batch; returns its loss, detached."""
        appr, part = self.appr, self.choose(batch.task)
        defers = not appr.recipe.amp and appr.device.type == 'cpu'
        tape, s = [] if defers else None, appr.s
        with appr.recipe.precision(appr.device):
            output, masks = part(batch.x, s, tape)
            loss = self.loss(part, output, batch.y, masks)
        self.optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            part.protect()
            e = part.e
            if appr.compensation == 'on':
                e.grad *= gates.compensation(e, s, appr.smax)
            descend(self.optimizer, tape, None, appr.clipgrad)
            e.clamp_(-gates.THRES_EMB, gates.THRES_EMB)
        return loss.detach()

    def loss(self, part, output, targets, masks):
        """As hat.Appr.loss; masks: those of the units that are run; the others' are 0."""
        free = part.free or [1.] * len(masks)
        reg = self.appr.share(sum((m * f).sum() for m, f in zip(masks, free)), self.units.capacity)
        self.appr.reg = reg.detach()
        return self.appr.criterion(output, targets) + self.appr.lamb * reg

    @contextmanager
    def measuring(self, t):
        part, s = self.evaluated(t)

        def one(batch):
            output, masks = part(batch.x, s)
            return self.loss(part, output, batch.y, masks), (output.argmax(1) == batch.y).sum()
        yield one

    @contextmanager
    def deciding(self, t):
        part, s = self.evaluated(t)
        yield lambda batch: part(batch.x, s)[0]

    def evaluated(self, t):
        """(the part that is tested, the steepness)."""
        return self.units.at(t, self.appr.s, self.appr.mask_pre), self.appr.s
