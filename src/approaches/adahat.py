"""AdaHAT: Wang et al., Adaptive Hard Attention to the Task in Task-Incremental Learning, ECML PKDD 2024."""
import torch

from approaches import gates, hat
from approaches.hyper import Hyper

BOUNDS = 1e-30, 1e30  # of r, beyond which r / (0 + r) would be no number
FEW = 10  # with no more free units, the share of them that is attended counts as 0, as in the authors' code


class Appr(hat.Appr):
    """HAT with binary masks that does not hold what earlier tasks use, but slows it down, the more the more
    tasks use it: a long sequence of tasks does not run out of capacity.

    The rate is on the step, so that it means the same under SGD and Adam; in the authors' code it is on the
    gradient, of which Adam divides it out.
    """

    family = 'isolation'
    hyperparameters = (
        gates.LAMB, gates.SMAX,
        Hyper('alpha', float, 1e-6, help='how much weights that are used may move', source='Eq. 9; value: '
              'Section 4.1', above=0, most=1e30),
        Hyper('eps', float, .1, help='bounds the rate of a task that takes no new units', source='Eq. 9',
              above=0),
        Hyper('count', str, 'importance', help='M, what slows a weight down: the number of tasks that use '
              'it; or that of all tasks, for every weight', choices=('importance', 'all'), source='Eq. 8; '
              'all: an ablation', positional=False),
        Hyper('sparsity', str, 'on', help='off: the rate does not depend on how many new units the task '
              'takes', choices=('on', 'off'), source='Eq. 9; off: an ablation', positional=False),
        gates.INIT, gates.ANNEAL, gates.COMPENSATION,
    )
    binary, promise = 'on', ''
    counts = None  # how many tasks use each unit, one [1, units] per layer
    capacity = ()  # of each task learnt, the mean rate of all gated weights, 1 if nothing was used

    def __init__(self, model, *args, **kwargs):
        super().__init__(model, *args, **kwargs)
        self.owners = gates.layers_of(model)

    def share(self, attended, free):
        """0 also where there is hardly any."""
        return torch.where(free > FEW, super().share(attended, free), 0.)

    def rates(self, t, masks):
        """r / (M + r), M of a weight the smaller count of the two units that it joins (Eq. 8), r = alpha /
        (eps + the share of its layer's free units that the present mask takes) (Eq. 9)."""
        if not self.counts:
            return []
        free = [1 - m for m in self.mask_pre]
        taken = [self.share((m.detach() * f).sum(), f.sum()) for m, f in zip(masks, free)]
        if self.sparsity == 'off':
            taken = [torch.zeros_like(share) for share in taken]
        found = []
        for n, p, count in gates.views(self.model, self.counts):
            r = (self.alpha / (self.eps + taken[self.owners[n]])).clamp(*BOUNDS)
            count = count if self.count == 'importance' else torch.full_like(count, t + 1)
            found.append((p, r / (count + r)))
        return found

    def end_task(self, t, x, y):
        masks = self.kept(t)
        rates = [rate.expand_as(p) for p, rate in self.rates(t, masks)]
        moving, count = sum(rate.double().sum().item() for rate in rates), sum(rate.numel() for rate in rates)
        self.capacity = [*self.capacity, moving / count if count else 1.]
        self.counts = [c + m for c, m in zip(self.counts or [torch.zeros_like(m) for m in masks], masks)]
        super().end_task(t, x, y)

    def guarded(self):
        """None: everything may move a little."""
        return {}

    def account(self, done):
        return {**super().account(done), 'capacity': [round(c, 6) for c in self.capacity[:done]]}

    def report_lines(self):
        found = ', '.join('%.3g' % c for c in self.capacity)
        return [*super().report_lines(), 'Network capacity of the tasks so far: %s' % found]
