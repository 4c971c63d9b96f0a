"""What a layer may have besides its linear map: normalisation, and a shortcut past it."""
import math

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from utils import UserError

NORMS = {'batch': 'batch', 'group': 'group', 'none': '', 'task': 'batch'}  # a network's setting: what its layers have
GROUPS = 32  # of group normalisation, or as many as divide the maps


class Norms(nn.ModuleList):
    """A normalising layer for every task: mean, variance, scale and shift are the task's own."""

    def forward(self, z, task):
        """Return z normalised for a task, a number."""
        if task is None:
            raise UserError('norm=task: every task has statistics of its own, so the network has to be told the '
                            'task: for approaches like packnet and sgd-frozen under --scenario task')
        return self[task](z)


class Part(nn.Module):
    """The map of a layer, its norm, and the shortcut by which an earlier output is added: the identity, or a 1x1
    convolution, or linear map, with a norm of its own where sizes differ.

    units: of the map's input; shortcut: None, or (units, stride) of the earlier output; tasks: how many of them
    have statistics of their own, None if all share them.
    """

    def __init__(self, layer, units, shortcut=None, tasks=None):
        super().__init__()
        self.kind = layer.norm
        self.map, self.norm = layer.map(units), self.normalising(layer, tasks)
        self.skip = self.skip_norm = None
        if shortcut and shortcut != (layer.width, 1):
            shape = {'kernel': min(1, layer.kernel), 'stride': shortcut[1], 'padding': 0}
            self.skip = layer.replaced(**shape).map(shortcut[0])
            self.skip_norm = self.normalising(layer, tasks)

    @staticmethod
    def normalising(layer, tasks):
        """Return a norm for a layer's output, or None."""
        def one():
            if layer.norm == 'group':
                return nn.GroupNorm(math.gcd(GROUPS, layer.width), layer.width)
            return (nn.BatchNorm2d if layer.kernel else nn.BatchNorm1d)(layer.width)
        if not layer.norm:
            return None
        return one() if tasks is None else Norms(one() for _ in range(tasks))

    def normed(self, norm, z, task, gate):
        """Return z normalised. A group mixes its maps: those that a gate switches off must not count."""
        if norm is None:
            return z
        if self.kind == 'group' and gate is not None:
            z = z * gate.view(1, -1, *[1] * (z.dim() - 2))
        return norm(z, task) if isinstance(norm, Norms) else norm(z)

    def branch(self, h, task=None, gate=None):
        """Return the map of the layer's input, normalised."""
        return self.normed(self.norm, self.map(h), task, gate)

    def shortcut(self, source, task=None, gate=None):
        """Return what an earlier output adds."""
        return source if self.skip is None else self.normed(self.skip_norm, self.skip(source), task, gate)

    def forward(self, h, source=None, task=None, gate=None):
        """Return what ReLU, pooling and gate follow; source: the earlier output."""
        z = self.branch(h, task, gate)
        return z if source is None else z + self.shortcut(source, task, gate)


def is_bare(module, kinds=(nn.Linear, nn.Conv2d)):
    """Return whether a module computes by its own parameters alone: it is of some kinds and of no derived
    class, has no hooks, and its weights are not made of others."""
    called = 'forward', 'forward_pre', 'backward', 'backward_pre'
    hooks = any(getattr(module, '_%s_hooks' % kind) for kind in called)
    own = all(p is None or isinstance(p, nn.Parameter) for p in module._parameters.values())
    return type(module) in kinds and own and not hooks


def is_known(module):
    """Return whether a layer or head is what was declared and nothing else."""
    inner = Part, Norms, nn.Linear, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm
    return is_bare(module, (Part, *inner[2:4])) and all(is_bare(m, inner) for m in module.modules())


def plain(layers):
    """Return whether layers are linear maps alone."""
    return not any(layer.norm or layer.skip for layer in layers)


def rest(net):
    """Put the norms whose parameters are frozen into evaluation mode: their statistics stay, too."""
    for m in net.modules():
        if isinstance(m, _NormBase) and m.weight is not None and not m.weight.requires_grad:
            m.eval()


def own(net):
    """Return the norms of which every task has its own."""
    return [m for m in net.modules() if isinstance(m, Norms)]
