"""LwF: Li & Hoiem, Learning without Forgetting, ECCV 2016 (arXiv 1606.09282)."""
from copy import deepcopy

import torch

import utils
from approaches import base, keeps, weighting
from approaches.hyper import Hyper
from approaches.scenarios import joined
from engine.original import cross_entropy


class Appr(base.Appr):
    """Keeps the old heads' outputs, on the new task's images, near those of the model before the task."""

    family = 'distillation'
    hyperparameters = (
        Hyper('lamb', float, 2., (.1, .5, 1, 2, 4, 8, 10), 'weight of the distillation loss', 'Fig. 3, lambda_o',
              least=0),
        Hyper('T', float, 1., (.5, 1, 2, 4), 'temperature of the distillation', 'Eq. 3', above=0),
        weighting.HYPER,
    )
    clipgrad = 100
    scenarios = ('task', 'class', 'domain')
    state = {'model_old': keeps.network}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.model_old = None

    def forward(self, t, x, y):
        """Cross-entropy + lamb * the sum over old heads of their distillation loss (Eq. 2-4); weighed by tasks, their mean."""
        outputs, y = self.model(x), self.targets(t, y)
        output = joined(outputs, self.heads(t))
        loss = torch.nn.functional.cross_entropy(output, y)
        if t > 0:
            with torch.no_grad():
                old = self.model_old(x)
            parts = [self.distilled(new, joined(old, heads)) for heads, new in self.students(t, outputs)]
            loss = loss + self.lamb * sum(parts) if self.weighting == 'even' else weighting.by_tasks(
                t, loss, self.lamb * sum(parts) / len(parts))
        return loss, self.hits(output, y)

    def distilled(self, new, old):
        """The cross-entropy to old outputs (Eq. 3); classes that compete now and did not then have probability 0 there (van de Ven
        et al., 2022), those that do not compete are left out."""
        return cross_entropy(new, torch.nn.functional.pad(old, (0, new.shape[1] - old.shape[1]), value=-torch.inf), exp=1 / self.T)

    def end_task(self, t, x, y):
        """Keeps a frozen copy of the model."""
        self.model_old = deepcopy(self.model).eval()
        utils.freeze_model(self.model_old)
