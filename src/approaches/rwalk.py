"""RWalk: Chaudhry et al., Riemannian Walk for Incremental Learning, ECCV 2018 (arXiv 1801.10112)."""
import torch

from approaches import anchored
from approaches.hyper import Hyper
from learning.path import add_falls, noted


def shared(values):
    """Tensors {name: v} over the largest of all their entries; none that is positive: as they are, all 0."""
    most = torch.stack([v.max() for v in values.values() if v.numel()]).max()
    return {n: v / most.clamp(min=torch.finfo(v.dtype).tiny) for n, v in values.items()}


class Appr(anchored.Anchored):
    """A weight matters by its Fisher information, a running mean over steps (EWC++, Eq. 10), and by how much
    the loss has fallen along its way, measured in that metric (Section 4.2).

    As in Avalanche, where codes differ: scores are taken every delta_t steps, negative ones included, an
    unfinished interval is lost, the first task's are not halved, and only the penalty counts none below 0.
    Gradients are those of the training step, of the loss without the penalty and before clipping; Avalanche
    has them from a pass of their own. eps is the authors'; Avalanche's is machine epsilon, by which weights
    that hardly moved rule the largest score.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 0.1, (.01, .1, 1, 10, 100, 1000), 'weight of the penalty', 'value: Avalanche',
              least=0),
        Hyper('alpha', float, 0.9, (.1, .5, .9), 'weight of the new step in the Fisher information',
              'Eq. 10; value: Avalanche', above=0, most=1),
        Hyper('delta_t', int, 10, (10, 50), 'steps after which scores are taken', 'value: Avalanche', least=1,
              most=10 ** 6),
        Hyper('eps', float, 1e-3, help='keeps scores of weights that hardly moved finite',
              source='value: the authors\' code', above=0, positional=False),
        Hyper('normalise', str, 'max', help='the Fisher information and the scores: each over its largest '
              'value, or not at all, as in FACIL; lambda is of another size then', choices=('max', 'none'),
              source='max: Avalanche', positional=False),
    )
    clipgrad = 100
    steps = 0  # since the very start
    information = scores = None  # {parameter's name: F, s after the last task}
    omega = None                 # F + s as the penalty has them
    score = None                 # of the present task: s
    drop = begin = None          # of the interval: how far the loss fell, the weights at its beginning

    def begin_task(self, t, x, y):
        """s = 0; the first interval begins."""
        self.begin = {n: p.detach().clone() for n, p in self.params().items()}
        self.score = {n: torch.zeros_like(p) for n, p in self.begin.items()}
        self.drop = {n: torch.zeros_like(p) for n, p in self.begin.items()}
        self.information = self.information or {}

    def after_backward(self, batch):
        """F = alpha g^2 + (1 - alpha) F (Eq. 10), g^2 at first; notes the loss's gradient and the weights."""
        batch.noted = noted(self.params())
        for n, (g, _) in batch.noted.items():
            old = self.information.get(n, g.square())
            self.information[n] = self.alpha * g.square() + (1 - self.alpha) * old

    def after_step(self, batch):
        """The loss falls by -g * (theta_after - theta_before); every delta_t steps, takes the scores."""
        add_falls(self.drop, batch.noted, self.params())
        self.steps += 1
        if self.steps % self.delta_t == 0:
            self.take()

    def take(self):
        """s += the fall of the loss / (F (theta - theta_begin)^2 / 2 + eps); a new interval begins."""
        there = self.params()
        for n, f in self.information.items():
            way = there[n] - self.begin[n]
            self.score[n] += self.drop[n] / (f * way.square() / 2 + self.eps)
            self.drop[n].zero_()
            self.begin[n].copy_(there[n])

    def penalty(self):
        """lamb * sum of (F + s) (theta - theta_old)^2 (no 1/2)."""
        return self.lamb * self.weighted_square(self.omega)

    def importance(self):
        return {n: 2 * self.lamb * o for n, o in self.omega.items()}

    def end_task(self, t, x, y):
        """Averages the scores with those before and weighs the penalty."""
        super().end_task(t, x, y)
        if self.scores is None:
            self.scores = self.score
        else:
            self.scores = {n: (s + self.score[n]) / 2 for n, s in self.scores.items()}
        self.omega = self.weighed()
        self.score = self.drop = self.begin = None

    def weighed(self):
        """{parameter's name: F + max(0, s)}, each over its largest value if that is asked for."""
        fisher = {n: self.information.get(n, torch.zeros_like(s)) for n, s in self.scores.items()}
        scores = {n: s.relu() for n, s in self.scores.items()}
        if self.normalise == 'max':
            fisher, scores = shared(fisher), shared(scores)
        return {n: f + scores[n] for n, f in fisher.items()}
