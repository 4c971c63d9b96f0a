"""LwF: Li & Hoiem, Learning without Forgetting, ECCV 2016 (arXiv 1606.09282)."""
import torch

from approaches import base, weighting
from approaches.hyper import Hyper
from learning import distillation
from learning.scenario import joined


class Appr(base.Appr):
    """Keeps the old heads' outputs, on the new task's images, near those of the model before the task."""

    family = 'distillation'
    hyperparameters = (
        Hyper('lamb', float, 2., (.1, .5, 1, 2, 4, 8, 10), 'weight of the distillation loss',
              'Fig. 3, lambda_o', least=0),
        Hyper('T', float, 1., (.5, 1, 2, 4), 'temperature of the distillation', 'Eq. 3', above=0),
        weighting.HYPER,
    )
    clipgrad = 100
    scenarios = ('task', 'class', 'domain')
    model_old = None  # the network after the last task

    def loss(self, batch):
        """Cross-entropy + lamb * the sum over old heads of their distillation loss (Eq. 2-4); weighed by
        tasks, their mean."""
        outputs, t = self.model(batch.x), batch.task
        loss = self.criterion(*self.compete(batch, outputs))
        if t == 0:
            return loss
        with torch.no_grad():
            old = self.model_old(batch.x)
        students = self.scenario.students(t, outputs, self.seen, self.model.training)
        kept = [distillation.softened(new, joined(old, heads), self.T) for heads, new in students]
        if self.weighting == 'even':
            return loss + self.lamb * sum(kept)
        return weighting.by_tasks(t, loss, self.lamb * sum(kept) / len(kept))

    def end_task(self, t, x, y):
        self.model_old = distillation.frozen(self.model)
