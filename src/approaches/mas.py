"""MAS: Aljundi et al., Memory Aware Synapses, ECCV 2018 (arXiv 1711.09601)."""
import torch

from approaches import keeps, quadratic
from approaches.hyper import Hyper
from engine import samples


class Appr(quadratic.Anchored):
    """A weight matters as much as the squared norm of the outputs reacts to it, whatever the labels.

    The absolute value is of each sample's gradient, as the paper has it; its code sums over a batch first, where signs cancel.
    Importances of the tasks add up, as in that code.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 1., (.1, 1, 10, 100, 1000), 'weight of the penalty', 'Eq. 4, lambda', least=0),
    )
    clipgrad = 100
    state = {'old': keeps.parameters, 'importance': keeps.parameters}
    importance = None  # {parameter's name: Omega, the sum over the tasks so far}

    def penalty(self, t):
        """lamb * sum of Omega (theta - theta_old)^2 (Eq. 4; no 1/2)."""
        return self.pull(t, {n: 2 * self.lamb * o for n, o in (self.importance or {}).items()})

    def end_task(self, t, x, y):
        """Omega += 1/N sum_k |d ||F(x_k)||^2 / d theta| (Eq. 2 and 3), F the logits that compete."""
        self.anchor()
        found = samples.total(self.model, lambda images, _: self.logits(t, images).square().sum(), x, y, torch.abs)
        before = self.importance or {}
        self.importance = {n: o / len(x) + before.get(n, 0) for n, o in found.items()}
