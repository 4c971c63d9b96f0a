"""A network of declared layers for one task alone: norms and masks folded in, units that are off left out."""
import torch
from torch import nn
from torch.nn import functional as F

from networks.geometry import inputs
from networks.parts import Norms, Part


def chosen(mask, least):
    """Return the units whose mask is not below least (None: all), or else the strongest."""
    there = torch.arange(len(mask)) if least is None else (mask >= least).nonzero().flatten()
    return there if len(there) else mask.argmax()[None]


def linear(weights, name, rows=None, below=None, scale=None, positions=1, norm=None, **more):
    """Return a Linear or Conv2d of some rows of a layer's weights and the columns of some units below, each
    of so many positions, times the units' scale; None: all, or 1. norm: None or (factor, shift) [units] of
    what comes out; more: the convolution's stride and padding."""
    weight, bias = weights[name + '.weight'].detach(), weights.get(name + '.bias')
    bias = None if bias is None else bias.detach()
    if norm is not None:
        factor, shift = norm
        weight = weight * factor.view(-1, *[1] * (weight.dim() - 1))
        bias = shift if bias is None else bias * factor + shift
    weight = weight if rows is None else weight[rows]
    weight = weight if below is None else weight[:, inputs(below, positions)]
    if scale is not None:
        weight = weight * scale.repeat_interleave(positions).view(1, -1, *[1] * (weight.dim() - 2))
    out, units, *kernel = weight.shape
    state = {} if bias is None else {'bias': bias if rows is None else bias[rows]}
    there = bias is not None
    module = nn.Conv2d(units, out, kernel, bias=there, **more) if kernel else nn.Linear(units, out, there)
    module.load_state_dict({'weight': weight, **state})
    return module


class Scale(nn.Module):
    """Maps or units times what their masks say."""

    def __init__(self, scale):
        super().__init__()
        self.register_buffer('scale', scale)

    def forward(self, x):
        """Return x [B, units(, H, W)] times the scale [units]."""
        return x * self.scale.view(1, -1, *[1] * (x.dim() - 2))


class Folded(nn.Module):
    """Task t of a Layered net with weights {name: tensor} and its running statistics.

    masks: a list of [units] by which the outputs are multiplied, folded into what they enter; None: all
    1. least: units of which the mask is below are left out; where a shortcut adds outputs as they are, if
    it is so in all layers that are added up.
    """

    def __init__(self, net, t, weights, masks=None, least=None):
        super().__init__()
        self.layers, self.t, self.weights = net.layers, t, {**dict(net.named_buffers()), **weights}
        masks = masks or [torch.ones(layer.width) for layer in net.layers]
        rows = self.kept(net, masks, least)
        scales = [m[r] for m, r in zip(masks, rows)]
        self.maps, self.shortcuts = nn.ModuleList(), nn.ModuleList()
        for i, layer in enumerate(net.layers):
            module, below = getattr(net, layer.name), (rows[i - 1], scales[i - 1]) if i else (None, None)
            inner = isinstance(module, Part)
            more = {'stride': layer.stride, 'padding': layer.padding} if layer.kernel else {}
            self.maps.append(linear(
                self.weights, layer.name + '.map' * inner, rows[i], *below, net.positions[i],
                self.normed(module.norm, layer.name + '.norm') if inner else None, **more))
            source = (rows[i - layer.skip], scales[i - layer.skip])
            added = self.shortcut(module, layer, rows[i], *source) if layer.skip else nn.Identity()
            self.shortcuts.append(added)
        head = net.heads()[t]
        name = next(n for n, m in net.named_modules() if m is head)
        self.head = linear(self.weights, name, None, rows[-1], scales[-1], head.in_features // net.below[-1])
        del self.weights
        self.eval()

    @staticmethod
    def kept(net, masks, least):
        """Return the units [n] of each layer that are there: where outputs are added as they are, those that
        any of them has."""
        roots = []
        for i, layer in enumerate(net.layers):
            same = layer.skip and getattr(net, layer.name).skip is None
            roots.append(roots[i - layer.skip] if same else i)
        groups = [torch.stack([m for m, other in zip(masks, roots) if other == root]) for root in roots]
        return [chosen(group.amax(0), least) for group in groups]

    def normed(self, norm, name):
        """Return (factor, shift) [units] of a norm in evaluation, or None without one."""
        if norm is None:
            return None
        name, norm = ('%s.%d' % (name, self.t), norm[self.t]) if isinstance(norm, Norms) else (name, norm)
        mean, var, weight, bias = (
            self.weights['%s.%s' % (name, n)].detach()
            for n in ('running_mean', 'running_var', 'weight', 'bias'))
        factor = weight / (var + norm.eps).sqrt()
        return factor, bias - mean * factor

    def shortcut(self, part, layer, rows, source, scale):
        """Return what makes of an earlier output, of which some units are there, what is added."""
        if part.skip is None:
            return nn.Identity() if (scale == 1).all() else Scale(scale)
        norm = self.normed(part.skip_norm, layer.name + '.skip_norm')
        more = {'stride': part.skip.stride} if layer.kernel else {}
        return linear(self.weights, layer.name + '.skip', rows, source, scale, 1, norm, **more)

    def forward(self, x):
        """Return the logits [B, classes] of images x [B,C,H,W]."""
        outputs = []
        for layer, module, shortcut in zip(self.layers, self.maps, self.shortcuts):
            z = module(x if layer.kernel else x.flatten(1))
            x = F.relu(z + shortcut(outputs[-layer.skip]) if layer.skip else z)
            if layer.kernel and layer.pool != 'none':
                x = F.max_pool2d(x, 2) if layer.pool == 'max' else x.mean((2, 3))
            outputs.append(x)
        return self.head(x.flatten(1))


def folds(layers):
    """Return whether layers have no norms but those whose statistics are numbers once they are learnt."""
    return all(layer.norm in ('', 'batch') for layer in layers)
