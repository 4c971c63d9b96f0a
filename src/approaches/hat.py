"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks
attend to is kept from changing by the gradients of later ones.
"""
import torch

from approaches import base, gates
from approaches.inspected import Inspected
from learning import braking
from learning.recipe import is_plain
from networks import gated


class Appr(Inspected, base.Appr):
    """Hard attention to the task. Of an optimizer that remembers, or that decays weights, the step itself is
    masked, not the gradient alone."""

    family = 'isolation'
    hyperparameters = (
        gates.LAMB, gates.SMAX, gates.BINARY, gates.INIT, gates.ANNEAL, gates.COMPENSATION, gates.USED,
    )
    variants, scenarios, isolated = ('_hat',), ('task', 'class', 'domain'), True
    promise = 'up to masks'  # as far as these are 0 or 1
    eval_factor = 1          # evaluation uses s = eval_factor * smax
    mask_pre = None          # cumulative attentions of the tasks learnt, one [1, units] per layer

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
        braking.finish(batch)
        for e in gated.embeddings(self.model):
            e.clamp_(-gates.THRES_EMB, gates.THRES_EMB)

    def end_epoch(self, t, e, train, valid):
        return {'Reg': self.reg.item()}

    def end_task(self, t, x, y):
        """Adds the task's attention to the cumulative one (Section 2.3)."""
        masks = self.kept(t)
        self.mask_pre = [torch.max(p, m) for p, m in zip(self.mask_pre or masks, masks)]
        self.say_if_full()
