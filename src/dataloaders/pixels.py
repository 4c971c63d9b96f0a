"""Images as the networks see them, made from uint8 when they are asked for: of one task, or of batches of many tasks."""
import weakref
from collections import UserDict
from dataclasses import dataclass

import numpy as np
import torch


def misfit(shape, size):
    """Why images of a shape [h,w] or [h,w,c] cannot become those of a size [C,H,W], in words; None if they can."""
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
    """What becomes of the pixels: mean and std per channel, of pixels in 0..1; size [C,H,W] to pad or repeat to; permutation
    [H*W] of the pixels; angle to rotate by, in degrees counter-clockwise."""
    mean: tuple
    std: tuple
    size: tuple
    permutation: np.ndarray = None
    angle: float = None

    def __call__(self, images, permutation=None, angle=None):
        """Normalised float32 [N,C,H,W] of uint8 images [N,h,w] or [N,h,w,3]; smaller images are padded with black, grey ones
        repeated over the channels (as a view). permutation [N,h*w], angle [N]: of each image, instead of one for all."""
        x = torch.from_numpy(images)
        x = x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2)
        if permutation is not None:
            x = x.flatten(2).gather(2, permutation[:, None].expand(-1, x.shape[1], -1)).view(x.shape)
        elif self.permutation is not None:
            x = x.flatten(2)[:, :, torch.from_numpy(self.permutation)].view(x.shape)
        angle = self.angle if angle is None else angle
        if angle is not None:
            x = rotated(x, torch.as_tensor(angle, dtype=torch.float32).reshape(-1))
        high, wide = ((n - m) // 2 for n, m in zip(self.size[1:], x.shape[2:]))
        if high or wide:
            x = torch.nn.functional.pad(x, (wide, wide, high, high))
        return self.floats(x).expand(-1, self.size[0], -1, -1)

    @property
    def sight(self):
        """What, but for the size, images become: Pixels of the same sight make the same of them."""
        permutation, angle = self.permutation, (self.angle or 0.) % 360
        plain = permutation is None or np.array_equal(permutation, np.arange(len(permutation)))
        return tuple(self.mean), tuple(self.std), b'' if plain else np.asarray(permutation, np.int64).tobytes(), angle

    def floats(self, x):
        """Normalised floats of bytes [N,C,H,W]."""
        mean, std = (torch.tensor(v, dtype=torch.float32, device=x.device).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return x.to(torch.float32, memory_format=torch.contiguous_format).div_(255).sub_(mean).div_(std)

    def bytes(self, x):
        """The bytes of normalised floats, from which floats() makes the same again; not of rotated images."""
        mean, std = (torch.tensor(v, dtype=torch.float32, device=x.device).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return ((x * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)


def rotated(x, angle, chunk=4096):
    """Images [N,C,H,W] of bytes, rotated by angles [N] or [1] about their middle, float32: bilinear, black outside."""
    h, w = x.shape[2:]
    ys, xs = torch.meshgrid(torch.arange(h) - (h - 1) / 2, torch.arange(w) - (w - 1) / 2, indexing='ij')
    out = []
    for k in range(0, len(x), chunk):
        a = torch.deg2rad(angle[k:k + chunk] if len(angle) > 1 else angle).view(-1, 1, 1)
        grid = torch.stack(((xs * a.cos() - ys * a.sin()) * 2 / w, (xs * a.sin() + ys * a.cos()) * 2 / h), -1)
        part = x[k:k + chunk].float()
        out.append(torch.nn.functional.grid_sample(part, grid.expand(len(part), -1, -1, -1), align_corners=False))
    return torch.cat(out)


class Split(UserDict):
    """{'x': float32 [N,C,H,W], 'y': int64 [N]} whose x is made from uint8 images when asked for, and made only once as long as
    anybody holds it: ten permutations of MNIST exist as floats one at a time. rows: which of the images; None: all."""

    def __init__(self, images, rows, y, pixels):
        super().__init__(x=None, y=torch.from_numpy(y))
        self.images, self.rows, self.pixels, self.made = images, rows, pixels, lambda: None

    def __getitem__(self, key):
        value = super().__getitem__(key)
        if key != 'x' or value is not None:
            return value
        x = self.made()
        if x is None:
            x = self.pixels(self.images if self.rows is None else self.images[self.rows])
            self.made = weakref.ref(x)
        return x

    @property
    def replaced(self):
        """Whether somebody has put other floats in the place of those that are made."""
        return self.data['x'] is not None

    def first(self, n):
        """The first n images."""
        return self.pixels(self.images[:n] if self.rows is None else self.images[self.rows[:n]])

    def some(self, chosen):
        """The same of some images alone, by their places, an array."""
        rows = np.arange(len(self['y'])) if self.rows is None else self.rows
        return Split(self.images, rows[chosen], self['y'].numpy()[chosen], self.pixels)


def some(split, chosen):
    """A Split, or a dictionary of the tensors x and y, with some of its samples alone, by their places, an array."""
    return split.some(chosen) if isinstance(split, Split) else {k: split[k][chosen] for k in 'xy'}


class Pool:
    """The images of several Splits one after another, of which only what is asked for is made into floats: pool[b] for an int64
    tensor b of positions, pool.split(n) for all in batches."""

    device = torch.device('cpu')

    def __init__(self, splits):
        self.splits = splits
        lengths = [len(s['y']) for s in splits]
        self.owner = torch.repeat_interleave(torch.arange(len(splits)), torch.tensor(lengths))  # of each position, its split
        self.rows = torch.cat([torch.arange(n) if s.rows is None else torch.from_numpy(s.rows) for n, s in zip(lengths, splits)])
        kinds = {}  # splits that differ in permutation or angle alone are made together
        self.kind = torch.tensor([kinds.setdefault(self.key(s), len(kinds)) for s in splits])
        self.tables = [self.table([s for s in splits if kinds[self.key(s)] == k]) for k in range(len(kinds))]
        self.place = torch.zeros(len(splits), dtype=torch.int64)  # of each split among those of its kind
        for k in range(len(kinds)):
            self.place[self.kind == k] = torch.arange(int((self.kind == k).sum()))

    @staticmethod
    def key(split):
        """What splits have in common that are made together."""
        p = split.pixels
        return id(split.images), p.mean, p.std, p.size, p.permutation is None, p.angle is None

    @staticmethod
    def table(splits):
        """(the images, the pixels, permutations [splits, h*w] or None, angles [splits] or None) of splits of one kind."""
        p = splits[0].pixels
        return (splits[0].images, p, None if p.permutation is None else torch.stack([torch.from_numpy(
            s.pixels.permutation) for s in splits]), None if p.angle is None else torch.tensor([s.pixels.angle for s in splits]))

    def __len__(self):
        return len(self.owner)

    def __getitem__(self, b):
        owner, out = self.owner[b], None
        for k in self.kind[owner].unique().tolist():
            mine = (self.kind[owner] == k).nonzero().flatten()
            images, pixels, permutations, angles = self.tables[k]
            place = self.place[owner[mine]]
            x = pixels(images[self.rows[b[mine]].numpy()], None if permutations is None else permutations[place],
                       None if angles is None else angles[place])
            if len(mine) == len(b):
                return x
            out = x.new_empty(len(b), *x.shape[1:]) if out is None else out
            out[mine] = x
        return out

    def split(self, size):
        """All of them in order, in batches."""
        for k in range(0, len(self), size):
            yield self[torch.arange(k, min(k + size, len(self)))]
