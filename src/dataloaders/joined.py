"""Images of several tasks at once: of sets one after another, and of the bytes that a buffer keeps."""
import math

import torch

from dataloaders.images import WHOLE, Images


def floats(x):
    """All of Images or a tensor, as a tensor that nobody else holds."""
    return x.pixels(x.raw(slice(None))) if isinstance(x, Images) else x


class Joined:
    """The images of several sets one after another, [(t, x), ...]: x Images or a float tensor [N,C,H,W], t
    their task or those of each, int64 [N]. tasks: int64 [N]. Sets of one source that differ in permutation
    or angle alone are made together."""

    dtype = torch.float32

    def __init__(self, sets):
        self.sets, self.device = [x for _, x in sets], sets[0][1].device
        lengths = torch.tensor([len(x) for x in self.sets])
        tasks = [t.cpu() if isinstance(t, torch.Tensor) else torch.full((len(x),), t) for t, x in sets]
        self.tasks, self.shape = torch.cat(tasks).to(self.device), torch.Size((int(lengths.sum()), *self.sets[0].shape[1:]))
        whole = 4 * math.prod(self.shape) <= WHOLE
        self.floats = torch.cat([floats(x) for x in self.sets]) if whole else None
        self.owner = torch.repeat_interleave(torch.arange(len(sets)), lengths)  # of each sample, its set
        self.place = torch.arange(len(self)) - (lengths.cumsum(0) - lengths)[self.owner]
        kinds = {}
        for i, x in enumerate(self.sets):
            key = (x.source.data_ptr(), *x.pixels.kind) if isinstance(x, Images) else i
            kinds.setdefault(key, []).append(i)
        self.kinds = list(kinds.values())
        self.kind = torch.empty(len(sets), dtype=torch.int64)
        for k, members in enumerate(self.kinds):
            self.kind[members] = k
        self.makers = [Transforms({i: (self.sets[i].pixels, self.sets[i].source.shape[1:]) for i in members})
                       if len(members) > 1 else None for members in self.kinds]

    @classmethod
    def told(cls, x, tasks):
        """A float tensor [N,C,H,W] with the task of each sample, int64 [N]."""
        return cls([(tasks, x)])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        if self.floats is not None:
            return self.floats[rows]
        rows = torch.arange(len(self))[rows] if isinstance(rows, slice) else rows.cpu()
        owner, out = self.owner[rows], None
        for k in self.kind[owner].unique().tolist():
            mine = (self.kind[owner] == k).nonzero().flatten()
            x = self.of_kind(k, owner[mine], self.place[rows[mine]])
            if len(mine) == len(rows):
                return x
            out = x.new_empty(len(rows), *x.shape[1:]) if out is None else out
            out[mine.to(x.device)] = x
        return out

    def of_kind(self, k, owner, place):
        """The samples at some places of sets of one kind."""
        first = self.sets[self.kinds[k][0]]
        if self.makers[k] is None:
            return first[place.to(first.device)]
        absolute = torch.empty_like(place)
        for i in owner.unique().tolist():
            rows, mine = self.sets[i].rows, owner == i
            absolute[mine] = place[mine] if rows is None else rows[place[mine]]
        return self.makers[k](first.source[absolute].flatten(1), owner)

    split = Images.split

    def to(self, device):
        """Itself: batches are moved when they are made."""
        return self


class Transforms:
    """What makes images of the bytes that a buffer keeps: of {task: (Pixels, shape [h,w(,3)] of its raw
    images)}."""

    def __init__(self, tasks):
        kinds = {}
        for t, (pixels, shape) in tasks.items():
            kinds.setdefault((*pixels.kind, tuple(shape)), []).append(t)
        self.kinds = [(*tasks[members[0]], *self.table([tasks[t][0] for t in members])) for members in kinds.values()]
        size = max(tasks) + 1
        self.kind, self.place = torch.zeros(2, size, dtype=torch.int64)  # of each task; its place among those of its kind
        for k, members in enumerate(kinds.values()):
            self.kind[members], self.place[members] = k, torch.arange(len(members))

    @staticmethod
    def table(several):
        """(permutations [tasks, h*w] or None, angles [tasks] or None) of Pixels of one kind."""
        first = several[0]
        orders = first.permutation is not None and torch.stack([torch.from_numpy(p.permutation) for p in several])
        angles = first.angle is not None and torch.tensor([p.angle for p in several])
        return (orders if orders is not False else None), (angles if angles is not False else None)

    def __call__(self, raw, t):
        """float32 [B,C,H,W] of bytes [B,D], behind which there may be more than the raw image, of the
        tasks t [B]."""
        if len(self.kinds) == 1:
            return self.made(0, raw, t)
        kind, out = self.kind.to(t.device)[t], None
        for k in kind.unique().tolist():
            x = self.made(k, raw[kind == k], t[kind == k])
            out = x.new_empty(len(raw), *x.shape[1:]) if out is None else out
            out[kind == k] = x
        return out

    def made(self, k, raw, t):
        """The same of tasks of one kind."""
        pixels, shape, orders, angles = self.kinds[k]
        raw = raw[:, :math.prod(shape)].view(-1, *shape)
        if orders is None and angles is None:
            return pixels(raw)
        place = self.place.to(t.device)[t]
        order = None if orders is None else orders.to(t.device)[place]
        return pixels(raw, order, None if angles is None else angles.to(t.device)[place])
