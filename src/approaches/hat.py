"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks
attend to is kept from changing by the gradients of later ones.
"""
import warnings

import torch

from approaches import base
from approaches.hyper import Hyper
from approaches.inspected import Inspected
from networks import gated

THRES_COSH = 50  # s * e is cut off there in the compensation, where cosh would overflow
THRES_EMB = 6    # embeddings stay within +-6 (Section 2.5, Embedding Gradient Compensation)


class Appr(Inspected, base.Appr):
    """Hard attention to the task. Momentum or weight decay would move protected weights: the optimizer has
    neither."""

    family = 'isolation'
    hyperparameters = (
        Hyper('lamb', float, 0.75, (.1, .25, .5, .75, 1, 1.5, 2.5, 4), 'weight of the attention regulariser, the cost of '
              'capacity', 'Section 2.6, Promoting Low Capacity Usage; c in the paper', least=0),
        Hyper('smax', float, 400, (25, 50, 100, 200, 400, 800), 'largest steepness of the attention gates',
              'Section 2.4, Hard Attention Training', above=1),
    )
    cannot = {'optimizer': 'momentum, weight decay and Adam move weights whose gradient is masked, and with them what earlier '
                           'tasks attend to'}
    variants, scenarios, isolated = ('_hat',), ('task', 'class', 'domain'), True
    eval_factor = 1               # evaluation uses s = eval_factor * smax
    mask_pre, full = None, False  # cumulative attentions of the tasks learnt, one [1, units] per layer; all of them 1?

    def __init__(self, model, *args, **kwargs):
        gated.check(model)
        super().__init__(model, *args, **kwargs)

    @property
    def s(self):
        """Steepness of the gates: rises linearly from 1/smax to smax over each training epoch (Section 2.4)."""
        rising = (self.smax - 1 / self.smax) * self.progress + 1 / self.smax
        return rising if self.model.training else self.eval_factor * self.smax

    def outputs(self, batch):
        """Under the gates of the task (Section 2.2)."""
        outputs, batch.gates = self.model(self.task(batch.task), batch.x, s=self.s)
        return outputs

    def loss(self, batch):
        """Cross-entropy + lamb * R, R the share of the still free capacity that is attended (Section 2.6)."""
        loss, free = super().loss(batch), [1 - m for m in self.mask_pre or [torch.zeros_like(m) for m in batch.gates]]
        attended = sum((m * f).sum() for m, f in zip(batch.gates, free))
        reg = attended / sum(f.sum() for f in free).clamp(min=1e-30)
        self.reg = reg.detach()
        return loss + self.lamb * reg

    def after_backward(self, batch):
        """Keeps what earlier tasks use: multiplies the weights' gradients by 1 - the smaller mask_pre of
        the two units that each joins (Eq. 2). Frees the embeddings' gradients of their dependence on s
        (Section 2.5)."""
        for n, p in self.params().items() if self.mask_pre else ():
            view = self.model.get_view_for(n, self.mask_pre)
            if view is not None and p.grad is not None:
                p.grad *= 1 - view
        for e in gated.embeddings(self.model):
            num = torch.cosh((self.s * e).clamp(-THRES_COSH, THRES_COSH)) + 1
            e.grad *= self.smax / self.s * num / (torch.cosh(e) + 1)

    def after_step(self, batch):
        """Keeps the embeddings within reach."""
        for e in gated.embeddings(self.model):
            e.clamp_(-THRES_EMB, THRES_EMB)

    def end_epoch(self, t, e, train, valid):
        """R after the epoch, at full steepness."""
        return {'Reg': self.reg.item()}

    def end_task(self, t, x, y):
        """Adds the task's attention to the cumulative one (Section 2.3), not binarised."""
        masks = [m.detach().clone() for m in self.model.mask(self.task(t), s=self.smax)]
        self.mask_pre = masks if self.mask_pre is None else [torch.max(p, m) for p, m in zip(self.mask_pre, masks)]
        if not self.full and all((m == 1).all() for m in self.mask_pre):
            self.full = True
            warnings.warn('HAT: every unit is taken by the tasks so far; later ones can only reuse them')

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)
