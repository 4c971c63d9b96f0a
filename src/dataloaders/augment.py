"""Augmentation: what happens to images, at random and anew, each time that they are trained on.

Each operation draws what it does to every image by itself. It takes images [B,H,W,C], of bytes or floats,
and a generator on the CPU, so that what is drawn does not depend on the device.
"""
import re

import torch

from dataloaders.images import rotated
from dataloaders.read import demand


def crop(x, most, generator):
    """Return the images moved by up to so many pixels in either direction, 0 where nothing was."""
    padded = torch.nn.functional.pad(x, (0, 0, most, most, most, most))
    windows = padded.unfold(1, x.shape[1], 1).unfold(2, x.shape[2], 1)  # [B, down, right, C, H, W], a view
    down, right = (drawn(2 * most + 1, x, generator) for _ in range(2))
    return windows[torch.arange(len(x), device=x.device), down, right].permute(0, 2, 3, 1)


def flip(x, _, generator):
    """Return the images, every other one, on average, with left and right exchanged."""
    return torch.where(drawn(2, x, generator).bool()[:, None, None, None], x.flip(2), x)


def rotate(x, most, generator):
    """Return the images turned about their middle by up to so many degrees either way, 0 where nothing was;
    bytes are rounded."""
    angle = (2 * torch.rand(len(x), generator=generator) - 1) * most
    out = rotated(x.permute(0, 3, 1, 2), angle.to(x.device)).permute(0, 2, 3, 1)
    return out if x.is_floating_point() else out.round_().to(x.dtype)


def cutout(x, side, generator):
    """Return the images with 0 in a square of a side, as far as it lies within the image; its middle is any
    pixel (DeVries & Taylor, 2017)."""
    inside = []
    for n in x.shape[1:3]:
        begin = drawn(n, x, generator)[:, None] - side // 2
        place = torch.arange(n, device=x.device)
        inside.append((place >= begin) & (place < begin + side))
    return x.masked_fill((inside[0][:, :, None] & inside[1][:, None])[..., None], 0)


def drawn(n, x, generator):
    """Return a whole number below n for each image, int64 [B], on the images' device."""
    return torch.randint(n, (len(x),), generator=generator).to(x.device, non_blocking=True)


OPERATIONS = {'crop': crop, 'flip': flip, 'rotate': rotate, 'cutout': cutout}


def parse(text):
    """Return [('crop', 4), ('flip', 0)] of 'crop:4,flip'. Raise UserError."""
    found = []
    for word in text.split(','):
        parts = re.fullmatch(r'flip|(crop|cutout|rotate):([1-9]\d{0,2})', word, re.ASCII)
        demand(parts and (parts[1] != 'rotate' or int(parts[2]) <= 180),
               '--augment %r: expected some of crop:PIXELS, flip, rotate:DEGREES (up to 180) and '
               'cutout:PIXELS, as in crop:4,flip', text[:100])
        found.append((parts[1] or 'flip', int(parts[2] or 0)))
    names = [name for name, _ in found]
    demand(len(set(names)) == len(names), '--augment %s: an operation is named twice', text)
    return found


def checked(text):
    """Return the text of an augmentation, if it is one. Raise UserError."""
    parse(text)
    return text


class Augment:
    """The operations of a text, in its order, with a random generator of their own: called with images of
    bytes [B,h,w(,3)] or floats [B,C,H,W], it returns others of the same shape and type."""

    def __init__(self, text, seed=0):
        self.operations = parse(text)
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, x):
        floats, grey = x.is_floating_point(), x.dim() == 3
        x = x.permute(0, 2, 3, 1) if floats else x
        x = x[..., None] if grey else x
        for name, number in self.operations:
            x = OPERATIONS[name](x, number, self.generator)
        x = x[..., 0] if grey else x
        return x.permute(0, 3, 1, 2).contiguous() if floats else x

    @property
    def state(self):
        """The state of the generator, uint8."""
        return self.generator.get_state()

    @state.setter
    def state(self, state):
        self.generator.set_state(state)

    @property
    def flips(self):
        """Whether left and right are exchanged."""
        return 'flip' in dict(self.operations)

    def fit(self, shape):
        """Raise UserError unless images of a shape [h,w] are larger than what is cut off or out of them."""
        for name, number in self.operations:
            demand(name not in ('crop', 'cutout') or number < min(shape),
                   '--augment %s:%d: nothing may be left of images of %dx%d', name, number, *shape)
