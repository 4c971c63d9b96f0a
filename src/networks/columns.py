"""Progressive networks: a column of layers per task, adapters from the earlier ones (Rusu et al., 2016)."""
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
        lists = [layer.name for layer in self.layers] + ['last']
        for i in range(len(self.layers)):
            lists += self.names(i)
        for name in lists:
            setattr(self, name, nn.ModuleList())
        for t, ncla in taskcla:
            for i, layer in enumerate(self.layers):
                getattr(self, layer.name).append(self.build(i))
            self.last.append(nn.Linear(self.below[-1], ncla))
            for i in range(len(self.layers)) if t > 0 else ():
                self.add_adapter(i, t, ncla)

    def names(self, i):
        """Return the names of scale, V and U of the adapters into layer i + 1, as V2scale, V2x1, U2 for conv2
        and Vf1scale, Vf1, Uf1 for fc1, or into the head."""
        if i + 1 == len(self.layers):
            return 'Vflscale', 'Vfl', 'Ufl'
        layer, last = self.layers[i + 1], [layer.name[-1] for layer in self.layers if layer.kernel]
        name = layer.name[-1] if len(set(last)) == len(last) else layer.name  # as there, if that tells them apart
        name = name if layer.kernel else 'f' + name
        return 'V%sscale' % name, 'V%s%s' % (name, 'x1' if layer.kernel else ''), 'U%s' % name

    def add_adapter(self, i, t, ncla):
        """Create adapter i of column t: scale, V, U."""
        head, scale = i + 1 == len(self.layers), nn.Embedding(1, t)
        spread = self.positions[i + 1] if not head else 1
        width = self.below[i + 1] * spread
        flat = head or not self.layers[i + 1].kernel
        reduce = nn.Linear(t * width, width) if flat else nn.Conv2d(t * width, width, 1)
        project = nn.Linear(width, ncla) if head else self.layers[i + 1].map(width)
        for name, module in zip(self.names(i), (scale, reduce, project)):
            getattr(self, name).append(module)

    def lateral(self, i, t, before):
        """Return what adapter i of column t adds, from the earlier columns' activations (a list)."""
        scale, reduce, project = (getattr(self, name)[t - 1] for name in self.names(i))
        h = reduce(torch.cat([scale.weight[0][j] * h for j, h in enumerate(before[:t])], 1))
        return project(h if i + 1 == len(self.layers) else F.relu(h))

    def forward(self, x, t, only=None):
        """Return the logits of all tasks (only: of that one, else None) of images x [B,C,H,W] in column t."""
        h, before, outputs = x, [x] * t, []  # outputs: of each layer, those of all columns
        for i, layer in enumerate(self.layers):
            column = getattr(self, layer.name)
            h, before = self.shaped(i, h), [self.shaped(i, b) for b in before]
            sources = outputs[i - layer.skip] if layer.skip else [None] * (t + 1)
            if i == 0:  # the order of the calls is that of dropout's random draws
                h = self.run(i, h, column[t])
            after = [self.run(i, b, column[j], source=sources[j]) for j, b in enumerate(before)]
            if i > 0:
                h = self.mapped(column[t], h, source=sources[t])
                h = self.finish(i, h + self.lateral(i - 1, t, before) if t > 0 else h)
            before = after
            outputs.append([*after, h])
        out = [None] * len(self.last)
        for u in range(len(self.last)) if only is None else [only]:
            out[u] = self.product(self.last[u], before[u] if u < t else h)
            if 0 < u < t:
                out[u] = out[u] + self.lateral(len(self.layers) - 1, u, before)
        return out

    def unfreeze_column(self, t):
        """Train column t, with its head and adapters, and freeze all others."""
        for n, p in self.named_parameters():
            name, j = n.split('.')[:2]
            p.requires_grad_(int(j) + name.startswith(('V', 'U')) == t)
