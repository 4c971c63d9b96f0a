"""One network per task, full-sized and from the same initial weights: nothing is forgotten, nothing shared."""
import utils
from approaches import sgd_restart
from learning.shadow import Shadow


class Appr(sgd_restart.Appr):
    """Backward transfer is 0 by construction. Where the task is not told, it is inferred from all networks."""

    family = 'baselines'
    isolated = True
    promise = 'exact'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.nets = {}  # {task: weights}

    def outputs(self, batch):
        if batch.task not in self.nets:
            return super().outputs(batch)
        with self.under(Shadow(self.model, self.nets[batch.task])):
            return super().outputs(batch)

    def weights_of(self, t):
        return self.nets.get(t) or super().weights_of(t)

    def end_task(self, t, x, y):
        self.nets[t] = utils.get_model(self.model)
