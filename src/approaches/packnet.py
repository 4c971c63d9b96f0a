"""PackNet: Mallya & Lazebnik, Adding Multiple Tasks to a Single Network by Iterative Pruning, CVPR 2018 (arXiv 1711.05769)."""
import torch

from approaches import base
from approaches.hyper import Hyper
from learning import braking
from learning.shadow import Shadow
from networks import layers


def prune(weight, owner, task, fraction):
    """Gives the free weights of a layer (owner 0) to a task (from 1), but for the smallest share of them,
    which become 0 and stay free; in place. As in the authors' code, the weights up to the size of rank
    round(fraction * count) go, ties included."""
    free = owner == 0
    rank = round(fraction * int(free.sum()))
    if rank:
        cutoff = weight[free].abs().kthvalue(rank).values
        weight[free & (weight.abs() <= cutoff)] = 0
        free &= weight.abs() > cutoff
    owner[free] = task


class Appr(base.Appr):
    """Trains the free weights, prunes the smallest of them, trains the rest again and freezes it; a task sees
    the weights that it and earlier tasks own, later ones are 0 to it (Section 3).

    fraction 0 leaves every task the same number: of T tasks, the t-th prunes 1 - 1/(T-t+1) of what is free,
    the last nothing. Biases and normalising layers are those of the first task, as in the authors' code;
    heads are per task and not pruned. The second training has `retrain` epochs. Of an optimizer that
    remembers, or that decays weights, the step itself is masked, not the gradient alone.
    """

    family = 'isolation'
    hyperparameters = (
        Hyper('fraction', float, 0., (0, .5, .75), 'share of the free weights that a task prunes away; 0: '
              'so that tasks get the same number', 'Section 4, 0.5 and 0.75', least=0, most=0.99),
        Hyper('retrain', int, 10, (5, 10, 20), 'epochs after pruning, at most', 'Section 4', least=1,
              most=10 ** 6, short=1),
    )
    phases, first_norms = 2, True
    scenarios, isolated = ('task', 'class', 'domain'), True
    promise = 'exact'
    learnt = 0  # number of tasks that are frozen

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        heads = {id(p) for module in layers.of_tasks(self.model) for p in module.parameters()}
        self.shared = {n for n, p in self.params().items() if id(p) not in heads}
        weights = {n: p for n, p in self.params().items() if n in self.shared and p.dim() > 1}
        self.owners = {n: torch.zeros_like(p, dtype=torch.int16) for n, p in weights.items()}

    def epochs(self, n, phase):
        """After pruning `retrain`."""
        return self.retrain if phase and self.recipe.iterations is None else super().epochs(n, phase)

    def weights_of(self, t):
        """A task that is frozen sees its weights and those of earlier ones alone."""
        there = super().weights_of(t)
        if t < self.learnt:
            there.update({n: there[n] * ((o > 0) & (o <= t + 1)) for n, o in self.owners.items()})
        return there

    def outputs(self, batch):
        """By the weights that the task sees."""
        if batch.task >= self.learnt:
            return super().outputs(batch)
        with self.under(Shadow(self.model, self.weights_of(batch.task))):
            return super().outputs(batch)

    def rates(self, t):
        """Return [(parameter, the share of its step that is left to it)] in task t, of 0s and 1s: 0 for
        weights of earlier tasks and, after pruning, for free ones; for biases after the first task."""
        mine, there = self.at['phase'] * (t + 1), self.params()
        found = [(there[n], (owner == mine).to(there[n].dtype)) for n, owner in self.owners.items()]
        rest = self.shared - self.owners.keys() if t else ()
        return found + [(there[n], torch.zeros_like(there[n])) for n in rest]

    def after_backward(self, batch):
        """Keeps what is not the task's to move."""
        braking.hold(self.optimizer, batch, self.rates(batch.task))

    def after_step(self, batch):
        braking.finish(batch)

    def end_phase(self, t, phase):
        """Prunes; after the second training, freezes."""
        if phase:
            self.learnt = t + 1
            return
        fraction = self.fraction or 1 - 1 / (len(layers.heads(self.model)) - t)
        for n, owner in self.owners.items():
            prune(self.params()[n].detach(), owner, t + 1, fraction)

    def guarded(self):
        """The weights that have owners."""
        return {n: owner > 0 for n, owner in self.owners.items()}
