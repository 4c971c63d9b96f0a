"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks
attend to is kept from changing by the gradients of later ones.
"""
import warnings

import torch

from approaches import base, gates
from approaches.hyper import Hyper
from approaches.inspected import Inspected
from learning import braking
from learning.recipe import is_plain
from networks import gated

LAMB = Hyper('lamb', float, 0.75, (.1, .25, .5, .75, 1, 1.5, 2.5, 4), 'weight of the attention '
             'regulariser, the cost of capacity', 'Section 2.6, Promoting Low Capacity Usage; c in the '
             'paper', least=0)
SMAX = Hyper('smax', float, 400, (25, 50, 100, 200, 400, 800), 'largest steepness of the attention gates',
             'Section 2.4, Hard Attention Training', above=1)


class Appr(Inspected, base.Appr):
    """Hard attention to the task. Of an optimizer that remembers, or that decays weights, the step itself is
    masked, not the gradient alone."""

    family = 'isolation'
    hyperparameters = (
        LAMB, SMAX, gates.BINARY, gates.INIT, gates.ANNEAL, gates.COMPENSATION, gates.USED,
    )
    variants, scenarios, isolated = ('_hat',), ('task', 'class', 'domain'), True
    promise = 'up to masks'       # as far as these are 0 or 1
    eval_factor = 1               # evaluation uses s = eval_factor * smax
    mask_pre, full = None, False  # cumulative attentions of the tasks learnt, one [1, units] per layer; all of them 1?

    def __init__(self, model, *args, **kwargs):
        gated.check(model)
        super().__init__(model, *args, **kwargs)

    @property
    def steepest(self):
        """Steepness at which masks are kept."""
        return gates.HARD if self.binary == 'on' else self.smax

    @property
    def s(self):
        """Steepness of the gates: rises from 1/smax to smax over each training epoch (Section 2.4)."""
        if self.model.training:
            return gates.steepness(self.anneal, self.smax, self.progress)
        return max(self.steepest, self.eval_factor * self.smax)

    def begin_task(self, t, x, y):
        gates.begin(self.model, self.init, t)

    def outputs(self, batch):
        """Under the gates of the task (Section 2.2)."""
        outputs, batch.gates = self.model(self.task(batch.task), batch.x, s=self.s)
        return outputs

    def loss(self, batch):
        """Cross-entropy + lamb * R, R the share of the still free capacity that is attended (Section 2.6)."""
        loss, taken = super().loss(batch), self.mask_pre or [torch.zeros_like(m) for m in batch.gates]
        free = [1 - m for m in taken]
        attended = sum((m * f).sum() for m, f in zip(batch.gates, free))
        reg = self.share(attended, sum(f.sum() for f in free))
        self.reg = reg.detach()
        return loss + self.lamb * reg

    def share(self, attended, free):
        """Attended capacity as a share of what is free; 0 where nothing is."""
        return attended / free.clamp(min=1e-30)

    def rates(self, t, masks):
        """[(weights, the share of their step that is left to them)] in task t under its present masks: 1 - the
        smaller mask_pre of the two units that each joins (Eq. 2)."""
        there = gates.views(self.model, self.mask_pre) if self.mask_pre else ()
        return [(p, gates.left(self.used, view)) for _, p, view in there]

    def after_backward(self, batch):
        """Keeps what earlier tasks use, and frees the embeddings' gradients of their dependence on s (Section
        2.5)."""
        rates = self.rates(batch.task, batch.gates)
        if not is_plain(self.optimizer):
            rates += gates.rows(self.model, batch.task)
        braking.hold(self.optimizer, batch, rates)
        for e in gated.embeddings(self.model) if self.compensation == 'on' else ():
            e.grad *= gates.compensation(e, self.s, self.smax)

    def after_step(self, batch):
        """Keeps the embeddings within reach."""
        braking.finish(batch)
        for e in gated.embeddings(self.model):
            e.clamp_(-gates.THRES_EMB, gates.THRES_EMB)

    def end_epoch(self, t, e, train, valid):
        """R after the epoch, at full steepness."""
        return {'Reg': self.reg.item()}

    def end_task(self, t, x, y):
        """Adds the task's attention to the cumulative one (Section 2.3), which is binary only if that is asked
        for."""
        masks = self.kept(t)
        self.mask_pre = [torch.max(p, m) for p, m in zip(self.mask_pre or masks, masks)]
        if not self.full and all((m == 1).all() for m in self.mask_pre):
            self.full = True
            warnings.warn('HAT: every unit is taken by the tasks so far; later ones can only reuse them')

    def kept(self, t):
        """What task t attends to, as it is kept: a list of [1, units], one per layer."""
        if self.binary == 'on':
            gates.decide(self.model, t)
        return [m.detach().clone() for m in self.model.mask(self.task(t), s=self.steepest)]

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)
