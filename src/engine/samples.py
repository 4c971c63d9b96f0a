"""Gradients of single samples: sums over them of a function of each, as importances of weights need, from one backward pass over
a batch. For a linear layer they are outer products d x^T, and a function with f(ab) = f(a) f(b) needs no more than f(d) and f(x)."""
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F


def total(model, loss, x, y, f, sbatch=64):
    """{parameter's name: sum over samples of f(gradient of the sample's loss)}, in evaluation mode.

    loss(images, targets): the sum over a batch of each sample's loss; f: torch.abs or torch.square, or another multiplicative
    function. Layers other than nn.Linear and nn.Conv2d with zero padding are gone through sample by sample.
    """
    model.eval()
    names, out = {id(p): n for n, p in model.named_parameters()}, {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    layers = [m for m in model.modules() if type(m) is nn.Linear or type(m) is nn.Conv2d and m.padding_mode == 'zeros' and m.groups == 1]
    known = {id(p) for m in layers for p in m.parameters()}
    device = next(model.parameters()).device
    single = any(id(p) not in known for p in model.parameters() if p.requires_grad)
    for images, targets in zip(x.split(1 if single else sbatch), y.split(1 if single else sbatch)):
        model.zero_grad()
        with seen(layers) as uses:
            loss(images.to(device), targets.to(device)).backward()
        if single or len({id(m) for m, *_ in uses}) < len(uses):
            if len(images) > 1:
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
    """(of the weight, of the bias): sums over samples of f(gradient), from a layer's inputs and its outputs' gradients."""
    if type(module) is nn.Linear:
        return f(d).t() @ f(x), f(d).sum(0)
    patches = F.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride)  # [B, in*k*k, positions]
    d = d.flatten(2)
    return f(d @ patches.transpose(1, 2)).sum(0).view_as(module.weight), f(d.sum(2)).sum(0)


@contextmanager
def seen(layers):
    """Within it, what the layers are given and, after backward, the gradients of what they return: [module, x, d]."""
    uses = []

    def note(module, inputs, output):
        if not output.requires_grad:
            return
        use = [module, inputs[0].detach(), None]

        def keep(d):
            use[2] = d
            uses.append(use)
        output.register_hook(keep)
    handles = [m.register_forward_hook(note) for m in layers]
    try:
        yield uses
    finally:
        for h in handles:
            h.remove()
