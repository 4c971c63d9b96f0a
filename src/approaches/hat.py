"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks attend to is
kept from changing by the gradients of later ones.
"""
import warnings

import torch

from approaches import base
from approaches.hyper import Hyper

THRES_COSH = 50  # s * e is cut off there in the compensation, where cosh would overflow
THRES_EMB = 6    # embeddings stay within +-6 (Section 2.5, Embedding Gradient Compensation)


class Appr(base.Appr):
    """Hard attention to the task. Momentum or weight decay would move protected weights: the optimizer has neither."""

    hyperparameters = (
        Hyper('lamb', float, 0.75, (.1, .25, .5, .75, 1, 1.5, 2.5, 4), 'weight of the attention regulariser, the '
              'cost of capacity', 'Section 2.6, Promoting Low Capacity Usage; c in the paper', least=0),
        Hyper('smax', float, 400, (25, 50, 100, 200, 400, 800), 'largest steepness of the attention gates',
              'Section 2.4, Hard Attention Training', above=1),
    )
    variants = ('_hat',)
    state = ('mask_pre', 'full')
    eval_factor = 1  # evaluation uses s = eval_factor * smax

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.mask_pre = None   # cumulative attention of the tasks learnt, one [1, units] per layer
        self.full = False      # whether every unit is taken
        self.mask_back = None  # factor of each weight's gradient: 1 - min of its two units' cumulative attention

    @property
    def s(self):
        """Steepness of the gates: rises linearly from 1/smax to smax over each training epoch (Section 2.4)."""
        if not self.model.training:
            return self.eval_factor * self.smax
        return (self.smax - 1 / self.smax) * self.progress + 1 / self.smax

    def forward(self, t, x, y):
        """As base.forward, with the gates of task t."""
        outputs, masks = self.model(self.task(t), x, s=self.s)
        loss, self.reg = self.criterion(outputs[t], y, masks)
        return loss, self.hits(outputs[t], y)

    def criterion(self, output, targets, masks):
        """(loss, R): cross-entropy + lamb * R, R the share of the still free capacity that is attended (Section 2.6)."""
        if self.mask_pre is None:
            free, count = [1.] * len(masks), sum(m.numel() for m in masks)
        else:
            free, count = self.free, self.free_count
        reg = sum((m * f).sum() for m, f in zip(masks, free)) / max(count, 1e-30)
        return torch.nn.functional.cross_entropy(output, targets) + self.lamb * reg, reg

    def before_step(self, t):
        """Protects what earlier tasks use (Section 2.3) and compensates the embeddings' gradients for s (2.5)."""
        if t > 0:
            for n, p in self.model.named_parameters():
                if n in self.mask_back:
                    p.grad *= self.mask_back[n]
        for e in self.model.embeddings():
            num = torch.cosh(torch.clamp(self.s * e.detach(), -THRES_COSH, THRES_COSH)) + 1
            e.grad *= self.smax / self.s * num / (torch.cosh(e.detach()) + 1)

    def after_step(self, t):
        """Keeps the embeddings within reach."""
        for e in self.model.embeddings():
            e.data.clamp_(-THRES_EMB, THRES_EMB)

    def end_task(self, t, x, y):
        """Adds the task's attention to the cumulative one (Section 2.3), not binarised."""
        masks = [m.detach().clone() for m in self.model.mask(self.task(t), s=self.smax)]
        if self.mask_pre is not None:
            masks = [torch.max(p, m) for p, m in zip(self.mask_pre, masks)]
        self.mask_pre = masks
        self.restored()
        if self.free_count == 0 and not self.full:
            self.full = True
            warnings.warn('HAT: every unit is taken by the tasks so far; later ones can only reuse them')

    def restored(self):
        """Derives from the cumulative attention what is still free, and the factors of the gradients."""
        if self.mask_pre is not None:
            self.free = [1 - m for m in self.mask_pre]
            self.free_count = sum(f.sum() for f in self.free).item()
            views = {n: self.model.get_view_for(n, self.mask_pre) for n, _ in self.model.named_parameters()}
            self.mask_back = {n: 1 - v for n, v in views.items() if v is not None}

    def epoch_note(self):
        """R after the epoch, at full steepness."""
        return ' Reg: {:.3f} |'.format(self.reg.item())

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)
