"""Layers with a norm or a shortcut, of a task, in few passes: the gate is part of the norm's scale and shift.

A gate m is not negative, so that relu(m BN(z)) is relu of a norm of scale m w and shift m b. Of a unit
that is left out, plain code's running statistics still follow its map: they are noted here, too.
"""
import copy

import torch
from torch.nn import functional as F

from fast.chosen import cut, put
from fast.finish import column
from networks.parts import Norms, Part


def pieces(part, t, rows, columns):
    """(name, task t's module, rows, columns) of a part's modules. A shortcut leads where all are there."""
    for name, module in part._modules.items():
        if module is not None:
            module = module[t] if isinstance(module, Norms) else module
            whole = name.startswith('skip')
            yield name, module, None if whole else rows, None if whole or name == 'norm' else columns


def narrowed(part, t, rows=None, columns=None):
    """Task t's parts.Part, or plain map, with some outputs and inputs (None: all), as a module of its own;
    the `rest` of a part are the map and norm of the other outputs, or None."""
    if not isinstance(part, Part):
        return cut(part, rows, columns)
    out = copy.copy(part)
    out._modules, out.rest = dict(part._modules), None
    found = {name: (module, *where) for name, module, *where in pieces(part, t, rows, columns)}
    for name, piece in found.items():
        setattr(out, name, cut(*piece))
    if rows is not None and part.kind == 'batch':
        total = len(part.map.weight)
        there = torch.zeros(total, dtype=torch.int64, device=rows.device).index_fill_(0, rows, 1)
        others = there.argsort(stable=True)[:total - len(rows)]  # no nonzero(), which waits for the device
        out.rest = others, cut(part.map, others, columns), cut(found['norm'][0], others)
    return out


def put_back(part, out, t, rows=None, columns=None):
    """The reverse of narrowed()."""
    if not isinstance(part, Part):
        return put(part, out, rows, columns)
    for name, module, *where in pieces(part, t, rows, columns):
        put(module, out._modules[name], *where)
        if name == 'norm' and out.rest is not None:
            put(module, out.rest[2], out.rest[0])


def note(norm, module, h):
    """Lets running statistics follow a map of h, and does no more."""
    with torch.no_grad():
        torch.batch_norm_update_stats(module(h), norm.running_mean, norm.running_var, norm.momentum)


def normed(norm, z, gate, mixes):
    """gate * norm(z); mixes: whether the norm is one of groups, which those that are off must not enter."""
    weight, bias = norm.weight * gate[0], norm.bias * gate[0]
    if mixes:
        return F.group_norm(z * column(gate, z), norm.num_groups, weight, bias, norm.eps)
    if norm.training:
        norm.num_batches_tracked.add_(1)
    statistics = norm.running_mean, norm.running_var
    return F.batch_norm(z, *statistics, weight, bias, norm.training, norm.momentum, norm.eps)


def gated(part, h, source, gate):
    """(what ReLU follows, new, to be overwritten; what is then still to be multiplied by, None or the gate)
    of a narrowed() Part, its input, the output that its shortcut adds, or None, and the gate [1, units]."""
    mixes = part.kind == 'group'
    if part.norm is None:
        return part.map(h) + (source if part.skip is None else part.skip(source)), gate
    z = normed(part.norm, part.map(h), gate, mixes)
    if part.rest is not None and part.norm.training:
        note(part.rest[2], part.rest[1], h)
    if source is not None and part.skip is None:
        z = z.addcmul_(source, column(gate, z).to(z.dtype))
    elif source is not None:
        z = z.add_(normed(part.skip_norm, part.skip(source), gate, mixes))
    return z, None
