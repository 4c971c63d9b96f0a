"""Training each task alone: what a network reaches without any transfer."""
import utils
from approaches import base


class Appr(base.Appr):
    """Starts every task from the initial weights."""

    family = 'baselines'
    scenarios = ('task', 'class', 'domain')

    def __init__(self, model, *args, **kwargs):
        super().__init__(model, *args, **kwargs)
        self.initial_model = utils.get_model(model)

    def begin_task(self, t, x, y):
        utils.set_model_(self.model, self.initial_model)
