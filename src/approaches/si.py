"""SI: Zenke, Poole & Ganguli, Continual Learning Through Synaptic Intelligence, ICML 2017 (arXiv 1703.04200)."""
import torch

from approaches import keeps, quadratic
from approaches.hyper import Hyper


class Appr(quadratic.Anchored):
    """A weight matters as much as its way through training has lowered the loss.

    The gradient in the path integral is that of the task's loss without the penalty, before clipping, and a
    sum of importances that a task takes below 0 goes on from 0, as in the authors' code.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('c', float, 1., (.001, .01, .1, 1, 10, 100), 'weight of the penalty', 'Eq. 4, c; value: Section 4.1', least=0),
        Hyper('xi', float, 0.1, (.001, .1, 1), 'keeps importances of weights that hardly moved finite', 'Eq. 5, xi', above=0),
    )
    clipgrad = 100
    state = {'old': keeps.parameters, 'running': keeps.parameters, 'path': None, 'begin': None}
    for_training = 'path', 'begin'
    scratch = (*quadratic.Anchored.scratch, 'gradient', 'before')
    running = None            # {parameter's name: Omega}, never below 0
    path, begin = None, None  # of the present task: {name: w, the path integral}, {name: the weights it began with}

    def begin_task(self, t, x, y):
        """w = 0."""
        self.begin = {n: p.detach().clone() for n, p in self.model.named_parameters()}
        self.path = {n: torch.zeros_like(p) for n, p in self.begin.items()}

    def penalty(self, t):
        """c * sum of Omega (theta - theta_old)^2 (Eq. 4; no 1/2)."""
        return self.pull(t, {n: 2 * self.c * o for n, o in (self.running or {}).items()})

    def before_step(self, t):
        """Notes weights and the loss's gradient, from which that of the penalty is taken out again."""
        there = {n: p for n, p in self.model.named_parameters() if p.grad is not None}
        self.before = {n: p.detach().clone() for n, p in there.items()}
        pulls = {id(p): g for p, g in self.quadratic.gradients()} if self.quadratic is not None else {}
        self.gradient = {n: p.grad - pulls[id(p)] if id(p) in pulls else p.grad.clone() for n, p in there.items()}

    def after_step(self, t):
        """w += -g * (theta_after - theta_before) (Eq. 3)."""
        for n, p in self.model.named_parameters():
            if n in self.gradient:
                self.path[n].addcmul_(self.gradient[n], self.before[n].sub_(p.detach()))

    def end_task(self, t, x, y):
        """Omega = max(0, Omega + w / ((theta_end - theta_begin)^2 + xi)) (Eq. 5); moves the anchor."""
        before, there, omega = self.running or {}, dict(self.model.named_parameters()), {}
        for n, w in self.path.items():
            way = there[n].detach() - self.begin[n]
            omega[n] = (before.get(n, 0) + w / (way.square() + self.xi)).clamp(min=0)
        self.running = omega
        self.anchor()
