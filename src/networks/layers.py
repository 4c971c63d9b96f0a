"""Hidden layers, declared as data: what mlp, alexnet and all their variants are built from."""
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from utils import UserError

@dataclass(frozen=True)
class Layer:
    """A hidden layer: linear map or convolution, ReLU, dropout and, after a convolution, 2x2 max-pooling."""
    name: str
    width: int       # units, or maps of a convolution
    pdrop: float
    kernel: int = 0  # side of the convolution's kernel; 0: fully connected

    def build(self, units):
        """The layer's weights, for so many inputs."""
        return nn.Conv2d(units, self.width, self.kernel) if self.kernel else nn.Linear(units, self.width)


def scaled(layers, factor):
    """The layers with int(factor * width) units or maps each."""
    return [replace(layer, width=int(factor * layer.width)) for layer in layers]


def without_dropout(net):
    """Takes dropout out of a network."""
    if isinstance(net, Layered):
        net.layers = [replace(layer, pdrop=0.) for layer in net.layers]
        net.pdrop_input = 0.
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.


def positions(layers, inputsize):
    """For each layer, how many of its inputs come from one unit (or channel) below: over 1 where maps are
    flattened.

    inputsize: [C,H,W] of the images. Returns a list of int. Raises UserError for images that a convolution
    cannot take.
    """
    side, flat, out = inputsize[1], False, []
    for i, layer in enumerate(layers):
        if layer.kernel and not (inputsize[1] == inputsize[2] and layer.kernel < side):
            raise UserError('%s, a convolution of %d x %d, cannot be applied to images of %d x %d: this network takes square ones of %d '
                            'pixels or more' % (layer.name, layer.kernel, layer.kernel, *inputsize[1:], least(layers)))
        out.append(1 if layer.kernel or flat else side * side if i else inputsize[1] * inputsize[2])
        flat = not layer.kernel
        if layer.kernel:
            side = (side - layer.kernel + 1) // 2
    return out


def least(layers):
    """The smallest side of images of which convolutions and their pooling leave anything."""
    side = 1
    for layer in reversed([layer for layer in layers if layer.kernel]):
        side = 2 * side + layer.kernel - 1
    return side


def uses(layers, inputsize):
    """For each layer, multiplications per image and per pair of a unit (or map) below and one of its own.

    inputsize: [C,H,W] of the images. Returns a list of int.
    """
    side, out = inputsize[1], []
    for layer, n in zip(layers, positions(layers, inputsize)):
        if layer.kernel:
            n *= (side - layer.kernel + 1) ** 2 * layer.kernel ** 2
            side = (side - layer.kernel + 1) // 2
        out.append(n)
    return out


def inputs(units, positions):
    """Indices of the inputs that come from some units below (None: all), each of which has so many."""
    if units is None or positions == 1:
        return units
    return (units[:, None] * positions + torch.arange(positions, device=units.device)).flatten()


def is_bare(module):
    """Whether an nn.Linear or nn.Conv2d computes its map by its own parameters and nothing else: it is of
    no derived class, has no hooks, and its weights are not made of others."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    own = [p for p in module._parameters.values() if p is not None]
    return type(module) in (nn.Linear, nn.Conv2d) and not any(hooks) and all(isinstance(p, nn.Parameter) for p in own)


class Layered(nn.Module):
    """A network of declared layers below one head per task. Parameters are created in the order of the
    calls to add() and add_heads(), which is the order in which initial weights are drawn."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__()
        self.layers, self.inputsize, self.taskcla = tuple(layers), tuple(inputsize), list(taskcla)
        self.positions = positions(self.layers, inputsize)
        # Units below each layer, from which its inputs come.
        self.below = [inputsize[0]] + [layer.width for layer in self.layers]

    def is_bare(self):
        """Whether its layers and heads are what was declared and nothing else."""
        modules = [getattr(self, layer.name) for layer in self.layers] + self.heads()
        return all(map(is_bare, modules))

    def build(self, i):
        """New weights for layer i."""
        return self.layers[i].build(self.below[i] * self.positions[i])

    def add(self, i):
        """Creates layer i."""
        setattr(self, self.layers[i].name, self.build(i))

    def add_heads(self):
        """Creates the heads of all tasks."""
        self.last = nn.ModuleList(nn.Linear(self.below[-1], ncla) for _, ncla in self.taskcla)

    def add_all(self):
        """Creates the layers one after another, then the heads."""
        for i in range(len(self.layers)):
            self.add(i)
        self.add_heads()

    def run(self, i, h, module=None, gate=None):
        """Layer i's output [B, units(, H, W)] of its input; module: other weights of the same layer; gate:
        as in finish."""
        module = module or getattr(self, self.layers[i].name)
        return self.finish(i, self.product(module, self.shaped(i, h)), gate)

    def product(self, module, h):
        """The linear map of a layer, a convolution or a head."""
        return module(h)

    def drop(self, x, p):
        """x with every value zeroed with probability p and the others divided by 1 - p, in training."""
        return F.dropout(x, p, self.training)

    def finish(self, i, z, gate=None):
        """What follows layer i's linear map z [B, units(, H, W)]: ReLU, dropout, after a convolution 2x2
        max-pooling, and the gate [1, units] if there is one."""
        h = self.drop(F.relu(z), self.layers[i].pdrop)
        h = F.max_pool2d(h, 2) if self.layers[i].kernel else h
        return h if gate is None else h * gate.view(1, -1, *[1] * (h.dim() - 2))

    def shaped(self, i, h):
        """The input of layer i, flattened if that is fully connected."""
        return h if self.layers[i].kernel else h.flatten(1)

    def heads(self):
        """The heads, one module per task: what the tasks do not share."""
        return list(self.last)

    def outputs(self, h, only=None):
        """Logits of all tasks, a list of [B, classes]; only: of that task, or range of tasks, and None for
        the others."""
        wanted = (only,) if isinstance(only, int) else only
        return [self.product(head, h) if wanted is None or u in wanted else None for u, head in enumerate(self.heads())]


class Plain(Layered):
    """Layers one after another, then the heads."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(layers, inputsize, taskcla)
        self.add_all()

    def hidden(self, x):
        """The last hidden layer [B, units] of images x [B,C,H,W]."""
        for i in range(len(self.layers)):
            x = self.run(i, x)
        return x

    def forward(self, x, only=None):
        """Logits of all tasks, a list of [B, classes], of images x [B,C,H,W]. only: of a task, or a range
        of them, and None for the others; or the tasks t [B] of the samples and a range that they are of:
        [B, n], each by its own head."""
        if isinstance(only, tuple):
            return self.own(self.hidden(x), *only)
        return self.outputs(self.hidden(x), only)

    def own(self, h, t, heads):
        """Logits [B, n] of the last hidden layer h, each of the head of its own task t [B] alone, among a
        range of heads from 0 that have the same number of classes: costs the same for any number of tasks."""
        heads = [self.heads()[u] for u in heads]
        weight, bias = torch.stack([head.weight for head in heads]), torch.stack([head.bias for head in heads])
        bias, weight = bias.index_select(0, t)[..., None], weight.index_select(0, t)  # faster than indexing, backwards
        return torch.baddbmm(bias, weight, h[..., None]).squeeze(2)


class Features(Plain):
    """Plain without dropout on the last hidden layer, which it returns too."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__([*layers[:-1], replace(layers[-1], pdrop=0)], inputsize, taskcla)

    def forward(self, x, only=None):
        """(logits of all tasks or only that one, last hidden layer [B, units] after its ReLU)."""
        h = self.hidden(x)
        return self.outputs(h, only), h


def heads(net):
    """The heads of any network, one module per task: what its heads() returns or, in the original's
    layout, its `last`. Raises UserError for one that does not say."""
    if callable(getattr(net, 'heads', None)):
        return net.heads()
    if isinstance(getattr(net, 'last', None), nn.ModuleList):
        return list(net.last)
    raise UserError('%s.Net does not say what its heads are: give it a method heads() that returns one module per task' % (
        type(net).__module__))
