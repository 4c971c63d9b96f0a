"""What protects the weights of a gated layer: a factor for the gradient of each, from those of the units it joins."""
from functools import cached_property

import torch


class Factors:
    """F[i,j] = max(out[i], below[j]) of a linear layer's gradient, or out[i] if nothing below is gated (Serrà
    et al., 2018, Section 2.3: 1 - min of the cumulative attentions of both units).

    out [n], below [m]: in [0,1] and in ascending order. By that order the weights fall into blocks: where F
    is 0 nothing is computed, where it is 1 or depends on one side alone a product is added as it is formed,
    and only where both sides are strictly between 0 and 1 is F itself formed.
    """

    def __init__(self, out, below=None):
        self.out, self.below, self._full = out, below, None

    @cached_property
    def blocks(self):
        """How many entries of out are 0, and how many below 1; the same of below, if there is one."""
        return [n.item() for v in (self.out, self.below) if v is not None for n in ((v <= 0).sum(), (v < 1).sum())]

    def full(self, dims=2):
        """F as a tensor [n, m or 1, 1...] of so many dimensions, made when first asked for."""
        if self._full is None:
            out = self.out.view(-1, *[1] * (dims - 1))
            self._full = out if self.below is None else torch.maximum(out, self.below.view(1, -1, *[1] * (dims - 2)))
        return self._full

    def add_(self, weight, d, x, alpha):
        """weight [n,m] += alpha * F * (d^T x), for d [B,n] and x [B,m]."""
        out, below, (zero, partial, *blocks_below) = self.out, self.below, self.blocks
        if partial < len(out):
            weight[partial:].addmm_(d[:, partial:].t(), x, alpha=alpha)
        if partial == 0:
            return
        if below is None:
            if zero < partial:
                weight[zero:partial].addmm_((d[:, zero:partial] * out[zero:partial]).t(), x, alpha=alpha)
            return
        zero_below, partial_below = blocks_below
        if partial_below < len(below):
            columns = slice(partial_below, None)
            weight[:partial, columns].addmm_(d[:, :partial].t(), x[:, columns], alpha=alpha)
        if zero and zero_below < partial_below:
            columns = slice(zero_below, partial_below)
            weight[:zero, columns].addmm_(d[:, :zero].t(), x[:, columns] * below[columns], alpha=alpha)
        if zero < partial and partial_below:
            rows, columns = slice(zero, partial), slice(0, partial_below)
            weight[rows, columns].addcmul_(d[:, rows].t() @ x[:, columns],
                                           torch.maximum(out[rows, None], below[columns]), value=alpha)
