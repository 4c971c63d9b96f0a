"""One task's network by itself: for HAT the units that its mask selects, the masks folded into the weights; to be exported."""
import torch
from torch import nn
from torch.nn import functional as F

from networks import gated, variants
from networks.layers import Features, Plain, inputs


class Preprocessing(nn.Module):
    """Images [B,c,h,w] of pixels in 0..1 to what a network sees, as a dataloaders.images.Pixels makes it
    of bytes; images are taken to be rotated already, where a task rotates them."""

    def __init__(self, pixels):
        super().__init__()
        self.size = list(pixels.size)
        for name in ('mean', 'std'):
            self.register_buffer(name, torch.tensor(getattr(pixels, name), dtype=torch.float32).view(1, -1, 1, 1))
        permutation = pixels.permutation
        self.register_buffer('permutation', None if permutation is None else torch.from_numpy(permutation))

    def forward(self, x):
        """float32 [B,C,H,W]."""
        if self.permutation is not None:
            x = x.flatten(2)[:, :, self.permutation].view(x.shape)
        high, wide = ((n - m) // 2 for n, m in zip(self.size[1:], x.shape[2:]))
        x = F.pad(x, (wide, wide, high, high)) if high or wide else x
        return ((x - self.mean) / self.std).expand(-1, self.size[0], -1, -1)


class Whole(nn.Module):
    """Task t's logits by a function of images, run as in testing, for a network whose layers do not follow
    one another."""

    def __init__(self, net, logits):
        super().__init__()
        self.net, self.logits = net.eval(), logits

    def forward(self, x):
        """The logits [B, its classes]."""
        return self.logits(x)


def sequential(net, t, weights, masks=None, least=None):
    """Task t's network as an nn.Sequential of a Layered net's layers with the given weights {name: tensor}.

    masks: a list of [units] by which the units are multiplied, which is folded into the weights above them;
    least: units of which the mask is below are left out (None: none), but for the strongest of a layer
    without others.
    """
    parts, below, scale = [], None, None
    for i, layer in enumerate(net.layers):
        rows = None if masks is None else torch.arange(layer.width) if least is None else chosen(masks[i], least)
        parts += [nn.Flatten()] if not layer.kernel and (i == 0 or net.layers[i - 1].kernel) else []
        parts += [linear(weights, layer.name, rows, inputs(below, net.positions[i]), repeated(scale, net.positions[i])), nn.ReLU()]
        parts += [nn.MaxPool2d(2)] if layer.kernel else []
        below, scale = rows, None if masks is None else masks[i][rows]
    last = next(n for n, m in net.named_modules() if m is net.heads()[t])
    spread = 1 if not net.layers[-1].kernel else net.heads()[t].in_features // net.layers[-1].width
    parts += [nn.Flatten()] if net.layers[-1].kernel else []
    return nn.Sequential(*parts, linear(weights, last, None, inputs(below, spread), repeated(scale, spread))).eval()


def chosen(mask, least):
    """The units whose mask is not below least, or else the strongest."""
    there = (mask >= least).nonzero().flatten()
    return there if len(there) else mask.argmax()[None]


def repeated(scale, positions):
    """Each unit's factor for each of its positions."""
    return None if scale is None else scale.repeat_interleave(positions)


def linear(weights, name, rows, columns, scale):
    """A Linear or Conv2d of chosen rows and columns (None: all) of a layer's weights, the columns times
    scale."""
    weight, bias = weights[name + '.weight'].detach().clone(), weights[name + '.bias'].detach().clone()
    weight, bias = (weight, bias) if rows is None else (weight[rows], bias[rows])
    weight = weight if columns is None else weight[:, columns]
    if scale is not None:
        weight = weight * scale.view(1, -1, *[1] * (weight.dim() - 2))
    kind = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2]) if weight.dim() == 4 else nn.Linear(weight.shape[1], weight.shape[0])
    kind.load_state_dict({'weight': weight, 'bias': bias})
    return kind


def plain(net):
    """Whether a network's declared layers say all of what it computes."""
    kind, methods = type(net), set(variants.OWN) - {'forward'}
    return (isinstance(net, Plain) and kind.forward in (Plain.forward, Features.forward)
            and all(getattr(kind, n) is getattr(Plain, n) for n in methods) and net.is_bare())


def network(net, t, weights, logits, masks=None, least=None):
    """Task t's network, ready to be exported. weights: {name: tensor} by which it is tested; logits: a
    function of images to its own logits [B, its classes]; masks: of a gated network, [units] per layer;
    least: units below are left out."""
    if masks is not None and gated.is_standard(net):
        return sequential(net, t, weights, masks, least)
    if plain(net):
        return sequential(net, t, weights)
    return Whole(net, logits).eval()
