"""The part of a gated network that takes part in one task at one steepness, as a smaller network of its own."""
from dataclasses import replace

import torch
from torch import nn

from fast import blocks
from fast.chosen import cut, put
from fast.dropout import dropout
from fast.factors import Factors
from fast.finish import finish
from fast.products import mapped
from networks.geometry import inputs, uses
from networks.layers import Layered
from networks.parts import Part, plain

OFF = -89.  # float32's sigmoid is exactly 0 below: 1 / (1 + exp(89)), and exp(89) is infinite


def active(embeddings, s):
    """bool: which units may take part in a task whose embeddings (float32) are given, at steepness s. A
    unit that does not is multiplied by exactly 0; neither it nor its weights nor its embedding get any
    gradient."""
    return ~(s * embeddings < OFF)


class Narrow(Layered):
    """Task t of a gated network, with the chosen units alone and, to train, copies of what belongs to them.

    chosen: int64 [units], for each gated layer the indices of the units that are there, in that order, or
    None for all of them in their own order, whose weights are then shared with the network, not copied. The
    embeddings of task t are one parameter e [units of all layers]. free: for each layer 1 - the cumulative
    attention of the chosen units; None before the first task is learnt.
    """

    def __init__(self, net, t, chosen, free=None):
        nn.Module.__init__(self)
        self.net, self.t, self.chosen, self.free = [net], t, chosen, free  # in a list: not a part of this module
        widths = [layer.width if c is None else len(c) for layer, c in zip(net.layers, chosen)]
        self.layers = [replace(layer, width=width) for layer, width in zip(net.layers, widths)]
        self.below = [net.below[0], *widths]
        self.positions, self.pdrop_input = net.positions, net.pdrop_input
        self.uses = uses(net.layers, net.inputsize)
        self.among = [None if c is None else (c, layer.width) for layer, c in zip(net.layers, chosen)]
        self.columns = [None] + [inputs(c, n) for c, n in zip(chosen, [*net.positions[1:], 1])]
        for i, layer in enumerate(net.layers):
            part = blocks.narrowed(getattr(net, layer.name), t, chosen[i], self.columns[i])
            self.add_module(layer.name, part)
        self.head = cut(net.heads()[t], None, self.columns[-1])
        rows = [e.detach()[t] for e in net.embeddings()]
        self.e = nn.Parameter(torch.cat([r if c is None else r[c] for r, c in zip(rows, chosen)]))
        self.plain = plain(self.layers)  # then gradients of linear layers may wait

    def guard(self):
        """To be trained: gives the weights the factors of their gradients. Units have to be in ascending
        order of free."""
        for i, layer in enumerate(self.layers):
            out = torch.ones(layer.width, device=self.e.device) if self.free is None else self.free[i]
            below = self.free[i - 1].repeat_interleave(self.positions[i]) if self.free and i > 0 else None
            module = getattr(self, layer.name)
            (module.map if isinstance(module, Part) else module).factors = Factors(out, below)
            if getattr(module, 'skip', None) is not None:
                module.skip.factors = Factors(out, self.free[i - layer.skip] if self.free else None)

    def forward(self, x, s, tape=None):
        """(task t's logits [B, classes], masks) of images x [B,C,H,W] at steepness s; masks: [1, units]
        per layer; tape: as in fast.products."""
        masks = torch.sigmoid(s * self.e)[None].split(self.below[1:], 1)
        h, tape, outputs = dropout(x, self.pdrop_input, self.training), tape if self.plain else None, []
        for i, (layer, m) in enumerate(zip(self.layers, masks)):
            module, h = getattr(self, layer.name), self.shaped(i, h)
            if isinstance(module, Part):
                z, m = blocks.gated(module, h, outputs[i - layer.skip] if layer.skip else None, m)
            else:
                z = mapped(module, h, tape, self.training)
            pool = layer.pool if layer.kernel else 'none'
            h = finish(z, layer.pdrop, self.training, self.among[i], m, pool)
            outputs.append(h if not self.plain else None)
        return mapped(self.head, h, tape, self.training), masks

    def protect(self):
        """Multiplies the gradients of gated layers that exist as tensors by their factors."""
        for module in self.modules() if self.free else ():
            factors = getattr(module, 'factors', None)
            if factors is not None and module.weight.grad is not None:
                module.weight.grad.mul_(factors.full(module.weight.dim()))
                if module.bias is not None:
                    module.bias.grad.mul_(factors.out)

    def write_back(self):
        """Puts the trained copies into the network."""
        net = self.net[0]
        with torch.no_grad():
            for i, layer in enumerate(self.layers):
                pair = getattr(net, layer.name), getattr(self, layer.name)
                blocks.put_back(*pair, self.t, self.chosen[i], self.columns[i])
            put(net.heads()[self.t], self.head, None, self.columns[-1])
            for e, new, units in zip(net.embeddings(), self.e.split(self.below[1:]), self.chosen):
                e[self.t, slice(None) if units is None else units] = new

    def cost(self, widths=None):
        """Multiplications per image with so many units per layer (default: as they are)."""
        widths = self.below[1:] if widths is None else widths
        return sum(n * below * uses for n, below, uses in zip(widths, [self.below[0], *widths], self.uses))
