"""One task's network by itself, to be exported: of HAT the units that its mask selects, masks folded in."""
import torch
from torch import nn
from torch.nn import functional as F

from networks import gated, parts
from networks.folded import Folded, chosen, folds, linear
from networks.layers import Features, Plain, keeps


class Preprocessing(nn.Module):
    """Images [B,c,h,w] of pixels in 0..1 to what a network sees, as a dataloaders.images.Pixels makes it
    of bytes; images are taken to be rotated already, where a task rotates them."""

    def __init__(self, pixels):
        super().__init__()
        self.size = list(pixels.size)
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(pixels, name), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1))
        order = pixels.permutation
        self.register_buffer('permutation', None if order is None else torch.from_numpy(order))

    def forward(self, x):
        """Return float32 [B,C,H,W]."""
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
        """Return the logits [B, its classes]."""
        return self.logits(x)


def sequential(net, t, weights, masks=None, least=None):
    """Return task t's network as an nn.Sequential of a Layered net's layers with weights {name: tensor}.

    masks: a list of [units] by which the units are multiplied, which is folded into the weights above them;
    least: units of which the mask is below are left out (None: none), but for the strongest of a layer
    without others.
    """
    parts, below, scale, maps = [], None, None, True  # maps: whether what comes from below is images or maps
    for i, layer in enumerate(net.layers):
        rows = None if masks is None else chosen(masks[i], least)
        parts += [nn.Flatten()] if maps and not layer.kernel else []
        parts += [linear(weights, layer.name, rows, below, scale, net.positions[i]), nn.ReLU()]
        parts += [nn.MaxPool2d(2)] if layer.kernel else []
        below, scale, maps = rows, None if masks is None else masks[i][rows], layer.kernel > 0
    head = net.heads()[t]
    name = next(n for n, m in net.named_modules() if m is head)
    parts += [nn.Flatten()] if maps else []
    parts += [linear(weights, name, None, below, scale, head.in_features // net.below[-1])]
    return nn.Sequential(*parts).eval()


def follow(layers):
    """Return whether layers are what sequential() knows: linear maps, convolutions with max-pooling."""
    shapes = {(layer.stride, layer.padding, layer.pool) for layer in layers if layer.kernel}
    return parts.plain(layers) and shapes <= {(1, 0, 'max')}


def plain(net):
    """Return whether a network's declared layers say all of what it computes."""
    forward = type(net).forward in (Plain.forward, Features.forward)
    return forward and keeps(type(net), Plain, 'hidden') and net.is_bare()


def network(net, t, weights, logits, masks=None, least=None):
    """Return task t's network, ready to be exported. weights: {name: tensor} by which it is tested; logits: a
    function of images to its logits [B, classes]; masks, least: of a gated network, as in sequential."""
    standard = plain(net) if masks is None else gated.is_standard(net)
    if not standard or not folds(net.layers):
        return Whole(net, logits).eval()
    return (sequential if follow(net.layers) else Folded)(net, t, weights, masks, least)
