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
    """Return why images of a shape [h,w(,c)] cannot become those of a size [C,H,W], or None if they can."""
    if len(size) != 3:
        return 'expected [channels, height, width]'
    if len(shape) == 3 and shape[2] not in (1, size[0]):
        return 'only grey images can be repeated over channels'
    more = [n - m for n, m in zip(size[1:], shape)]
    if min(more) < 0:
        return 'images are padded, not cropped'
    even = not any(n % 2 for n in more)
    return None if even else 'padding is the same on both sides, so the difference has to be even'


@dataclass(frozen=True, eq=False)
class Pixels:
    """What becomes of the pixels: mean and std per channel, of pixels in 0..1; size [C,H,W] to pad or
    repeat to; permutation [H*W] of the pixels; angle to rotate by, in degrees counter-clockwise."""
    mean: tuple
    std: tuple
    size: tuple
    permutation: np.ndarray = None
    angle: float = None
    cut: bool = False  # whether image files are cut to the raw images' proportions (pictures.fitted)

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
    def kind(self):
        """What Pixels have in common that one call can apply: they differ in permutation or angle alone."""
        stats = tuple(self.mean), tuple(self.std)
        return *stats, tuple(self.size), self.permutation is None, self.angle is None


@functools.lru_cache(maxsize=256)
def constants(mean, std, device):
    """Return (255, mean, std) as tensors on a device, so that batches copy nothing to it. By a plain number
    CUDA would not divide but multiply by its reciprocal, which can be another bit."""
    with torch.inference_mode(False):
        values = [torch.tensor(v, dtype=torch.float32, device=device) for v in ((255.,), mean, std)]
        return [v.view(1, -1, 1, 1) for v in values]


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
        grid = grid.expand(len(part), -1, -1, -1)
        out.append(torch.nn.functional.grid_sample(part, grid, align_corners=False))
    return torch.cat(out)


def same(x):
    """Return images as they are: what no augmentation does."""
    return x


class Images:
    """The images of one split, float32 [N,C,H,W] to whoever asks for some: x[rows]. source: uint8
    [n,h,w(,3)], shared with others; rows: int64 [N], which of them, None: all; tasks: None, as all are of
    one (Joined)."""

    dtype, tasks = torch.float32, None

    def __init__(self, source, pixels, rows=None):
        self.source, self.rows = (None if v is None else torch.as_tensor(v) for v in (source, rows))
        self.pixels, self.floats, self.device = pixels, None, self.source.device
        self.shape = torch.Size((len(source if rows is None else rows), *pixels.size))

    def __len__(self):
        return self.shape[0]

    def raw(self, rows):
        """Return the bytes [B,h,w(,3)] of some rows, an int64 tensor or a slice."""
        return self.source[rows if self.rows is None else self.rows[rows]]

    def whole(self):
        """Return all of them."""
        with torch.inference_mode(False):  # a test may be the first to ask for what training uses later
            return self.pixels(self.raw(slice(None))) if self.floats is None else self.floats

    def __getitem__(self, rows):
        if self.floats is None and 4 * math.prod(self.shape) <= WHOLE:
            self.floats = self.whole()
        return self.made(rows) if self.floats is None else self.floats[rows]

    def made(self, rows, augment=same):
        """Return some of them, made of bytes that were augmented before (dataloaders.augment)."""
        return self.pixels(augment(self.raw(rows)))

    def split(self, size):
        """Yield all of them in order, in batches."""
        for k in range(0, len(self), size):
            yield self[k:k + size]

    def to(self, device):
        """Return the same on a device, or itself where that has no room for the bytes."""
        device, size = torch.device(device), self.source.numel()
        same = device.type == self.device.type
        if same or device.type == 'cuda' and size > torch.cuda.mem_get_info(device)[0] // 2:
            return self
        source = self.source if self.rows is None else self.source[self.rows]
        return Images(source.to(device), self.pixels)


class Split(UserDict):
    """{'x': float32 [N,C,H,W], 'y': int64 [N]} whose x is made when asked for, and only once as long as
    anybody holds it; images: the same as Images. source: uint8 arrays; rows: which of them; None: all."""

    def __init__(self, source, rows, y, pixels):
        super().__init__(x=None, y=torch.from_numpy(y))
        self.source, self.rows, self.pixels = source, rows, pixels
        self.tensor = torch.as_tensor(source)  # the same to all that hold it
        self.made = self.there = lambda: None  # weak references to x and to images

    def __getitem__(self, key):
        if key != 'x' or self.replaced:
            return super().__getitem__(key)
        x = self.made()
        if x is None:
            x = self.images.whole()
            self.made = weakref.ref(x)
        return x

    @property
    def images(self):
        """Images, or the floats that somebody has put in their place."""
        if self.replaced:
            return self.data['x']
        found = self.there()
        if found is None or found.pixels is not self.pixels:
            found = Images(self.tensor, self.pixels, self.rows)
            self.there = weakref.ref(found)
        return found

    @property
    def replaced(self):
        """Whether somebody has put other floats in the place of those that are made."""
        return self.data['x'] is not None

    def first(self, n):
        """Return the first n images, the data set's even where they have been replaced."""
        return self.pixels(Images(self.source, self.pixels, self.rows).raw(slice(0, n)))


def of(split):
    """Return the images of a split as our own code takes them: bytes where they are, else a float tensor."""
    return split.images if hasattr(split, 'images') else split['x']


def part(x, rows):
    """Return some rows of images, or of a float tensor, as they are kept."""
    if isinstance(x, torch.Tensor):
        return x[rows.to(x.device)]
    return Images(x.source, x.pixels, rows if x.rows is None else x.rows[rows])


def some(split, chosen):
    """Return a Split, or a dictionary of tensors x and y, of the samples at some places, an array."""
    if not isinstance(split, Split):
        return {k: split[k][chosen] for k in 'xy'}
    rows = chosen if split.rows is None else split.rows[chosen]
    return Split(split.source, rows, split['y'].numpy()[chosen], split.pixels)
