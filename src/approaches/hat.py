"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks attend to is
kept from changing by the gradients of later ones.
"""
import warnings

import torch

from approaches import sparse
from approaches.hyper import Hyper

THRES_COSH = 50  # s * e is cut off there in the compensation, where cosh would overflow
THRES_EMB = 6    # embeddings stay within +-6 (Section 2.5, Embedding Gradient Compensation)


class Appr(sparse.Sparse):
    """Hard attention to the task. Momentum or weight decay would move protected weights: the optimizer has neither."""

    hyperparameters = (
        Hyper('lamb', float, 0.75, (.1, .25, .5, .75, 1, 1.5, 2.5, 4), 'weight of the attention regulariser, the '
              'cost of capacity', 'Section 2.6, Promoting Low Capacity Usage; c in the paper', least=0),
        Hyper('smax', float, 400, (25, 50, 100, 200, 400, 800), 'largest steepness of the attention gates',
              'Section 2.4, Hard Attention Training', above=1),
    )
    variants = ('_hat',)
    capturable = True
    state = ('mask_pre', 'full')
    eval_factor = 1  # evaluation uses s = eval_factor * smax

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.full = False  # whether every unit is taken
        self.free_count = sum(m.numel() for m in self.model.mask(self.task(0)))

    @property
    def s(self):
        """Steepness of the gates: rises linearly from 1/smax to smax over each training epoch (Section 2.4)."""
        if not self.model.training:
            return self.eval_factor * self.smax
        return (self.smax - 1 / self.smax) * self.progress + 1 / self.smax

    def forward(self, t, x, y):
        """As base.forward, with the gates of task t."""
        output, masks = self.part(x, self.s)
        loss, self.reg = self.criterion(output, y, masks)
        return loss, self.hits(output, y)

    def criterion(self, output, targets, masks):
        """(loss, R): cross-entropy + lamb * R, R the share of the still free capacity that is attended (Section 2.6).

        masks: those of the units that are run, the others' being 0.
        """
        free = self.part.free or [1.] * len(masks)
        reg = sum((m * f).sum() for m, f in zip(masks, free)) / max(self.free_count, 1e-30)
        return torch.nn.functional.cross_entropy(output, targets) + self.lamb * reg, reg

    def adjust(self, t):
        """Protects what earlier tasks use (Section 2.3) and compensates the embeddings' gradients for s (2.5)."""
        self.part.protect()
        for gate in self.part.gates:
            e, s = gate.detach(), self.s
            num = torch.cosh(torch.clamp(s * e, -THRES_COSH, THRES_COSH)) + 1
            gate.grad *= self.smax / s * num / (torch.cosh(e) + 1)

    def after_step(self, t):
        """Keeps the embeddings within reach."""
        for gate in self.part.gates:
            gate.detach().clamp_(-THRES_EMB, THRES_EMB)

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
        """Derives from the cumulative attention what is still free: the factors of the gradients."""
        self.kept.forget()
        if self.mask_pre is not None:
            self.free = [1 - m.flatten() for m in self.mask_pre]
            self.free_count = sum(f.sum() for f in self.free).item()

    def epoch_note(self):
        """R after the epoch, at full steepness."""
        return ' Reg: {:.3f} |'.format(self.reg.item())

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)
