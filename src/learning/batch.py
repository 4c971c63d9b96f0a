"""A batch: images, labels, and the task of each sample."""
import torch


class Batch:
    """x: float [B,C,H,W]; y: int64 [B], labels within their task; t: int64 [B], tasks of the samples; task:
    the number if all are of one, else None; raw: the samples as the data set has them, uint8 [B,h,w(,3)],
    before anything is done to them, or plain where there are none; plain: x as it is without augmentation.
    logits, targets: those that Appr.compete() decided it by, None before.

    Batches add: the sum has the samples of both, each of its own task.
    """

    def __init__(self, x, y, t=None, task=None, raw=None, plain=None):
        self.x, self.y, self.task = x, y, task
        self._t, self._raw, self._plain = t, raw, plain
        self.logits = self.targets = None

    @classmethod
    def of(cls, t, x, y, rows, device, augment=None):
        """Some rows of a set, an int64 tensor or a slice: x a float tensor [N,C,H,W] or
        dataloaders.images, y int64 [N], of task t, unless x says of which task each sample is. augment: a
        dataloaders.augment.Augment, for training."""
        labels, tensor = y[rows].to(device), isinstance(x, torch.Tensor)
        tasks = None if tensor else x.tasks
        whose = {'task': t} if tasks is None else {'t': tasks[rows].to(device)}
        raw = None if tensor else lambda: x.raw(rows)
        if augment is None:
            return cls(x[rows].to(device), labels, raw=raw, **whose)
        made = augment(x[rows]) if tensor else x.made(rows, augment)
        return cls(made.to(device), labels, raw=raw, plain=lambda: x[rows].to(device), **whose)

    def __len__(self):
        return len(self.y)

    def __add__(self, other):
        x, y, t = (torch.cat([getattr(self, k), getattr(other, k)]) for k in 'xyt')
        return Batch(x, y, t, raw=lambda: torch.cat([self.raw, other.raw]),
                     plain=lambda: torch.cat([self.plain, other.plain]))

    def __getitem__(self, rows):
        return Batch(self.x[rows], self.y[rows], self.t[rows], self.task, raw=lambda: self.raw[rows],
                     plain=lambda: self.plain[rows])

    @property
    def t(self):
        """The task of each sample."""
        if self._t is None:
            self._t = torch.full_like(self.y, self.task)
        return self._t

    @property
    def raw(self):
        """The samples as they are kept; made when asked for."""
        if self._raw is None:
            return self.plain
        if callable(self._raw):
            self._raw = self._raw()
        return self._raw

    @property
    def plain(self):
        """x without augmentation; made when asked for."""
        return self.x if self._plain is None else self._plain()


def parts(t, x, y, size, device):
    """All of a set in order, in batches of a size; y: None where labels do not matter, which then are 0."""
    y = torch.zeros(len(x), dtype=torch.int64) if y is None else y
    for k in range(0, len(y), size):
        yield Batch.of(t, x, y, slice(k, k + size), device)
