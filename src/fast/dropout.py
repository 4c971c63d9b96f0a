"""Dropout that draws torch's random numbers faster than torch does on the CPU."""
import functools
import math

import torch
from torch.nn import functional as F

CHUNK = 2 ** 16  # numbers drawn at once: they stay in the cache


def kept(shape, q, layout=torch.contiguous_format, scale=1.):
    """Float32 of a shape and memory format, scale with probability q and else 0, on the CPU: what
    torch.bernoulli would draw, times scale.

    bernoulli_ draws 64 bits per number and compares the lower 53, as a fraction, with q; random_ draws the
    same bits in the same order, about twice as fast, and leaves the generator in the same state.
    """
    out, bits = torch.empty(shape), torch.empty(CHUNK, dtype=torch.int64)
    one = torch.tensor(scale).view(torch.int32)  # makes of 0 and 1, as integers, 0 and scale: quicker than to compare into floats
    for part in out.as_strided((out.numel(),), (1,)).view(torch.int32).split(CHUNK):
        drawn = bits[:len(part)].random_().bitwise_and_(2 ** 53 - 1).lt_(math.ceil(q * 2 ** 53))
        part.copy_(drawn).mul_(one)
    return out.contiguous(memory_format=layout)


def draw(h, p, among=None, scale=1.):
    """What dropout multiplies h [B, units, ...] by, 0 or scale, on the CPU.

    among: (int64 [units], total) says which of so many units h holds; random numbers are drawn for all of
    them, so that a unit meets the same ones whether others are there or not.
    """
    layout = torch.channels_last if h.dim() == 4 and not h.is_contiguous() else torch.contiguous_format
    if among is None:
        return kept(h.shape, 1 - p, layout, scale)
    units, total = among
    mask = kept((len(h), total, *h.shape[2:]), 1 - p, torch.contiguous_format, scale)
    return mask.index_select(1, units).contiguous(memory_format=layout)


def dropout(h, p, training=True):
    """h with every value zeroed with probability p and the others divided by 1 - p, if training."""
    if not training or p == 0:
        return h
    return F.dropout(h, p) if is_plain(h) else h * draw(h, p, scale=1 / (1 - p))


def is_plain(h):
    """Whether h is best left to torch's own functions."""
    return (h.device.type != 'cpu' or h.dtype not in (torch.float32, torch.bfloat16) or torch.compiler.is_compiling()
            or not draws_alike())


@functools.cache
def draws_alike():
    """Whether this torch draws what kept() takes it to draw, few numbers and many (some builds draw by
    another library). Leaves torch's generator as it was."""
    before, alike = torch.get_rng_state(), True
    for n in (5, 1000):
        for q in (0.2, 0.5):
            torch.default_generator.manual_seed(n)
            wanted = F.dropout(torch.ones(n), 1 - q) > 0, torch.get_rng_state()
            torch.default_generator.manual_seed(n)
            found = kept((n,), q) > 0, torch.get_rng_state()
            alike = alike and all(map(torch.equal, wanted, found))
    torch.set_rng_state(before)
    return alike
