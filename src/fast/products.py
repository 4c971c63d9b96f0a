"""Matrix products whose weight gradients wait: who trains the weights forms them, or adds them to the weights at once.

The backward pass of linear() leaves on a tape, a list, the two factors of each weight's gradient instead of
the gradient: for a batch of 64 they are a few per cent of its size.
"""
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from networks.parts import is_bare


@dataclass
class Entry:
    """A linear layer's use in a forward pass: its gradient is d^T x for the weights and the sum of d for the
    bias.

    factors: None, or factors.Factors by which the gradients are to be multiplied.
    """
    module: torch.nn.Linear
    x: torch.Tensor  # [B, inputs]
    d: torch.Tensor  # [B, outputs], gradient of the outputs

    @property
    def factors(self):
        return getattr(self.module, 'factors', None)

    def bound(self):
        """At least the norm of the gradient: |d^T x| <= |d| |x|, and for the bias as for an input of 1."""
        d, x = torch.linalg.vector_norm(self.d), torch.linalg.vector_norm(self.x)
        return d * (x * x + len(self.x)).sqrt()

    def add_(self, alpha):
        """Adds alpha times the gradients to the weights themselves."""
        module, total = self.module, self.d.sum(0)
        if self.factors is not None:
            self.factors.add_(module.weight, self.d, self.x, alpha)
            total.mul_(self.factors.out)
        else:  # one more pass over the weights, but every bit as autograd and SGD have it
            module.weight.add_(self.d.t() @ self.x, alpha=alpha)
        if module.bias is not None:
            module.bias.add_(total, alpha=alpha)

    def form(self):
        """Adds the gradients to the weights' .grad."""
        module, gradients = self.module, [self.d.t() @ self.x, self.d.sum(0)]
        if self.factors is not None:
            gradients = [gradients[0].mul_(self.factors.full()), gradients[1].mul_(self.factors.out)]
        for p, g in zip((module.weight, module.bias), gradients):
            if p is not None:
                p.grad = g if p.grad is None else p.grad.add_(g)


class Product(torch.autograd.Function):
    """F.linear whose backward pass leaves the weights' gradients on a tape."""

    @staticmethod
    def forward(ctx, x, weight, bias, module, tape):
        ctx.save_for_backward(x, weight)
        ctx.module, ctx.tape = module, tape
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx, d):
        x, weight = ctx.saved_tensors
        ctx.tape.append(Entry(ctx.module, x.detach(), d))  # not x: its graph holds the tape
        return d @ weight if ctx.needs_input_grad[0] else None, None, None, None, None


def mapped(module, h, tape, training):
    """The linear map of a layer, a convolution or a head, of its input h; tape: as in linear()."""
    if isinstance(module, torch.nn.Linear):
        return linear(module, h, tape)
    if h.device.type == 'cpu' and not training:
        h = h.contiguous(memory_format=torch.channels_last)  # the faster format, which in training rounds otherwise
    return module(h)


def linear(module, x, tape):
    """module(x) of an nn.Linear, deferred if there is a tape and all its parameters are its own and being
    trained."""
    if tape is None or not torch.is_grad_enabled() or not is_bare(module):
        return module(x)
    if not all(p is None or p.requires_grad for p in module._parameters.values()):
        return module(x)
    return Product.apply(x, module.weight, module.bias, module, tape)
