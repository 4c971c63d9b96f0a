"""Progressive networks: a column of layers per task, with lateral adapters from the earlier ones (Rusu et al., 2016)."""
import torch
from torch import nn
from torch.nn import functional as F

from networks.layers import Layered, scaled


class Columns(Layered):
    """A column per task. Into each layer but the first, and into the head, of column t > 0 leads an adapter
    from the columns before it: their activations, each times a learned scalar, joined, reduced to the width
    of one column (V, then ReLU, but not for the head) and mapped to the layer's size (U), added before the
    layer's ReLU.

    Two quirks of the original are kept, because the published figures have them: earlier columns are computed
    without their own adapters, and the head's adapter is left out for the task that is being run, so that it
    never trains.
    """

    factor = 1.117  # of all columns' widths together

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(scaled(layers, self.factor / len(taskcla)), inputsize, taskcla)
        # Names of the adapters into layers 1, 2, ... and the head: '2' for conv2, 'f1' for fc1, 'fl' for the head.
        self.laterals = [('f' if not layer.kernel else '') + layer.name[-1] for layer in self.layers[1:]] + ['fl']
        lists = [layer.name for layer in self.layers] + ['last']
        lists += [kind % s for i, s in enumerate(self.laterals) for kind in self.names(i)]
        for name in lists:
            setattr(self, name, nn.ModuleList())
        for t, ncla in taskcla:
            for i, layer in enumerate(self.layers):
                getattr(self, layer.name).append(self.build(i))
            self.last.append(nn.Linear(self.below[-1], ncla))
            if t > 0:
                for i in range(len(self.laterals)):
                    self.add_adapter(i, t, ncla)

    def names(self, i):
        """Name patterns of adapter i's scale, V and U."""
        conv = i + 1 < len(self.layers) and self.layers[i + 1].kernel
        return 'V%sscale', 'V%sx1' if conv else 'V%s', 'U%s'

    def adapter(self, i, t):
        """Scale, V and U of adapter i of column t."""
        return [getattr(self, kind % self.laterals[i])[t - 1] for kind in self.names(i)]

    def add_adapter(self, i, t, ncla):
        """Creates adapter i of column t: scale, V, U."""
        width, scale = self.below[i + 1], nn.Embedding(1, t)
        if i + 1 == len(self.layers):
            reduce, project = nn.Linear(t * width, width), nn.Linear(width, ncla)
        elif self.layers[i + 1].kernel:
            reduce, project = nn.Conv2d(t * width, width, 1), self.build(i + 1)
        else:
            width *= self.positions[i + 1]
            reduce, project = nn.Linear(t * width, width), self.build(i + 1)
        for kind, module in zip(self.names(i), (scale, reduce, project)):
            getattr(self, kind % self.laterals[i]).append(module)

    def lateral(self, i, t, before):
        """What adapter i of column t adds, from the earlier columns' activations (a list)."""
        scale, reduce, project = self.adapter(i, t)
        h = reduce(torch.cat([scale.weight[0][j] * h for j, h in enumerate(before[:t])], 1))
        return project(h if i + 1 == len(self.layers) else F.relu(h))

    def forward(self, x, t, only=None):
        """Logits of all tasks (only: of that one, else None) of images x [B,C,H,W] in the column of task t."""
        h, before = x, [x] * t
        for i, layer in enumerate(self.layers):
            column = getattr(self, layer.name)
            h, before = self.shaped(i, h), [self.shaped(i, b) for b in before]
            if i == 0:  # the order of the calls is that of dropout's random draws
                h = self.run(i, h, column[t])
            after = [self.run(i, b, column[j]) for j, b in enumerate(before)]
            if i > 0:
                h = column[t](h)
                h = self.finish(i, h + self.lateral(i - 1, t, before) if t > 0 else h)
            before = after
        wanted = range(len(self.last)) if only is None else [only]
        out = [self.product(head, before[u] if u < t else h) if u in wanted else None for u, head in enumerate(self.last)]
        for u in set(wanted) & set(range(1, t)):
            out[u] = out[u] + self.lateral(len(self.laterals) - 1, u, before)
        return out

    def unfreeze_column(self, t):
        """Trains column t, with its head and adapters, and freezes all others."""
        for n, p in self.named_parameters():
            name, j = n.split('.')[:2]
            p.requires_grad_(int(j) + name.startswith(('V', 'U')) == t)
