"""Dropout that draws torch's random numbers faster than torch does on the CPU."""
import torch
from torch.nn import functional as F

fast = False  # --fast-dropout: 16 random bits per unit instead of torch's own stream; of use on the CPU alone


def kept(shape, q):
    """Float32 of a shape, 1 with probability q and else 0, on the CPU: what torch.bernoulli would draw.

    bernoulli_ compares q with the doubles that uniform_ draws, one by one; uniform_ alone draws them about three times
    as fast, in the same order and leaving the generator in the same state.
    """
    if fast:
        n = shape.numel()
        bits = torch.empty((n + 3) // 4, dtype=torch.int64).random_(-2 ** 63, None).view(torch.int16)[:n].view(shape)
        return torch.lt(bits, round(q * 2 ** 16) - 2 ** 15, out=torch.empty(shape))
    u = torch.empty(shape, dtype=torch.float64).uniform_()
    return torch.empty(shape).copy_(u.lt_(q))


def dropout(h, p, training=True, among=None):
    """h [B, units, ...] with every value zeroed with probability p and the others divided by 1 - p, if training.

    among: (int64 [units], total) says which of so many units h holds; random numbers are drawn for all of them, so
    that a unit meets the same ones whether others are there or not (with fast, for those of h alone).
    """
    if not training or p == 0:
        return h
    if h.device.type != 'cpu' or torch.compiler.is_compiling():
        return F.dropout(h, p)
    if among is None or fast:
        keep = kept(h.shape, 1 - p)
    else:
        units, total = among
        keep = kept(torch.Size((len(h), total, *h.shape[2:])), 1 - p).index_select(1, units)
    return h * keep.mul_(1 / (1 - p))
