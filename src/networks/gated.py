"""What all HAT networks share: hidden layers gated by a learned attention to the task."""
import warnings

import torch
from torch import nn

from networks.layers import Layered, keeps, of_tasks
from utils import UserError


class Gated(Layered):
    """Layers whose every unit is multiplied by sigma(s * e), e an embedding of the task (Serrà et al., 2018,
    Section 2.2). Masks, views and embeddings, e<name> [tasks, units], follow the layers' order.
    """

    pdrop_input, own_norms = 0., True

    def add_gate(self, i):
        """Create the embedding of layer i."""
        layer = self.layers[i]
        setattr(self, 'e' + layer.name, nn.Embedding(len(self.taskcla), layer.width))

    def embeddings(self):
        """Return the embeddings' weights, one [tasks, units] per gated layer."""
        return [getattr(self, 'e' + layer.name).weight for layer in self.layers]

    def connections(self):
        """Return (name, units below, units, weights for each pair of the two) of every gated layer."""
        out = []
        for layer, below in zip(self.layers, self.below):
            weights = self.map(len(out)).weight.numel()
            out.append((layer.name, below, layer.width, weights // (below * layer.width)))
        return out

    def mask(self, t, s=1):
        """Return the attention of task t (int64 [1]) at steepness s: a list of [1, units], one per layer."""
        return [torch.sigmoid(s * nn.functional.embedding(t, e)) for e in self.embeddings()]

    def forward(self, t, x, s=1):
        """Return (logits of all tasks, masks) of images x [B,C,H,W] under the gates of task t (int64 [1])."""
        masks = self.mask(t, s)
        task = int(t) if any(layer.norm for layer in self.layers) else None
        return self.outputs(self.through(self.drop(x, self.pdrop_input), masks, task)), masks

    def get_view_for(self, n, masks):
        """Return masks as parameter n sees them (Section 2.3), of its shape; None for heads, embeddings and
        norms, which are the tasks' own.

        A bias, or a weight of the first layer, has the mask of its unit; any other weight the minimum of the
        masks of the two units it joins (a map's mask counts for all its positions), those of a shortcut the unit
        and the one whose output it adds.
        """
        name, *which, kind = n.split('.')
        names = [layer.name for layer in self.layers]
        if name not in names or which and which[0] not in ('map', 'skip'):
            return None
        i, shortcut = names.index(name), which == ['skip']
        weight = getattr(self, name).skip.weight if shortcut else self.map(i).weight
        if kind == 'bias':
            return masks[i].flatten()
        post = masks[i].view(-1, *[1] * (weight.dim() - 1))
        if i == 0:
            return post.expand_as(weight)
        pre = masks[i - (self.layers[i].skip if shortcut else 1)].flatten()
        pre = pre if shortcut else pre.repeat_interleave(self.positions[i])
        return torch.min(post, pre.view(1, -1, *[1] * (weight.dim() - 2))).expand_as(weight)


class Stacked(Gated):
    """Any layers, one after another: parameters are created in the order layers, heads, embeddings."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(layers, inputsize, taskcla)
        self.add_all()
        for i in range(len(self.layers)):
            self.add_gate(i)


class Open(Stacked):
    """A gated network whose every unit is on at the start: embeddings drawn from uniform(0, 2)."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(layers, inputsize, taskcla)
        for e in self.embeddings():
            nn.init.uniform_(e, 0, 2)


def is_standard(net):
    """Return whether a network is computed as Gated computes it, so that units can be left out."""
    return keeps(type(net), Gated, 'forward', 'mask', 'get_view_for') and net.is_bare()


def embeddings(net):
    """Return the weights of a network's embeddings, one [tasks, units] per gated layer: what its embeddings()
    says or, where it has none, those of all its nn.Embedding."""
    if hasattr(net, 'embeddings'):
        return net.embeddings()
    return [m.weight for m in net.modules() if isinstance(m, nn.Embedding)]


def check(net):
    """Raise UserError, saying what is missing, unless a network can be trained by HAT: it has mask() and
    get_view_for(), of shapes that fit its parameters. Warn of parameters that nothing protects."""
    name = '%s.Net' % type(net).__module__
    for method in ('mask', 'get_view_for'):
        if not callable(getattr(net, method, None)):
            raise UserError('%s has no %s(): a gated network has mask(t, s), get_view_for(n, masks) and '
                            'forward(t, x, s)' % (name, method))
    gates = embeddings(net)
    masks = net.mask(torch.zeros(1, dtype=torch.int64, device=next(net.parameters()).device), s=1)
    shapes, rows = ([list(getattr(m, 'shape', ())) for m in group] for group in (masks, gates))
    if not shapes or shapes != [[1, *row[1:]] for row in rows]:
        raise UserError(
            '%s: mask() returns %s and the embeddings are %s, expected a list of [1, units] and for each of '
            'them one [tasks, units]; embeddings() may name them' % (name, shapes, rows))
    bare, known = [], {id(p) for p in gates}
    known.update(id(p) for module in of_tasks(net) for p in module.parameters())
    for n, p in net.named_parameters():
        view = net.get_view_for(n, masks)
        if view is None and id(p) not in known:
            bare.append(n)
        try:
            fits = view is None or torch.broadcast_shapes(view.shape, p.shape) == p.shape
        except (AttributeError, RuntimeError):
            fits = False
        if not fits:
            found = list(getattr(view, 'shape', ())) or view
            raise UserError('%s: get_view_for(%r) returns %s, expected %s, or what broadcasts to it, or None'
                            % (name, n, found, list(p.shape)))
    if bare:
        warnings.warn('%s: get_view_for() is None for %s, which are neither heads nor embeddings: later '
                      'tasks change them' % (name, ', '.join(bare)))
