"""WSN: Kang et al., Forget-free Continual Learning with Winning Subnetworks, ICML 2022 (PMLR 162)."""
import math

import numpy as np
import torch

from approaches import masked
from approaches.hyper import Hyper


def best(scores, sparsity):
    """Return the mask, bool, of the largest |scores|, all but the share sparsity of n. As in the authors'
    code the threshold is the k-th smallest, k = 1 + round(sparsity * (n - 1)), and ties with it are kept.
    """
    k = 1 + round(.01 * (100 * sparsity) * (scores.numel() - 1))
    sizes = scores.detach().abs()
    if sizes.device.type == 'cpu':  # where numpy is three times as fast
        return sizes >= float(np.partition(sizes.flatten().numpy(), k - 1)[k - 1])
    return sizes >= sizes.flatten().kthvalue(k).values


def through(scores, sparsity):
    """Return best() as numbers whose gradient passes straight through to |scores|."""
    sizes = scores.abs()
    return best(scores, sparsity) + (sizes - sizes.detach())


class Appr(masked.Masked):
    """Every weight has a score. A task sees those of each layer with the largest |scores|, trains weights and
    scores together and keeps its mask; weights of earlier masks are held.

    Scores go on from task to task. They are drawn in __init__, after the network's weights and by the same
    generator, and trained by an optimizer of the same kind and learning rate; only weights are clipped. A
    task's mask is that of the best epoch's scores. The authors have no biases.
    """

    family = 'isolation'
    hyperparameters = (
        Hyper('share', float, 0.5, (.03, .1, .3, .5, .7), 'share of each layer\'s weights that a task sees',
              'c in the paper', above=0, most=1),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scores = {}
        for n in self.masked:
            p = self.params()[n]
            drawn = torch.nn.init.kaiming_uniform_(torch.empty(p.shape, dtype=p.dtype), a=math.sqrt(5))
            self.scores[n] = drawn.to(p.device).requires_grad_()
        self.masks, self.used = [], {}  # {name: mask} of each task learnt, and of any of them
        self.best = self.scorer = None  # the scores of the lowest validation loss; the scores' optimizer
        self.present = None             # the masks of the present scores, as tests need them

    def masks_of(self, t):
        """Those of a task that is being learnt are made of the present scores."""
        if t < len(self.masks):
            return self.masks[t]
        if self.model.training:
            return {n: through(s, 1 - self.share) for n, s in self.scores.items()}
        self.present = self.present or self.chosen()
        return self.present

    def movable(self, t):
        """What no earlier task uses."""
        return {n: ~used for n, used in self.used.items()}

    def begin_task(self, t, x, y):
        self.best = self.copies()

    def after_step(self, batch):
        super().after_step(batch)
        lr = self.optimizer.param_groups[0]['lr']
        if self.scorer is None or self.scorer.param_groups[0]['lr'] != lr and not self.recipe.keep:
            self.scorer = self.recipe.make(list(self.scores.values()), lr)
        self.scorer.param_groups[0]['lr'] = lr
        self.scorer.step()
        self.scorer.zero_grad()
        self.present = None

    def end_epoch(self, t, e, train, valid):
        if valid[0] < self.at['best_loss']:
            self.best = self.copies()

    def end_task(self, t, x, y):
        """Keeps the mask of the scores that belong to the best weights."""
        with torch.no_grad():
            for n, s in self.scores.items() if self.recipe.patience else ():
                s.copy_(self.best[n])
        self.masks.append(self.chosen())
        self.used = {n: m | self.used.get(n, m) for n, m in self.masks[t].items()}
        self.best, self.present, self.scorer = None, None, self.scorer if self.recipe.keep else None

    def chosen(self):
        """The masks of the present scores."""
        return {n: best(s, 1 - self.share) for n, s in self.scores.items()}

    def copies(self):
        """The present scores."""
        return {n: s.detach().clone() for n, s in self.scores.items()}

    def owned(self):
        return self.used

    def account(self, done):
        """With the share of weights that any task uses and the size of the masks, a bit for each weight and
        task."""
        weights = sum(s.numel() for s in self.scores.values())
        used = sum(int(u.sum()) for u in self.used.values())
        return {'used_weights': used / max(1, weights), 'mask_bits': weights * len(self.masks)}
