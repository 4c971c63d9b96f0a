"""PackNet: Mallya & Lazebnik, Adding Multiple Tasks to a Single Network by Iterative Pruning, CVPR 2018 (arXiv 1711.05769)."""
import torch

from approaches import masked
from approaches.hyper import Hyper
from networks import layers


def prune(weight, owner, task, fraction):
    """Give the free weights of a layer (owner 0) to a task (from 1), but for the smallest share, which
    become 0 and stay free; in place. As in the authors' code, those up to the size of rank round(fraction *
    count) go."""
    free = owner == 0
    rank = round(fraction * int(free.sum()))
    if rank:
        cutoff = weight[free].abs().kthvalue(rank).values
        weight[free & (weight.abs() <= cutoff)] = 0
        free &= weight.abs() > cutoff
    owner[free] = task


class Appr(masked.Masked):
    """Trains the free weights, prunes the smallest of them, trains the rest again and freezes it; a task sees
    the weights that it and earlier tasks own, later ones are 0 to it (Section 3).

    fraction 0 leaves every task the same number: of T tasks, the t-th prunes 1 - 1/(T-t+1) of what is free,
    the last nothing. Biases are those of the first task, as in the authors' code.
    """

    family = 'isolation'
    hyperparameters = (
        Hyper('fraction', float, 0., (0, .5, .75), 'share of the free weights that a task prunes away; 0: '
              'so that tasks get the same number', 'Section 4, 0.5 and 0.75', least=0, most=0.99),
        Hyper('retrain', int, 10, (5, 10, 20), 'epochs after pruning, at most', 'Section 4', least=1,
              most=10 ** 6, short=1),
    )
    phases, learnt = 2, 0  # learnt: number of tasks that are frozen

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.owners = {n: torch.zeros_like(self.params()[n], dtype=torch.int16) for n in self.masked}

    def epochs(self, n, phase):
        return self.retrain if phase and self.recipe.iterations is None else super().epochs(n, phase)

    def masks_of(self, t):
        """Of a task that is frozen, its weights and those of earlier ones."""
        return {n: (o > 0) & (o <= t + 1) for n, o in self.owners.items()} if t < self.learnt else {}

    def movable(self, t):
        """The free weights; after pruning, the task's own."""
        return {n: owner == self.at['phase'] * (t + 1) for n, owner in self.owners.items()}

    def end_phase(self, t, phase):
        if phase:
            self.learnt = t + 1
            return
        fraction = self.fraction or 1 - 1 / (len(layers.heads(self.model)) - t)
        for n, owner in self.owners.items():
            prune(self.params()[n].detach(), owner, t + 1, fraction)

    def owned(self):
        return {n: owner > 0 for n, owner in self.owners.items()}
