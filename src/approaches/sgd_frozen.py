"""Feature extraction: the first task trains the whole network, later ones only their heads."""
import utils
from approaches import base
from networks import layers


class Appr(base.Appr):
    """Freezes everything but the heads, running statistics included, once the first task is learnt (SGD-F in
    Serrà et al., 2018, Section 4.1)."""

    family = 'baselines'
    first_norms = True
    promise = 'exact'
    scenarios = ('task', 'class', 'domain')

    def end_task(self, t, x, y):
        utils.freeze_model(self.model)
        for module in layers.of_tasks(self.model):
            module.requires_grad_()
