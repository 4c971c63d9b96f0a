"""Dropout that draws torch's random numbers faster than torch does on the CPU."""
import math

import torch
from torch.nn import functional as F

CHUNK = 2 ** 17  # numbers drawn at once: they stay in the cache
fast = False  # --fast-dropout: 16 random bits per unit instead of 64; on the CPU alone


def kept(shape, q, layout=torch.contiguous_format):
    """Float32 of a shape and memory format, 1 with probability q and else 0, on the CPU: what torch.bernoulli would draw.

    bernoulli_ draws 64 bits per number and compares the lower 53, as a fraction, with q; random_ draws the same bits
    in the same order, about twice as fast, and leaves the generator in the same state.
    """
    if fast:
        out = torch.empty(shape, memory_format=layout)
        n = out.numel()
        bits = torch.empty((n + 3) // 4, dtype=torch.int64).random_(-2 ** 63, None).view(torch.int16)[:n]
        return torch.lt(bits.as_strided(out.shape, out.stride()), round(q * 2 ** 16) - 2 ** 15, out=out)
    out = torch.empty(shape)
    for part in out.view(-1).split(CHUNK):
        bits = torch.empty(len(part), dtype=torch.int64).random_().bitwise_and_(2 ** 53 - 1)
        torch.lt(bits, math.ceil(q * 2 ** 53), out=part)
    return out.contiguous(memory_format=layout)


def draw(h, p, among=None):
    """What dropout multiplies h [B, units, ...] by, 0 or 1, on the CPU.

    among: (int64 [units], total) says which of so many units h holds; random numbers are drawn for all of them, so
    that a unit meets the same ones whether others are there or not (with fast, for those of h alone).
    """
    layout = torch.channels_last if h.dim() == 4 and not h.is_contiguous() else torch.contiguous_format
    if among is None or fast:
        return kept(h.shape, 1 - p, layout)
    units, total = among
    return kept((len(h), total, *h.shape[2:]), 1 - p).index_select(1, units).contiguous(memory_format=layout)


def dropout(h, p, training=True):
    """h with every value zeroed with probability p and the others divided by 1 - p, if training."""
    if not training or p == 0:
        return h
    if is_plain(h):
        return F.dropout(h, p)
    return h * draw(h, p).mul_(1 / (1 - p))


def is_plain(h):
    """Whether h is best left to torch's own functions."""
    return h.device.type != 'cpu' or h.dtype not in (torch.float32, torch.bfloat16) or torch.compiler.is_compiling()


class Finish(torch.autograd.Function):
    """scale * relu(z) * keep * gate in few passes, overwriting z; keep and gate may be None."""

    @staticmethod
    def forward(ctx, z, keep, scale, gate):
        a = z.relu_()
        if keep is not None:
            a.mul_(keep)
        ctx.scale, ctx.gated = scale, gate is not None
        if ctx.gated:
            ctx.save_for_backward(a, gate)
            return a * (gate * scale).to(a.dtype)
        if keep is not None:
            a.mul_(scale)
        ctx.save_for_backward(a)
        ctx.mark_dirty(z)
        return a

    @staticmethod
    def backward(ctx, d):
        a, *gate = ctx.saved_tensors
        dz = torch.ops.aten.threshold_backward(d, a, 0)  # a > 0 only where both relu and dropout let z pass
        if not ctx.gated:
            return dz.mul_(ctx.scale) if ctx.scale != 1 else dz, None, None, None
        return dz.mul_(gate[0] * ctx.scale), None, None, (d * a).sum(0, keepdim=True, dtype=gate[0].dtype).mul_(ctx.scale)


def finish(z, p, training, among=None, gate=None):
    """ReLU, dropout with probability p if training (among: as in draw), and, if given, the gate [1, units] of a linear
    layer's map z, which is overwritten."""
    if not is_plain(z):
        keep = draw(z, p, among) if training and p else None
        return Finish.apply(z, keep, 1. if keep is None else 1 / (1 - p), gate)
    h = F.dropout(F.relu(z), p, training)
    return h if gate is None else h * gate
