"""Testing an approach: on tasks that are told, inferred, or not learnt yet. Draws no random numbers."""
from contextlib import contextmanager

import torch

from learning.batch import parts
from learning.fitting import IDLE

SIZE = 256  # samples per batch; any gives the same, but for losses that are no means over the batch


def measure(appr, t, x, y, size=SIZE):
    """(loss, accuracy in 0..1) on task t of x [N,C,H,W], y [N], in order, as the scenario says, with every
    approach's part for task t; the loss with the penalty."""
    sums = torch.empty(-(-len(y) // size), 2, device=appr.device)
    with quiet(appr), (appr.wing or Plain(appr)).measuring(t) as one:
        for k, batch in enumerate(parts(t, x, y, size, appr.device)):
            sums[k, 0], sums[k, 1] = one(batch)
    losses, hits = sums.t().tolist()
    return sum(a * min(size, len(y) - i * size) for i, a in enumerate(losses)) / len(y), sum(hits) / len(y)


@contextmanager
def quiet(appr):
    """Within it, the network is in evaluation mode and nothing is noted for gradients."""
    appr.model.eval()
    with torch.inference_mode(), appr.recipe.precision(appr.device):
        yield


@contextmanager
def amid(appr):
    """Within it, tests amid an epoch of training are those that follow a task; after it all is as before,
    what tests note on the approach included."""
    (appr.wing or Plain(appr)).write_back()
    before, modes = dict(vars(appr)), {module: module.training for module in appr.model.modules()}
    appr.configure(at=dict(IDLE))
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for name in vars(appr).keys() - before.keys():
            del vars(appr)[name]
        vars(appr).update(before)


class Plain:
    """What computes steps and tests where nothing else does; fast.of() returns what does the same in fewer
    passes. All three are contexts of one pass over data of task t."""

    def __init__(self, appr):
        self.appr = appr

    def write_back(self):
        """Puts into the network what training has changed elsewhere so far."""

    @contextmanager
    def training(self, t, steps):
        """Within it, a function of a Batch that trains on it and returns its loss, for so many steps."""
        yield self.appr.step

    @contextmanager
    def measuring(self, t, penalty=None):
        """Within it, a function of a Batch to its loss, penalty included (default: the approach's), and
        the number of hits."""
        appr = self.appr
        penalty = appr.penalty() if penalty is None else penalty

        def one(batch):
            loss = appr.loss(batch)
            logits, targets = (batch.logits, batch.targets) if batch.logits is not None else appr.compete(batch)
            return loss + penalty, (logits.argmax(1) == targets).sum()
        yield one

    @contextmanager
    def deciding(self, t):
        """Within it, a function of a Batch to the logits [B,n] by which it is decided."""
        yield lambda batch: self.appr.compete(batch)[0]


def logits(appr, t, x):
    """The logits [N,n] that compete for images x [N,C,H,W] of task t, by which they are decided."""
    with quiet(appr), (appr.wing or Plain(appr)).deciding(t) as decide:
        return torch.cat([decide(batch) for batch in parts(t, x, None, SIZE, appr.device)])


def told(appr, t, x):
    """What the approach says of images [N,C,H,W] of task t: labels [N] as the scenario numbers them."""
    if appr.scenario.infers:
        return appr.scenario.choose(appr, x, max(appr.seen, t + 1))[1]
    return logits(appr, t, x).argmax(1)


def guess(appr, t, x, y):
    """The accuracy on a task that may not have been learnt yet."""
    return (told(appr, t, x) == appr.scenario.answer(t, y.to(appr.device))).float().mean().item()
