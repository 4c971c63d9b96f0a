"""Gradients of single samples: sums over them of a function of each, as importances of weights need, from
one backward pass over a batch. For a linear layer they are outer products d x^T, and a function with f(ab)
= f(a) f(b) needs no more than f(d) and f(x)."""
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.nn import functional as F


def known(model):
    """The layers whose gradients of single samples follow from inputs and outputs."""
    def simple(m):
        return type(m) is nn.Linear or type(m) is nn.Conv2d and m.padding_mode == 'zeros' and m.groups == 1
    return [m for m in model.modules() if simple(m)]


def size(model, most=64):
    """The largest batches that total() takes: of one sample where a network has other layers."""
    there = {id(p) for m in known(model) for p in m.parameters()}
    return most if all(id(p) in there for p in model.parameters() if p.requires_grad) else 1


def total(model, loss, batches, f):
    """{parameter's name: sum over samples of f(gradient of the sample's loss)}, in evaluation mode.

    batches: of at most size() samples; loss(batch): the sum over a batch of each sample's loss; f: torch.abs
    or torch.square, or another multiplicative function.
    """
    model.eval()
    names, out = {id(p): n for n, p in model.named_parameters()}, {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    layers, single = known(model), size(model) == 1
    for batch in batches:
        model.zero_grad()
        with seen(layers) as uses:
            loss(batch).backward()
        if single or len({id(m) for m, *_ in uses}) < len(uses):
            if len(batch) > 1:
                raise ValueError('a layer that is used more than once has no gradients of single samples')
            for n, p in model.named_parameters():
                if p.grad is not None:
                    out[n] += f(p.grad)
            continue
        for module, inputs, d in uses:
            for p, g in zip((module.weight, module.bias), layer(module, inputs, d, f)):
                if p is not None:
                    out[names[id(p)]] += g
    model.zero_grad()
    return out


def layer(module, x, d, f):
    """(of the weight, of the bias): sums over samples of f(gradient), from a layer's inputs and its
    outputs' gradients."""
    if type(module) is nn.Linear:
        return f(d).t() @ f(x), f(d).sum(0)
    patches = F.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride)  # [B, in*k*k, positions]
    d = d.flatten(2)
    return f(d @ patches.transpose(1, 2)).sum(0).view_as(module.weight), f(d.sum(2)).sum(0)


@contextmanager
def seen(layers):
    """Within it, what the layers are given and, after backward, the gradients of what they return:
    [module, x, d]."""
    uses = []

    def note(module, inputs, output):
        if not output.requires_grad:
            return
        use = [module, inputs[0].detach(), None]

        def keep(d):
            use[2] = d
            uses.append(use)
        output.register_hook(keep)
    with ExitStack() as hooks:
        for m in layers:
            hooks.enter_context(m.register_forward_hook(note))
        yield uses
