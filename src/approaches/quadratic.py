"""Quadratic penalties around the weights of earlier tasks, and the Fisher information that weighs them."""
import math

import torch

from approaches import base
from approaches.hyper import Hyper

FISHER_SBATCH = Hyper('fisher_sbatch', int, 20, help='samples per batch of the Fisher diagonal, the mean over batches '
                      'of batch size * (gradient of the mean loss)^2', source='value: the original scripts', least=1, most=10 ** 6,
                      positional=False)


class Anchored(base.Appr):
    """Adds strength() / 2 * sum of F * (theta - theta_old)^2 to the cross-entropy from the second task on."""

    state = ('old', 'fisher')
    capturable = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.old, self.fisher = {}, None  # {parameter's name: tensor}; F = 1 everywhere if None

    def begin_pass(self, t):
        """Collects what the penalty of task t is about: (weights, old weights, strength * F) of all but the heads of other
        tasks, which never leave their old weights. In evaluation, computes the penalty once for all batches."""
        self.pulled, self.reach = [], math.inf
        if t > 0:
            for n, p in self.model.named_parameters():
                if not n.startswith('last.') or n.startswith('last.%d.' % t):
                    self.pulled.append((p, self.old[n], self.strength() * (
                        torch.ones(()) if self.fisher is None else self.fisher[n])))
        if not self.model.training:
            self.penalty = sum((strength * (p - old).pow(2)).sum() for p, old, strength in self.pulled) / 2
            return
        lr = self.optimizer.param_groups[0]['lr']
        self.steepest = max((strength.max().item() for _, _, strength in self.pulled), default=0.)
        self.pulled = [(p, old, strength.mul_(lr).to(p.device)) for p, old, strength in self.pulled]

    def criterion(self, t, output, targets):
        """Cross-entropy, in evaluation with the penalty; in training its gradient is added in closed form."""
        loss = super().criterion(t, output, targets)
        return loss if self.model.training else loss + self.penalty

    def complete(self, t):
        """Adds the penalty's gradient, strength * F * (theta - theta_old)."""
        lr = self.optimizer.param_groups[0]['lr']
        for p, old, pull in self.pulled:
            gradient = torch.sub(p, old).mul_(pull).mul_(1 / lr)
            p.grad = gradient if p.grad is None else p.grad.add_(gradient)

    def within(self, bound, lr):
        """As in base; the penalty's gradient is not formed, but its step taken, in one pass over the weights.

        Its norm is computed now and then. Between, it can have grown by its steepest slope times the way of each step.
        """
        if self.pulled and not bound + self.reach <= self.clipgrad:
            self.reach = sum((torch.sub(p, old).mul_(pull)).norm() for p, old, pull in self.pulled).item() / lr
        if not self.pulled:
            return super().within(bound, lr)
        if not bound + self.reach <= self.clipgrad:
            self.reach = math.inf  # the step to come is not one of those that are added up here
            return False
        for p, old, pull in self.pulled:
            p.lerp_(old, pull)
        self.reach += self.steepest * lr * (bound + self.reach)
        return True

    def strength(self):
        """Weight of the penalty."""
        return self.lamb

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
            torch.nn.functional.cross_entropy(self.logits(t, images), targets).backward()
            for n, p in self.model.named_parameters():
                if p.grad is not None:
                    fisher[n].addcmul_(p.grad, p.grad, value=self.fisher_sbatch)
        self.model.zero_grad()
        return {n: f / len(x) for n, f in fisher.items()}
