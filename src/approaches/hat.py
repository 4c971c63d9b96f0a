"""HAT: Serrà, Surís, Miron, Karatzoglou, Overcoming Catastrophic Forgetting with Hard Attention to the Task, ICML 2018.

Every unit has, for every task, an attention sigma(s * e), almost binary for large s. What earlier tasks attend to is
kept from changing by the gradients of later ones.
"""
import warnings

import torch

from approaches import base
from approaches.hyper import Hyper
from networks.narrow import Narrow, active

THRES_COSH = 50  # s * e is cut off there in the compensation, where cosh would overflow
THRES_EMB = 6    # embeddings stay within +-6 (Section 2.5, Embedding Gradient Compensation)

CHECK = 8        # batches after which it is looked again which units take part
REBUILD = 2      # what it costs to leave some out, in steps with all units (scripts/bench.sh)
GAIN = 0.05      # share of a step's work that leaving them out must save
MULTIPLE = {'cpu': 16, 'cuda': 128}  # sizes of the parts of a layer that are run


class Appr(base.Appr):
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
    dense = False    # True: units whose attention is 0 are computed all the same
    part = None      # during a pass over data: the networks.narrow.Narrow that is run

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.mask_pre = None   # cumulative attention of the tasks learnt, one [1, units] per layer
        self.full = False      # whether every unit is taken
        self.free, self.free_count = None, sum(layer.width for layer in self.model.layers)

    @property
    def s(self):
        """Steepness of the gates: rises linearly from 1/smax to smax over each training epoch (Section 2.4)."""
        if not self.model.training:
            return self.eval_factor * self.smax
        return (self.smax - 1 / self.smax) * self.progress + 1 / self.smax

    def begin_pass(self, t):
        """Sets up the units that take part in task t: in training all of them, as s starts near 0."""
        rows = [e.detach()[t] for e in self.model.embeddings()]
        self.narrow(t, [torch.ones_like(r).bool() if self.dense else active(r, self.s) for r in rows])

    def begin_batch(self, t):
        """Leaves out the units whose attention has become 0, where that costs less than the rest of the epoch gains."""
        if self.dense or self.batches_left % CHECK:
            return
        part = self.part
        there = [u for u in active(part.e.detach(), self.s).split(part.below[1:])]
        counts = [self.size(n, u) for n, u in zip(torch.stack([u.sum() for u in there]).tolist(), there)]
        gain = part.cost() - part.cost(counts)
        whole = part.cost([layer.width for layer in self.model.layers])
        if gain > GAIN * part.cost() and gain * self.batches_left > REBUILD * whole:
            part.write_back()
            self.narrow(t, there, part.chosen)

    def size(self, n, units):
        """How many of a layer's units are run if n of them take part."""
        multiple = MULTIPLE.get(self.device.type, 1)
        return min(len(units), max(1, -(-n // multiple)) * multiple)

    def narrow(self, t, there, among=None):
        """Makes the part of the network that is run: of the units `among` (default: all), those that are there."""
        chosen, free = [], []
        for i, u in enumerate(there):
            c = (~u).long().argsort(stable=True)[:self.size(u.sum().item(), u)]
            c = c if among is None or among[i] is None else among[i][c]
            if self.free is not None:
                free.append(self.free[i][c])
                order = free[-1].argsort(stable=True)
                c, free[-1] = c[order], free[-1][order]
            chosen.append(c)
        if self.free is None:  # all of them as they are
            chosen = [None if len(c) == layer.width else c for c, layer in zip(chosen, self.model.layers)]
        self.part = Narrow(self.model, t, chosen, free or None).train(self.model.training)
        if self.model.training:
            self.optimizer = self._get_optimizer(self.optimizer.param_groups[0]['lr'])

    def end_pass(self, t):
        """Puts what was trained back."""
        if self.model.training:
            self.part.write_back()
        self.part = None

    def trainable(self):
        """The parameters of the part that is run; otherwise as in base."""
        return super().trainable() if self.part is None else list(self.part.parameters())

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
        e, s = self.part.e.detach(), self.s
        num = torch.cosh(torch.clamp(s * e, -THRES_COSH, THRES_COSH)) + 1
        self.part.e.grad *= self.smax / s * num / (torch.cosh(e) + 1)

    def after_step(self, t):
        """Keeps the embeddings within reach."""
        self.part.e.detach().clamp_(-THRES_EMB, THRES_EMB)

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
        if self.mask_pre is not None:
            self.free = [1 - m.flatten() for m in self.mask_pre]
            self.free_count = sum(f.sum() for f in self.free).item()

    def epoch_note(self):
        """R after the epoch, at full steepness."""
        return ' Reg: {:.3f} |'.format(self.reg.item())

    def task(self, t):
        """Task t as the networks take it: int64 [1]."""
        return torch.tensor([t], device=self.device)
