"""What methods share that hold weights to those of earlier tasks: the anchor, the penalty, the Fisher information."""
import torch

from approaches import base, keeps
from approaches.hyper import Hyper
from engine import fisher, samples
from engine.penalty import Quadratic
from networks import layers

FISHER_SBATCH = Hyper('fisher_sbatch', int, 20, help='samples per batch of the Fisher diagonal, the mean over batches '
                      'of batch size * (gradient of the mean loss)^2', source='value: the original scripts', least=1, most=10 ** 6,
                      positional=False)


FISHER = Hyper('fisher', str, 'batch', help='how it is estimated: from batches of fisher_sbatch, as the original does; from single '
               'samples and their labels; or exact, the expectation over the labels that the model predicts', choices=(
                   'batch', 'sample', 'exact'), source='Kirkpatrick et al.; van de Ven et al., 2022', positional=False)


class Anchored(base.Appr):
    """Keeps the weights of the earlier tasks, `old`, {parameter's name: tensor}, empty before the first is learnt."""

    state = {'old': keeps.parameters}
    replays = False  # whether a task trains other heads than its own, by samples of earlier tasks
    capturable = True
    scenarios = ('task', 'class', 'domain')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.old = {}

    def pull(self, t, c):
        """1/2 * sum of c * (theta - theta_old)^2 over all weights; c: {name: tensor} or a number. None before there are old
        weights. Heads that are not trained with task t never leave theirs and are left out."""
        heads, used = layers.heads(self.model), self.scenario.heads(t, self.seen, training=True)
        used = range(len(heads)) if self.joined_heads or self.replays else (used,) if isinstance(used, int) else used
        others = {id(p) for u, head in enumerate(heads) if u not in used for p in head.parameters()}
        mine = {n: p for n, p in self.model.named_parameters() if id(p) not in others}
        return Quadratic(mine, self.old, c) if self.old else None

    def anchor(self):
        """Makes the present weights the old ones."""
        self.old = {n: p.detach().clone() for n, p in self.model.named_parameters()}

    def fisher_diagonal(self, t, x, y):
        """{parameter's name: F}, of the cross-entropy of task t on x [N,...], y [N], as the hyper-parameter fisher says."""
        def loss(images, targets, reduction='mean'):
            return torch.nn.functional.cross_entropy(self.logits(t, images), self.targets(t, targets), reduction=reduction)
        how = getattr(self, 'fisher', 'batch')
        if how == 'batch':
            return fisher.diagonal(self.model, loss, x, y, self.fisher_sbatch)
        if how == 'sample':
            found = samples.total(self.model, lambda images, targets: loss(images, targets, 'sum'), x, y, torch.square)
        else:
            found = self.expected(t, x)
        return {n: f / len(x) for n, f in found.items()}

    def expected(self, t, x):
        """Sums over samples of the squared gradient's expectation over labels drawn from the model's own probabilities p: for
        each label, the gradient of sqrt(p) times its loss."""
        out = {}
        for label in range(self.outputs(t, x[:1]).shape[1]):
            def loss(images, _):
                log_p = self.logits(t, images).log_softmax(1)[:, label]
                return -((0.5 * log_p).exp().detach() * log_p).sum()
            for n, f in samples.total(self.model, loss, x, torch.zeros(len(x)), torch.square).items():
                out[n] = out[n] + f if n in out else f
        return out
