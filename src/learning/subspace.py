"""What the inputs of layers span: bases [f,k] that grow from task to task, and what lies outside of them."""
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from learning import samples
from networks.parts import is_bare

NOISE = 1e-12  # share of all squares below which a direction is rounding's


def layers(model):
    """Return {name: layer} of a network's layers whose inputs say all of what a change of their weights does:
    linear maps and convolutions that are trained."""
    known = [m for m in samples.known(model) if is_bare(m) and not isinstance(getattr(m, 'padding', 0), str)]
    trained = {id(m) for m in known if all(p.requires_grad for p in m.parameters())}
    return {n: m for n, m in model.named_modules() if id(m) in trained}


def grown(basis, found, threshold, short=False):
    """Return a basis [f,k], orthonormal, with as many directions added as the columns of found [f,n] need to
    have the share threshold of their squares within it: the largest left singular vectors of what is outside
    (Saha et al., 2021, Eq. 5, 8 and 9). short: one direction fewer."""
    rest = outside(found.t(), basis).t()
    directions, sizes, _ = torch.linalg.svd(rest, full_matrices=False)
    total, squares = found.square().sum(), sizes.square()
    captured = total - rest.square().sum() + F.pad(squares.cumsum(0), (1, 0))  # by none more, by one, ...
    count = int((captured < threshold * total).sum()) - short
    count = min(count, int((squares > NOISE * total).sum()))
    return torch.cat([basis, directions[:, :max(0, count)]], 1)


def outside(rows, basis):
    """Return the part of rows [n,f], gradients or steps of weights, that is orthogonal to a basis [f,k]."""
    return rows - rows @ basis @ basis.t()


def patches(layer, x):
    """Return the columns [f,n] by which the weights of an nn.Linear or nn.Conv2d are multiplied for inputs x,
    one for every position, float64 on the CPU; a 1 is below where there is a bias."""
    if isinstance(layer, nn.Conv2d):
        x = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).transpose(1, 2)
    x = x.flatten(0, -2).t().cpu().double()
    return x if layer.bias is None else F.pad(x, (0, 0, 0, 1), value=1.)


def condensed(columns):
    """Return at most f columns with the left singular vectors and singular values of columns [f,n]."""
    if columns.shape[1] <= columns.shape[0]:
        return columns
    squares, directions = torch.linalg.eigh(columns @ columns.t())
    return directions * squares.clamp(min=0).sqrt()


@contextmanager
def inputs(layers):
    """Within it, {name: columns [f,n]} of all that layers {name: module} are given, condensed."""
    found = {}

    def note(name):
        def hook(layer, given):
            columns = patches(layer, given[0].detach())
            found[name] = condensed(torch.cat([found[name], columns], 1) if name in found else columns)
        return hook
    with ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_pre_hook(note(name)))
        yield found
