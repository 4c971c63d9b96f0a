"""SI: Zenke, Poole & Ganguli, Continual Learning Through Synaptic Intelligence, ICML 2017 (arXiv 1703.04200)."""
import torch

from approaches import anchored
from approaches.hyper import Hyper
from learning.path import add_falls, noted


class Appr(anchored.Anchored):
    """A weight matters as much as its way through training has lowered the loss. The gradient in the path
    integral is that of the loss without the penalty, before clipping; an importance that falls below 0
    goes on from 0, as in the authors' code."""

    family = 'regularisation'
    hyperparameters = (
        Hyper('c', float, 1., (.001, .01, .1, 1, 10, 100), 'weight of the penalty', 'Eq. 4, c; value: '
              'Section 4.1', least=0),
        Hyper('xi', float, 0.1, (.001, .1, 1), 'keeps importances of weights that hardly moved finite',
              'Eq. 5, xi', above=0),
    )
    clipgrad = 100
    omega = path = begin = None  # {parameter's name: Omega, w, the weights at the task's beginning}

    def begin_task(self, t, x, y):
        """w = 0."""
        self.begin = {n: p.detach().clone() for n, p in self.params().items()}
        self.path = {n: torch.zeros_like(p) for n, p in self.begin.items()}

    def after_backward(self, batch):
        batch.noted = noted(self.params())

    def penalty(self):
        """c * sum of Omega (theta - theta_old)^2 (Eq. 4; no 1/2)."""
        return self.c * self.weighted_square(self.omega)

    def importance(self):
        return {n: 2 * self.c * o for n, o in self.omega.items()}

    def after_step(self, batch):
        """w += -g * (theta_after - theta_before) (Eq. 3)."""
        add_falls(self.path, batch.noted, self.params())

    def end_task(self, t, x, y):
        """Omega = max(0, Omega + w / ((theta_end - theta_begin)^2 + xi)) (Eq. 5)."""
        super().end_task(t, x, y)
        new = {n: w / ((self.old[n] - self.begin[n]).square() + self.xi) for n, w in self.path.items()}
        self.omega = {n: ((self.omega[n] if self.omega else 0) + o).clamp(min=0) for n, o in new.items()}
