"""What methods share that hold weights to those of earlier tasks: the anchor, the penalty, the Fisher information."""
import torch

from approaches import base, keeps
from approaches.hyper import Hyper
from engine import fisher
from engine.penalty import Quadratic
from networks import layers

FISHER_SBATCH = Hyper('fisher_sbatch', int, 20, help='samples per batch of the Fisher diagonal, the mean over batches '
                      'of batch size * (gradient of the mean loss)^2', source='value: the original scripts', least=1, most=10 ** 6,
                      positional=False)


class Anchored(base.Appr):
    """Keeps the weights of the earlier tasks, `old`, {parameter's name: tensor}, empty before the first is learnt."""

    state = {'old': keeps.parameters}
    capturable = True
    scenarios = ('task', 'class', 'domain')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.old = {}

    def pull(self, t, c):
        """1/2 * sum of c * (theta - theta_old)^2 over all weights; c: {name: tensor} or a number. None before there are old
        weights. Heads that are not trained with task t never leave theirs and are left out."""
        used = self.scenario.heads(t, self.seen, training=True)
        others = {id(p) for u, head in enumerate(layers.heads(self.model)) if u not in ((used,) if isinstance(used, int) else used)
                  for p in head.parameters()}
        mine = {n: p for n, p in self.model.named_parameters() if id(p) not in others}
        return Quadratic(mine, self.old, c) if self.old else None

    def anchor(self):
        """Makes the present weights the old ones."""
        self.old = {n: p.detach().clone() for n, p in self.model.named_parameters()}

    def fisher_diagonal(self, t, x, y):
        """{parameter's name: F}, of the cross-entropy of task t on x [N,...], y [N]."""
        def loss(images, targets):
            return torch.nn.functional.cross_entropy(self.logits(t, images), self.targets(t, targets))
        return fisher.diagonal(self.model, loss, x, y, self.fisher_sbatch)
