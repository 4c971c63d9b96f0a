"""MAS: Aljundi et al., Memory Aware Synapses, ECCV 2018 (arXiv 1711.09601)."""
import torch

from approaches import anchored
from approaches.hyper import Hyper
from learning import samples
from learning.batch import parts


class Appr(anchored.Anchored):
    """A weight matters as much as the squared norm of the outputs reacts to it, whatever the labels.

    The absolute value is of each sample's gradient, as the paper has it; its code sums over a batch first,
    where signs cancel. Importances of the tasks add up, as in that code.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 1., (.1, 1, 10, 100, 1000), 'weight of the penalty', 'Eq. 4, lambda', least=0),
    )
    clipgrad = 100
    omega = None  # {parameter's name: Omega, the sum over the tasks so far}

    def penalty(self):
        """lamb * sum of Omega (theta - theta_old)^2 (Eq. 4; no 1/2)."""
        return self.lamb * self.weighted_square(self.omega)

    def importance(self):
        return {n: 2 * self.lamb * o for n, o in self.omega.items()}

    def end_task(self, t, x, y):
        """Omega += 1/N sum_k |d ||F(x_k)||^2 / d theta| (Eq. 2 and 3), F the logits that compete."""
        super().end_task(t, x, y)
        batches = parts(t, x, y, samples.size(self.model), self.device)
        found = samples.total(self.model, lambda batch: self.compete(batch)[0].square().sum(), batches, torch.abs)
        before = self.omega or {}
        self.omega = {n: o / len(y) + before.get(n, 0) for n, o in found.items()}
