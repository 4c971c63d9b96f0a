"""Quadratic penalties around the weights of earlier tasks, and the Fisher information that weighs them."""
import torch

from approaches import base
from approaches.hyper import Hyper

FISHER_SBATCH = Hyper('fisher_sbatch', int, 20, help='samples per batch of the Fisher diagonal, the mean over batches '
                      'of batch size * (gradient of the mean loss)^2', source='value: the original scripts', least=1, most=10 ** 6,
                      positional=False)


class Anchored(base.Appr):
    """Adds strength() / 2 * sum of F * (theta - theta_old)^2 to the cross-entropy from the second task on."""

    state = ('old', 'fisher')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.old, self.fisher = {}, None  # {parameter's name: tensor}; F = 1 everywhere if None

    def criterion(self, t, output, targets):
        """Cross-entropy and penalty."""
        loss = super().criterion(t, output, targets)
        if t > 0:
            loss = loss + self.strength() * sum(
                self.penalty(n, p) for n, p in self.model.named_parameters()) / 2
        return loss

    def strength(self):
        """Weight of the penalty."""
        return self.lamb

    def penalty(self, n, p):
        """Sum of F * (theta - theta_old)^2 over one parameter."""
        distance = (p - self.old[n]).pow(2)
        return (distance if self.fisher is None else self.fisher[n] * distance).sum()

    def anchor(self):
        """Makes the present weights the old ones."""
        self.old = {n: p.detach().clone() for n, p in self.model.named_parameters()}

    def fisher_diagonal(self, t, x, y):
        """{parameter's name: F}, of the cross-entropy of task t on x [N,...], y [N].

        Computed in training mode, with dropout, in batches: squaring the gradient of a batch's mean loss makes F about
        batch size times smaller than from single samples, which is why the best penalty weights are so large.
        """
        fisher = {n: torch.zeros_like(p) for n, p in self.model.named_parameters()}
        self.model.train()
        for i in range(0, len(x), self.fisher_sbatch):
            images, targets = x[i:i + self.fisher_sbatch].to(self.device), y[i:i + self.fisher_sbatch].to(self.device)
            self.model.zero_grad()
            base.Appr.criterion(self, t, self.model(images)[t], targets).backward()
            for n, p in self.model.named_parameters():
                if p.grad is not None:
                    fisher[n] += self.fisher_sbatch * p.grad.pow(2)
        self.model.zero_grad()
        return {n: f / len(x) for n, f in fisher.items()}
