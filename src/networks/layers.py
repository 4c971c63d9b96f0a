"""Hidden layers, declared as data: what mlp, alexnet and all their variants are built from."""
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional as F

from networks import parts
from networks.geometry import geometry
from networks.parts import Part, is_known
from utils import UserError

PARTS = ('run', 'mapped', 'through', 'product', 'drop', 'finish', 'shaped', 'outputs')  # what networks of layers compute by


@dataclass(frozen=True)
class Layer:
    """A hidden layer: linear map or convolution, norm, shortcut, ReLU, dropout and, after a convolution, pooling."""
    name: str
    width: int         # units, or maps of a convolution
    pdrop: float = 0.
    kernel: int = 0    # side of the convolution's kernel; 0: fully connected
    stride: int = 1
    padding: int = 0
    bias: bool = True
    norm: str = ''     # 'batch', 'group' or none
    skip: int = 0      # how many layers back the output is that is added before the ReLU; 0: none
    pool: str = 'max'  # after a convolution: 'max' of 2x2, 'average' over the map, or 'none'
    init: str = ''     # of a convolution's weights: 'fan_out', Kaiming's normal one; else PyTorch's own

    replaced = replace

    def map(self, units):
        """Return new weights, for so many inputs."""
        if not self.kernel:
            return nn.Linear(units, self.width, self.bias)
        out = nn.Conv2d(units, self.width, self.kernel, self.stride, self.padding, bias=self.bias)
        if self.init == 'fan_out' and not out.weight.is_meta:
            nn.init.kaiming_normal_(out.weight, mode='fan_out', nonlinearity='relu')
        return out

    def side(self, side):
        """Return the side of the maps that the convolution makes of maps of a side."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


def scaled(layers, factor):
    """Return the layers with int(factor * width) units or maps each."""
    return [replace(layer, width=max(1, int(factor * layer.width))) for layer in layers]


def without_dropout(net):
    """Take dropout out of a network."""
    if isinstance(net, Layered):
        net.layers = [replace(layer, pdrop=0.) for layer in net.layers]
        net.pdrop_input = 0.
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.


def keeps(kind, base, *more):
    """Return whether a class is of a base and computes its parts, and more, as that does."""
    return issubclass(kind, base) and all(getattr(kind, n) is getattr(base, n) for n in (*PARTS, *more))


class Layered(nn.Module):
    """A network of declared layers below one head per task. Initial weights are drawn in the order in which
    layers and heads are added. own_norms: whether every task has normalising layers of its own. Raises
    UserError for two layers of one name."""

    own_norms = False

    def __init__(self, layers, inputsize, taskcla):
        super().__init__()
        self.layers, self.inputsize, self.taskcla = tuple(layers), tuple(inputsize), list(taskcla)
        names = [layer.name for layer in self.layers]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError('two layers of the network are named %s: a name is of one layer' % twice[0])
        self.positions, _, self.strides = geometry(self.layers, inputsize)
        self.below = [inputsize[0], *(layer.width for layer in self.layers)]  # units, also below the heads

    def is_bare(self):
        """Return whether its layers and heads are what was declared and nothing else."""
        return all(map(is_known, [getattr(self, layer.name) for layer in self.layers] + self.heads()))

    def build(self, i):
        """Return new weights for layer i: its map alone, or a parts.Part."""
        layer, units = self.layers[i], self.below[i] * self.positions[i]
        if not (layer.norm or layer.skip):
            return layer.map(units)
        source = (self.below[i + 1 - layer.skip], self.strides[i]) if layer.skip else None
        return Part(layer, units, source, len(self.taskcla) if self.own_norms else None)

    def map(self, i):
        """Return layer i's linear map or convolution."""
        module = getattr(self, self.layers[i].name)
        return module.map if isinstance(module, Part) else module

    def add(self, i):
        """Create layer i."""
        setattr(self, self.layers[i].name, self.build(i))

    def add_heads(self):
        """Create the heads of all tasks, without biases if the layers have none."""
        bias = any(layer.bias or layer.norm for layer in self.layers)
        self.last = nn.ModuleList(nn.Linear(self.below[-1], ncla, bias) for _, ncla in self.taskcla)

    def add_all(self):
        """Create the layers one after another, then the heads."""
        for i in range(len(self.layers)):
            self.add(i)
        self.add_heads()

    def train(self, mode=True):
        """Set the mode; norms whose parameters are frozen keep their statistics."""
        super().train(mode)
        parts.rest(self)
        return self

    def run(self, i, h, module=None, gate=None, source=None, task=None):
        """Return layer i's output [B, units(, H, W)]; module: other weights of it; gate: as in finish; source:
        the output that its shortcut adds; task: whose norms, where every task has its own."""
        z = self.mapped(module or getattr(self, self.layers[i].name), self.shaped(i, h), gate, source, task)
        return self.finish(i, z, gate)

    def mapped(self, module, h, gate=None, source=None, task=None):
        """Return what a layer's weights make of its input, before ReLU."""
        return module(h, source, task, gate) if isinstance(module, Part) else self.product(module, h)

    def through(self, h, gates=None, task=None):
        """Return the last layer's output of the first one's input, by run()."""
        outputs = []
        for i, layer in enumerate(self.layers):
            more = {'gate': gates[i]} if gates else {}
            if layer.norm or layer.skip:
                more.update(task=task, source=outputs[i - layer.skip] if layer.skip else None)
            h = self.run(i, h, **more)
            outputs.append(h)
        return h

    def product(self, module, h):
        """Return the linear map of a layer, a convolution or a head."""
        return module(h)

    def drop(self, x, p):
        """Return x, in training with every value zeroed with probability p and others divided by 1 - p."""
        return F.dropout(x, p, self.training)

    def finish(self, i, z, gate=None):
        """Return layer i's output of its linear map z [B, units(, H, W)]: ReLU, dropout, after a convolution
        pooling, and the gate [1, units] if there is one."""
        layer = self.layers[i]
        h = self.drop(F.relu(z), layer.pdrop)
        if layer.kernel and layer.pool != 'none':
            h = F.max_pool2d(h, 2) if layer.pool == 'max' else h.mean((2, 3))
        return h if gate is None else h * gate.view(1, -1, *[1] * (h.dim() - 2))

    def shaped(self, i, h):
        """Return the input of layer i, flattened if that is fully connected."""
        return h if self.layers[i].kernel else h.flatten(1)

    def heads(self):
        """Return the heads, one module per task: what the tasks do not share."""
        return list(self.last)

    def outputs(self, h, only=None):
        """Return the logits of all tasks, a list of [B, classes]; only: of that task or range, else None."""
        heads, only = enumerate(self.heads()), (only,) if isinstance(only, int) else only
        return [self.product(head, h) if only is None or u in only else None for u, head in heads]


class Plain(Layered):
    """Layers one after another, then the heads."""

    def __init__(self, layers, inputsize, taskcla, own_norms=False):
        super().__init__(layers, inputsize, taskcla)
        self.own_norms = own_norms
        self.add_all()

    def hidden(self, x, task=None):
        """Return the last hidden layer [B, units] of images x [B,C,H,W]."""
        return self.through(x, task=task)

    def forward(self, x, only=None):
        """Return the logits of all tasks, a list of [B, classes], of images x [B,C,H,W]. only: of a task or a
        range of them, else None; or (the tasks t [B] of the samples, a range that they are of): [B, n], each
        by its own head."""
        if isinstance(only, tuple):
            return self.own(self.hidden(x), *only)
        return self.outputs(self.hidden(x, *self.told(only)), only)

    def told(self, only):
        """Return (the task,), where every task has norms of its own."""
        return (only if isinstance(only, int) else None,) if self.own_norms else ()

    def own(self, h, t, heads):
        """Return logits [B, n] of the last hidden layer h, each by the head of its own task t [B] alone, of a
        range of heads from 0 with as many classes: costs the same for any number of tasks."""
        heads = [self.heads()[u] for u in heads]
        weight = torch.stack([head.weight for head in heads]).index_select(0, t)  # faster than indexing, backwards
        if heads[0].bias is None:
            return torch.bmm(weight, h[..., None]).squeeze(2)
        bias = torch.stack([head.bias for head in heads]).index_select(0, t)
        return torch.baddbmm(bias[..., None], weight, h[..., None]).squeeze(2)


class Features(Plain):
    """Plain without dropout on the last hidden layer, which it returns too."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__([*layers[:-1], replace(layers[-1], pdrop=0)], inputsize, taskcla)

    def forward(self, x, only=None):
        """Return (logits of all tasks or only that one, last hidden layer [B, units] after its ReLU)."""
        h = self.hidden(x, *self.told(only))
        return self.outputs(h, only), h


def of_tasks(net):
    """Return the modules that belong to single tasks: heads, and norms of which every task has its own."""
    return [*heads(net), *parts.own(net)]


def heads(net):
    """Return the heads of any network, one module per task: what its heads() returns or, in the original's
    layout, its `last`. Raise UserError for one that does not say."""
    if callable(getattr(net, 'heads', None)):
        return net.heads()
    if isinstance(getattr(net, 'last', None), nn.ModuleList):
        return list(net.last)
    raise UserError('%s.Net does not say what its heads are: give it a method heads() that returns one '
                    'module per task' % type(net).__module__)
