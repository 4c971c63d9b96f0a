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

    def begin_pass(self, t):
        """Collects what the penalty of task t is about: (weights, old weights, strength * F) of all but the heads of other
        tasks, which never leave their old weights. In evaluation, computes the penalty once for all batches."""
        self.pulled = []
        if t > 0:
            for n, p in self.model.named_parameters():
                if not n.startswith('last.') or n.startswith('last.%d.' % t):
                    strength = self.strength() * (1 if self.fisher is None else self.fisher[n])
                    self.pulled.append((p, self.old[n], strength))
        if not self.model.training:
            self.penalty = sum((strength * (p - old).pow(2)).sum() for p, old, strength in self.pulled) / 2

    def criterion(self, t, output, targets):
        """Cross-entropy, in evaluation with the penalty; in training the penalty's gradient is added by adjust()."""
        loss = super().criterion(t, output, targets)
        return loss if self.model.training else loss + self.penalty

    def adjust(self, t):
        """Adds the penalty's gradient, strength * F * (theta - theta_old)."""
        with torch.no_grad():
            for p, old, strength in self.pulled:
                pull = torch.sub(p, old).mul_(strength)
                p.grad = pull if p.grad is None else p.grad.add_(pull)

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
