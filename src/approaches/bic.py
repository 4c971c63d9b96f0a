"""BiC: Wu et al., Large Scale Incremental Learning, CVPR 2019 (arXiv 1905.13260)."""
import math

import numpy as np
import torch
from torch.nn import functional as F

from approaches import exemplars, replay
from approaches.hyper import Hyper
from dataloaders.images import part
from dataloaders.joined import Joined
from learning import distillation, evaluation


def correction(logits, targets, old, steps, lr):
    """(alpha, beta) of the classes from number `old` on, alpha z + beta, that lower the cross-entropy of logits
    [N,n] with targets [N]: from 1 and 0 by full batches, momentum 0.9 and a penalty of 0.05 beta^2."""
    both = torch.tensor([1., 0.], dtype=logits.dtype, device=logits.device).requires_grad_()
    sgd = torch.optim.SGD([both], lr, momentum=0.9)
    for _ in range(steps):
        alpha, beta = both
        corrected = torch.cat([logits[:, :old], alpha * logits[:, old:] + beta], 1)
        loss = F.cross_entropy(corrected, targets) + 0.05 * beta.square()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    return tuple(both.tolist())


def of_each_class(y, count):
    """Up to so many places of each class of y [N], at random, but never all of them."""
    found = [torch.zeros(0, dtype=torch.int64)]
    for c in sorted(set(y.tolist())):
        mine = (y == c).nonzero().flatten().cpu()
        order = torch.from_numpy(np.random.permutation(len(mine)))
        found.append(mine[order[:min(count, len(mine) - 1)]])
    return torch.cat(found)


def without(n, places):
    """The numbers below n that are not among the places."""
    return torch.from_numpy(np.setdiff1d(np.arange(n), places))


class Appr(exemplars.Distilled):
    """Stage 1 learns the task's data and exemplars and distils the old network (Eq. 1-3); stage 2 corrects what
    favours the new classes: their logits become alpha z + beta, fitted on a held-out set that has as many
    samples of every class, with the network as it is (Eq. 4-5).

    As in FACIL every task keeps its own alpha and beta, by which the network and the old one that teaches it
    are corrected from then on, and beta^2 is held down. Unlike there, stage 2 takes full batches, and the
    exemplars are split anew for every task, so that all of the buffer's take part. Accuracies within training
    are those before the task's correction.
    """

    family = 'replay'
    hyperparameters = (
        exemplars.T,
        Hyper('held_out', float, 0.1, (.1, .2), 'share of the exemplars that is held out for stage 2, and as '
              'many samples of new classes', 'Section 6.1', above=0, most=0.5),
        Hyper('stage2', int, 200, (100, 200, 500), 'steps of stage 2', 'value: FACIL', least=0, most=10 ** 6,
              short=2),
        Hyper('stage2_lr', float, 0.1, (.01, .1), 'its learning rate', 'value: FACIL', above=0),
        replay.SIZE, exemplars.POLICY,
    )
    held = None  # places of exemplars and rows of the task's data that are held out, while it is learnt

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.corrections = []  # (alpha, beta) of each task so far

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        same = xvalid is xtrain and yvalid is ytrain
        if self.at['task'] is None:  # not resumed within the task
            self.held = self.split(t, ytrain)
        apart, rows = self.held
        kept = self.memory.take(apart, xtrain.device) if len(apart) else None
        new, y = part(xtrain, rows), ytrain[rows.to(ytrain.device)]
        left = without(len(ytrain), rows)
        xtrain, ytrain = part(xtrain, left), ytrain[left.to(ytrain.device)]
        super().train(t, xtrain, ytrain, *((xtrain, ytrain) if same else (xvalid, yvalid)))
        self.held = None
        found = (1., 0.)
        if kept is not None and len(rows):
            sets = [(t, new), (kept.t, kept.x)]
            found = self.correct(t, Joined(sets), torch.cat([y, kept.y.to(y.device)]))
        self.corrections.append(found)

    def split(self, t, y):
        """(places of exemplars, rows of task t's data with labels y [N]) to hold out, as many of each class: of
        those that came before among the exemplars alone. Where none is new, nothing is to be corrected."""
        memory, numbers = self.memory, self.scenario.numbered(t, y)
        fresh = (numbers >= self.scenario.shifts[t]).nonzero().flatten()
        if not len(memory) or not len(fresh):
            return torch.zeros(2, 0, dtype=torch.int64).unbind()
        count = math.ceil(self.held_out * min(memory.counts.values()))
        kept = of_each_class(self.scenario.numbered(memory.t, memory.y), count)
        return kept, fresh.cpu()[of_each_class(numbers[fresh], count)]

    def places(self):
        return without(len(self.memory), self.held[0])

    def correct(self, t, x, y):
        """Stage 2: (alpha, beta) of task t."""
        logits = evaluation.logits(self, t, x).clone()  # which gradients may pass
        targets = self.scenario.numbered(x.tasks.to(y.device), y)
        return correction(logits, targets, self.scenario.shifts[t], self.stage2, self.stage2_lr)

    def taught(self, outputs):
        """Logits of all heads, those of tasks that have a correction corrected."""
        pairs = zip(outputs, self.corrections)
        changed = [None if z is None else alpha * z + beta for z, (alpha, beta) in pairs]
        return [*changed, *outputs[len(changed):]]

    def outputs(self, batch):
        return self.taught(super().outputs(batch))

    def kd(self, new, old):
        """The distillation loss at temperature T (Eq. 1), not times T^2."""
        return distillation.softened(new, old, self.T)

    def report_lines(self):
        """Says what the last correction is, which may go astray on few samples."""
        lines = super().report_lines()
        if len(self.corrections) > 1:
            lines.append('Bias correction: alpha %.3f, beta %.3f' % self.corrections[-1])
        return lines
