"""Plain fine-tuning, one task after another: the usual lower bound of continual learning."""
from approaches import base


class Appr(base.Appr):
    """Stochastic gradient descent over all parameters, with nothing against forgetting."""

    family = 'baselines'
    scenarios = ('task', 'class', 'domain')
