"""What methods share that hold weights to those of earlier tasks: the anchor, and the Fisher information."""
from torch.nn import functional as F

from approaches import base
from approaches.hyper import Hyper
from learning import fisher
from networks import layers

FISHER = Hyper('fisher', str, 'batch', help='how it is estimated: from batches of fisher_sbatch, as the '
               'original does; from single samples and their labels; or exact, the expectation over the '
               'labels that the model predicts', choices=('batch', 'sample', 'exact'),
               source='Kirkpatrick et al.; van de Ven et al., 2022', positional=False)
FISHER_SBATCH = Hyper('fisher_sbatch', int, 20, help='samples per batch of the Fisher diagonal, the mean '
                      'over batches of batch size * (gradient of the mean loss)^2', source='value: the '
                      'original scripts', least=1, most=10 ** 6, positional=False)


class Anchored(base.Appr):
    """old: {parameter's name: its value after the last task}, empty before the first is learnt. A method
    writes penalty(), the square that it adds to the loss."""

    scenarios = ('task', 'class', 'domain')
    replays = False  # whether a task trains other heads than its own, by samples of earlier tasks
    fisher = 'batch'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.old = {}

    def importance(self):
        """Return {parameter's name: c}, or one number for all, of a penalty that is 1/2 * sum of c (theta -
        old)^2: for what computes it in closed form. None where it is none such."""

    def weighted_square(self, weight):
        """Return the sum of weight (theta - theta_old)^2 over what is held, a scalar tensor, or 0 before there
        are old weights; weight: {parameter's name: tensor}, or one number for all."""
        weights = weight if isinstance(weight, dict) else dict.fromkeys(self.old, weight)
        there = self.held_params().items() if self.old else ()
        return sum((weights[n] * (p - self.old[n]).square()).sum() for n, p in there)

    def held_params(self):
        """Return {parameter's name: parameter} of the weights that are held: heads that are not trained
        with the present task never leave theirs and are left out."""
        heads, used = layers.heads(self.model), self.scenario.heads(self.seen - 1, self.seen, training=True)
        if self.recipe.joined_heads or self.replays:
            return self.params()
        used = (used,) if isinstance(used, int) else used
        others = {id(p) for u, head in enumerate(heads) if u not in used for p in head.parameters()}
        return {n: p for n, p in self.params().items() if id(p) not in others}

    def end_task(self, t, x, y):
        super().end_task(t, x, y)
        self.old = {n: p.detach().clone() for n, p in self.params().items()}

    def fisher_diagonal(self, t, x, y):
        """{parameter's name: F}, of the cross-entropy of task t on x [N,...], y [N], as the
        hyper-parameter fisher says."""
        def cross_entropy(batch, reduction='mean'):
            return F.cross_entropy(*self.compete(batch), reduction=reduction)
        return fisher.KINDS[self.fisher](self, cross_entropy, t, x, y, getattr(self, 'fisher_sbatch', 20))
