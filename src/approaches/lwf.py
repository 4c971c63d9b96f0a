"""LwF: Li & Hoiem, Learning without Forgetting, ECCV 2016 (arXiv 1606.09282)."""
from copy import deepcopy

import torch

import utils
from approaches import base
from approaches.hyper import Hyper


def distillation(output, target, T=1., eps=1e-5):
    """Cross-entropy between the softened probabilities of two logits [B, classes], mean over the batch (their Eq. 2-3).

    Probabilities are raised to 1/T and renormalised; eps keeps the logarithm finite.
    """
    output, target = (torch.softmax(logits, 1) for logits in (output, target))
    if T != 1:
        output, target = (p.pow(1 / T) / p.pow(1 / T).sum(1, keepdim=True) for p in (output, target))
    output = output + eps / output.size(1)
    output = output / output.sum(1, keepdim=True)
    return -(target * output.log()).sum(1).mean()


class Appr(base.Appr):
    """Keeps the old heads' outputs, on the new task's images, near those of the model before the task."""

    hyperparameters = (
        Hyper('lamb', float, 2., (.1, .5, 1, 2, 4, 8, 10), 'weight of the distillation loss', 'Fig. 3, lambda_o',
              least=0),
        Hyper('T', float, 1., (.5, 1, 2, 4), 'temperature of the distillation', 'Eq. 3', above=0),
    )
    clipgrad = 100
    state = ('model_old',)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.model_old = None

    def forward(self, t, x, y):
        """As base.forward, with the old model's outputs as further targets."""
        outputs = self.model(x)
        loss = torch.nn.functional.cross_entropy(outputs[t], y)
        if t > 0:
            with torch.no_grad():
                old = self.model_old(x)
            loss = loss + self.lamb * sum(distillation(outputs[u], old[u], self.T) for u in range(t))
        return loss, self.hits(outputs[t], y)

    def end_task(self, t, x, y):
        """Keeps a frozen copy of the model."""
        self.model_old = deepcopy(self.model).eval()
        utils.freeze_model(self.model_old)
