"""PackNet: Mallya & Lazebnik, Adding Multiple Tasks to a Single Network by Iterative Pruning, CVPR 2018 (arXiv 1711.05769)."""
import torch

from approaches import base, keeps
from approaches.hyper import Hyper
from networks import layers


def prune(weight, owner, task, fraction):
    """Gives the free weights of a layer (owner 0) to a task (from 1), but for the smallest share of them, which become 0 and stay
    free; in place. As in the authors' code, the weights up to the size of rank round(fraction * count) go, ties included."""
    free = owner == 0
    rank = round(fraction * int(free.sum()))
    if rank:
        cutoff = weight[free].abs().kthvalue(rank).values
        weight[free & (weight.abs() <= cutoff)] = 0
        free &= weight.abs() > cutoff
    owner[free] = task


def owners(appr, value, done):
    """Whether a value can be the owners of all weights."""
    return keeps.alike(value, appr.owners) and all(int(o.max()) <= done + 1 for o in value.values())


class Appr(base.Appr):
    """Trains the free weights, prunes the smallest of them, trains the rest again and freezes it; a task sees the weights that it and
    earlier tasks own, later ones are 0 to it (Section 3).

    fraction 0 leaves every task the same number: of T tasks, the t-th prunes 1 - 1/(T-t+1) of what is free,
    the last nothing. Biases and normalising layers are those of the first task, as in the authors' code;
    heads are per task and not pruned. The second training has `retrain` epochs.
    """

    family = 'isolation'
    hyperparameters = (
        Hyper('fraction', float, 0., (0, .5, .75), 'share of the free weights that a task prunes away; 0: so that tasks get the '
              'same number', 'Section 4, 0.5 and 0.75', least=0, most=0.99),
        Hyper('retrain', int, 10, (5, 10, 20), 'epochs after pruning, at most', 'Section 4', least=1, most=10 ** 6),
    )
    scenarios, isolated, first_norms = ('task', 'class', 'domain'), True, True
    own_optimizer = 'momentum, weight decay and Adam move weights whose gradient is masked, and with them earlier tasks'
    state = {'owners': owners, 'learnt': lambda self, value, done: value == done}
    sets_loop_names = 'position', 'where'
    learnt = 0  # number of tasks that are frozen

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        heads = {id(p) for head in layers.heads(self.model) for p in head.parameters()}
        self.shared = {n for n, p in self.model.named_parameters() if id(p) not in heads}
        self.owners = {n: torch.zeros_like(p, dtype=torch.int16) for n, p in self.model.named_parameters()
                       if n in self.shared and p.dim() > 1}

    def seen_by(self, task):
        """{name: weight} as a task (from 1) sees them."""
        there = dict(self.model.named_parameters())
        return {n: there[n] * ((o > 0) & (o <= task)) for n, o in self.owners.items()}

    def logits(self, t, x):
        """Task t's logits; of a task that is frozen, with its weights and those of earlier ones alone."""
        if t >= self.learnt:
            return super().logits(t, x)
        with self.under(self.seen_by(t + 1)):
            return super().logits(t, x)

    def weights(self, t):
        """As in competing."""
        return {**super().weights(t), **(self.seen_by(t + 1) if t < self.learnt else {})}

    def before_step(self, t):
        """No gradient for weights of earlier tasks nor, after pruning, for free ones; none for biases after the first task."""
        mine = 0 if self.position['phase'] == 0 else t + 1
        for n, p in self.model.named_parameters():
            if n in self.owners and p.grad is not None:
                p.grad.mul_(self.owners[n] == mine)
            elif n in self.shared and t > 0 and p.grad is not None:
                p.grad.zero_()

    def guarded(self):
        """The weights that have owners."""
        return {n: owner > 0 for n, owner in self.owners.items()}

    def start(self):
        """As in base; phase 1 is the training after pruning."""
        return {**super().start(), 'phase': 0}

    def all_epochs(self, n):
        """As in schedule."""
        return super().all_epochs(n) + self.retrain

    def shorten(self, epochs):
        """As in schedule."""
        super().shorten(epochs)
        self.retrain = 1

    def within(self, at):
        """As in base."""
        return super().within(at) and at['phase'] in (0, 1)

    def fit(self, t, *data):
        """Trains, prunes, trains again."""
        self.where = {'Phase': 1}
        if self.position is None or self.position['phase'] == 0:
            super().fit(t, *data)
            left = len(layers.heads(self.model)) - t
            with torch.no_grad():
                for n, p in self.model.named_parameters():
                    if n in self.owners:
                        prune(p, self.owners[n], t + 1, self.fraction or 1 - 1 / left)
            self.position = {**self.start(), 'phase': 1}
        self.where = {'Phase': 2}
        nepochs, self.nepochs = self.nepochs, self.retrain
        try:
            super().fit(t, *data)
        finally:
            self.nepochs, self.where = nepochs, {}

    def end_task(self, t, x, y):
        """The task's weights are frozen."""
        self.learnt = t + 1
