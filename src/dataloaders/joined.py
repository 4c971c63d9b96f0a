"""Images of several tasks at once: of sets one after another, and of the bytes that a buffer keeps."""
import math

import torch

from dataloaders.images import WHOLE, Images, same


def assembled(kinds, make):
    """Return images [B,...], of each kind those that make(kind, places) makes; kinds: int64 [B]."""
    out = None
    for kind in kinds.unique().tolist():
        places = (kinds == kind).nonzero().flatten()
        x = make(kind, places)
        if len(places) == len(kinds):
            return x
        out = x.new_empty(len(kinds), *x.shape[1:]) if out is None else out
        out[places.to(x.device)] = x
    return out


class Joined:
    """The images of several sets one after another, [(t, x), ...]: x Images, Kept or a float tensor
    [N,C,H,W], t their task or those of each, int64 [N]. tasks: int64 [N]. Sets of one source that differ in
    permutation or angle alone are made together."""

    dtype = torch.float32

    def __init__(self, sets):
        self.sets, self.device = [x for _, x in sets], sets[0][1].device
        tasks = [t.cpu() if isinstance(t, torch.Tensor) else torch.full((len(x),), t) for t, x in sets]
        self.tasks = torch.cat(tasks).to(self.device)
        self.shape = torch.Size((len(self.tasks), *self.sets[0].shape[1:]))
        self.floats, self.transforms = None, None
        if 4 * math.prod(self.shape) <= WHOLE:
            self.floats = torch.cat([x if isinstance(x, torch.Tensor) else x.whole() for x in self.sets])
        kinds = {isinstance(x, Images) and (x.source.data_ptr(), *x.pixels.kind) for x in self.sets}
        places = [torch.arange(len(x)) for x in self.sets]  # in its set or, where there is one, the source
        if len(kinds) == 1 < len(sets) and False not in kinds:
            self.transforms = Transforms({i: (x.pixels, x.source.shape[1:]) for i, x in enumerate(self.sets)})
            places = [p if x.rows is None else x.rows for p, x in zip(places, self.sets)]
        self.place = torch.cat(places)  # of each sample
        self.owner = torch.cat([torch.full_like(p, i) for i, p in enumerate(places)])  # its set

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return self.made(rows) if self.floats is None else self.floats[rows]

    def made(self, rows, augment=same):
        """Return some of them, made of images that were augmented before (dataloaders.augment)."""
        rows = rows if isinstance(rows, slice) else rows.cpu()
        owner, place = self.owner[rows], self.place[rows]
        if self.transforms:
            return self.transforms(self.sets[0].source[place].flatten(1), owner, augment)

        def make(i, mine):
            x, places = self.sets[i], place[mine].to(self.sets[i].device)
            return augment(x[places]) if isinstance(x, torch.Tensor) else x.made(places, augment)
        return assembled(owner, make)

    split = Images.split

    def to(self, device):
        """Return itself: batches are moved when they are made."""
        return self


class Kept:
    """The images of what a buffer keeps: raw images and their tasks, int64 [N], of which make(raw, tasks,
    augment) makes floats."""

    def __init__(self, raw, tasks, make):
        self.stored, self.owners, self.make, self.device = raw, tasks, make, raw.device
        self.shape = torch.Size((len(tasks), *self.made(slice(0, 1)).shape[1:]))

    def __len__(self):
        return len(self.owners)

    def made(self, rows, augment=same):
        """Return some of them, augmented before."""
        return self.make(self.stored[rows], self.owners[rows], augment)

    def whole(self):
        """Return all of them."""
        return self.made(slice(None))


class Transforms:
    """What makes images of bytes that a buffer keeps, of {task: (Pixels, shape [h,w(,3)] of raw images)}."""

    def __init__(self, tasks):
        kinds = {}
        for t, (pixels, shape) in tasks.items():
            kinds.setdefault((*pixels.kind, tuple(shape)), []).append(t)
        self.kinds = []  # (Pixels, shape, permutations [tasks, h*w] or None, angles [tasks] or None)
        self.kind, self.place = torch.zeros(2, max(tasks) + 1, dtype=torch.int64)  # of each task
        for k, members in enumerate(kinds.values()):
            self.kind[members], self.place[members] = k, torch.arange(len(members))
            several, shape = [tasks[t][0] for t in members], tasks[members[0]][1]
            orders = angles = None
            if several[0].permutation is not None:
                orders = torch.stack([torch.from_numpy(pixels.permutation) for pixels in several])
            if several[0].angle is not None:
                angles = torch.tensor([pixels.angle for pixels in several])
            self.kinds.append((several[0], shape, orders, angles))

    def __call__(self, raw, t, augment=same):
        """Return float32 [B,C,H,W] of the tasks t [B]; raw: bytes [B,D], of each image the first ones, which
        are augmented before anything else."""
        def make(k, mine):
            pixels, shape, orders, angles = self.kinds[k]
            x = augment(raw[mine, :math.prod(shape)].view(-1, *shape))
            place = self.place.to(t.device)[t[mine]]
            order = None if orders is None else orders.to(t.device)[place]
            return pixels(x, order, None if angles is None else angles.to(t.device)[place])
        if len(self.kinds) == 1:
            return make(0, slice(None))
        return assembled(self.kind.to(t.device)[t], make)
