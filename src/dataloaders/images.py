"""Images are bytes until a batch is made: rows of uint8, and what becomes of them."""
import functools
import math
import weakref
from collections import UserDict
from dataclasses import dataclass

import numpy as np
import torch

WHOLE = 2 ** 28  # bytes that the floats of a set may take to be made once for all batches, which is faster


def misfit(shape, size):
    """Why images of a shape [h,w] or [h,w,c] cannot become those of a size [C,H,W], in words; None if they
    can."""
    if len(size) != 3:
        return 'expected [channels, height, width]'
    channels = shape[2] if len(shape) == 3 else 1
    more = [n - m for n, m in zip(size[1:], shape)]
    if channels not in (1, size[0]):
        return 'only grey images can be repeated over channels'
    if min(more) < 0:
        return 'images are padded, not cropped'
    return 'padding is the same on both sides, so the difference has to be even' if any(n % 2 for n in more) else None


@dataclass(frozen=True, eq=False)
class Pixels:
    """What becomes of the pixels: mean and std per channel, of pixels in 0..1; size [C,H,W] to pad or
    repeat to; permutation [H*W] of the pixels; angle to rotate by, in degrees counter-clockwise."""
    mean: tuple
    std: tuple
    size: tuple
    permutation: np.ndarray = None
    angle: float = None

    def __call__(self, raw, permutation=None, angle=None):
        """Normalised float32 [N,C,H,W] of uint8 images [N,h,w] or [N,h,w,3], a tensor; smaller images are
        padded with black, grey ones repeated over the channels. permutation [N,h*w], angle [N]: of each
        image, instead of one for all."""
        x = raw[:, None] if raw.dim() == 3 else raw.permute(0, 3, 1, 2)
        if permutation is not None:
            x = x.flatten(2).gather(2, permutation[:, None].expand(-1, x.shape[1], -1)).view(x.shape)
        elif self.permutation is not None:
            x = x.flatten(2)[:, :, torch.from_numpy(self.permutation).to(x.device)].view(x.shape)
        angle = self.angle if angle is None else angle
        if angle is not None:
            x = rotated(x, torch.as_tensor(angle, dtype=torch.float32, device=x.device).reshape(-1))
        high, wide = ((n - m) // 2 for n, m in zip(self.size[1:], x.shape[2:]))
        if high or wide:
            x = torch.nn.functional.pad(x, (wide, wide, high, high))
        whole, mean, std = constants(tuple(self.mean), tuple(self.std), x.device)
        x = x.to(torch.float32, memory_format=torch.contiguous_format).div_(whole)
        return x.sub_(mean).div_(std).expand(-1, self.size[0], -1, -1).contiguous()

    @property
    def sight(self):
        """What, but for the size, images become: Pixels of the same sight make the same of them."""
        permutation, angle = self.permutation, (self.angle or 0.) % 360
        plain = permutation is None or np.array_equal(permutation, np.arange(len(permutation)))
        order = b'' if plain else np.asarray(permutation, np.int64).tobytes()
        return tuple(self.mean), tuple(self.std), order, angle

    @property
    def kind(self):
        """What Pixels have in common that differ in permutation or angle alone, and so can be applied
        together."""
        return tuple(self.mean), tuple(self.std), tuple(self.size), self.permutation is None, self.angle is None


@functools.lru_cache(maxsize=256)
def constants(mean, std, device):
    """(255, mean, std) as tensors on a device, so that batches copy nothing to it. By a plain number CUDA
    would not divide but multiply by its reciprocal, which can be another bit."""
    with torch.inference_mode(False):
        numbers = [torch.tensor(v, dtype=torch.float32, device=device).view(1, -1, 1, 1) for v in ((255.,), mean, std)]
    return numbers


def rotated(x, angle, chunk=4096):
    """Images [N,C,H,W] of bytes, rotated by angles [N] or [1] about their middle, float32: bilinear, black
    outside."""
    h, w = x.shape[2:]
    sides = (torch.arange(n, device=x.device) - (n - 1) / 2 for n in (h, w))
    ys, xs = torch.meshgrid(*sides, indexing='ij')
    out = []
    for k in range(0, len(x), chunk):
        a = torch.deg2rad(angle[k:k + chunk] if len(angle) > 1 else angle).view(-1, 1, 1)
        grid = torch.stack(((xs * a.cos() - ys * a.sin()) * 2 / w, (xs * a.sin() + ys * a.cos()) * 2 / h), -1)
        part = x[k:k + chunk].float()
        out.append(torch.nn.functional.grid_sample(part, grid.expand(len(part), -1, -1, -1), align_corners=False))
    return torch.cat(out)


class Images:
    """The images of one split, float32 [N,C,H,W] to whoever asks for some: x[rows]. source: uint8
    [n,h,w(,3)], shared with others; rows: int64 [N], which of them, None: all; tasks: None, as all are of
    one (Joined)."""

    dtype, tasks = torch.float32, None

    def __init__(self, source, pixels, rows=None):
        self.source, self.rows = (None if v is None else torch.as_tensor(v) for v in (source, rows))
        self.pixels, self.floats = pixels, None

    def __len__(self):
        return len(self.source if self.rows is None else self.rows)

    @property
    def shape(self):
        """[N,C,H,W]."""
        return torch.Size((len(self), *self.pixels.size))

    @property
    def device(self):
        """Where batches are made."""
        return self.source.device

    def raw(self, rows):
        """The bytes [B,h,w(,3)] of some rows, an int64 tensor or a slice, before anything is done to them."""
        return self.source[rows if self.rows is None else self.rows[rows]]

    def __getitem__(self, rows):
        if self.floats is None and 4 * math.prod(self.shape) <= WHOLE:
            with torch.inference_mode(False):  # a test may be the first to ask for what training uses later
                self.floats = self.pixels(self.raw(slice(None)))
        return self.pixels(self.raw(rows)) if self.floats is None else self.floats[rows]

    def split(self, size):
        """All of them in order, in batches."""
        for k in range(0, len(self), size):
            yield self[k:k + size]

    def to(self, device):
        """The same on a device; where its memory does not hold the bytes, they stay, and batches are moved
        when made."""
        device = torch.device(device)
        if device.type == self.device.type:
            return self
        if device.type == 'cuda' and self.source.numel() > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        source = self.source if self.rows is None else self.source[self.rows]
        return Images(source.to(device), self.pixels)


class Split(UserDict):
    """{'x': float32 [N,C,H,W], 'y': int64 [N]} whose x is made when asked for, and only once as long as
    anybody holds it; images: the same as Images. source: uint8 arrays; rows: which of them; None: all."""

    def __init__(self, source, rows, y, pixels):
        super().__init__(x=None, y=torch.from_numpy(y))
        self.source, self.rows, self.pixels, self.made, self.there = source, rows, pixels, lambda: None, lambda: None

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if key != 'x' or value is not None:
            return value
        x = self.made()
        if x is None:
            images = self.images
            with torch.inference_mode(False):
                x = images.pixels(images.raw(slice(None))) if images.floats is None else images.floats
            self.made = weakref.ref(x)
        return x

    @property
    def images(self):
        """Images, or the floats that somebody has put in their place."""
        if self.replaced:
            return self.data['x']
        found = self.there()
        if found is None or found.pixels is not self.pixels:
            found = Images(self.source, self.pixels, self.rows)
            self.there = weakref.ref(found)
        return found

    @property
    def replaced(self):
        """Whether somebody has put other floats in the place of those that are made."""
        return self.data['x'] is not None

    def first(self, n):
        """The first n images, of the data set's even where they have been replaced."""
        return self.pixels(Images(self.source, self.pixels, self.rows).raw(slice(0, n)))

    def some(self, chosen):
        """The same of some images alone, by their places, an array."""
        rows = np.arange(len(self['y'])) if self.rows is None else self.rows
        return Split(self.source, rows[chosen], self['y'].numpy()[chosen], self.pixels)


def some(split, chosen):
    """A Split, or a dictionary of the tensors x and y, with some of its samples alone, by their places, an
    array."""
    return split.some(chosen) if isinstance(split, Split) else {k: split[k][chosen] for k in 'xy'}
