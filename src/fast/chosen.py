"""Some rows and columns of a module's weights, as a module of its own, and back."""
import copy

from torch import nn


def cut(module, rows=None, columns=None):
    """A module like the given one with some of its outputs and inputs (None: all), without copying all of it;
    of a norm, its statistics too."""
    part = copy.copy(module)
    part._parameters, part._buffers = dict(part._parameters), dict(part._buffers)
    if rows is not None or columns is not None:
        for n, p in module._parameters.items():
            if p is not None:
                part._parameters[n] = nn.Parameter(some(p.detach(), rows, columns), p.requires_grad)
        for n, b in module._buffers.items():
            part._buffers[n] = some(b, rows) if b is not None and b.dim() else b
    return part


def some(tensor, rows=None, columns=None):
    """Rows of a tensor, and columns if it has any; None: all."""
    tensor = tensor if rows is None else tensor.index_select(0, rows)
    return tensor if columns is None or tensor.dim() == 1 else tensor.index_select(1, columns)


def put(module, part, rows=None, columns=None):
    """The reverse of cut()."""
    for there, own in ((module._parameters, part._parameters), (module._buffers, part._buffers)):
        for n, p in own.items():
            if p is not None and p is not there[n] and p.dim():
                back(there[n], p, rows, columns)


def back(whole, p, rows, columns):
    """Copies p into rows and columns of a tensor."""
    if p.dim() > 1 and columns is not None:
        kept = whole if rows is None else whole.index_select(0, rows)
        p = kept.index_copy_(1, columns, p)
    if rows is not None:
        whole.index_copy_(0, rows, p)
    elif p is not whole:
        whole.copy_(p)
