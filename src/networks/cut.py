"""One task's network by itself, to be exported, and what makes its input of pixels."""
import torch
from torch import nn
from torch.nn import functional as F

from networks import gated
from networks.folded import Folded, folds
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
    """Task t's logits by a function of images, run as in testing, where the layers do not say all."""

    def __init__(self, net, logits):
        super().__init__()
        self.net, self.logits = net.eval(), logits

    def forward(self, x):
        """Return the logits [B, its classes]."""
        return self.logits(x)


def plain(net):
    """Return whether a network's declared layers say all of what it computes."""
    forward = type(net).forward in (Plain.forward, Features.forward)
    return forward and keeps(type(net), Plain, 'hidden') and net.is_bare()


def network(net, t, weights, logits, masks=None, least=None):
    """Return task t's network, ready to be exported. weights: {name: tensor} by which it is tested; logits: a
    function of images to its logits [B, classes]; masks, least: of a gated network, as Folded has them."""
    standard = plain(net) if masks is None else gated.is_standard(net)
    return Folded(net, t, weights, masks, least) if standard and folds(net.layers) else Whole(net, logits)
