"""A network computed in fewer passes: gradients of linear layers that wait, ReLU, dropout, pooling and gate in one."""
from fast.dropout import dropout
from fast.finish import finish
from fast.products import mapped
from networks.layers import Layered
from networks.parts import is_known

PARTS = ('run', 'product', 'drop', 'finish')  # what a view does in its own way


class Fast:
    """What a view has before the methods of its network."""

    tape = None  # of a class of one view: the list that gradients wait on, or None

    def run(self, i, h, module=None, gate=None, source=None, task=None):
        module = module or getattr(self, self.layers[i].name)
        z = self.mapped(module, self.shaped(i, h), gate, source, task)
        return self.finish(i, z, gate, new=is_known(module))

    def product(self, module, h):
        return mapped(module, h, type(self).tape, self.training)

    def drop(self, x, p):
        return dropout(x, p, self.training)

    def finish(self, i, z, gate=None, new=False):
        """new: whether z may be overwritten; else whoever calls it may go on with it."""
        layer, z = self.layers[i], z if new else z.clone()
        return finish(z, layer.pdrop, self.training, gate=gate, pool=layer.pool if layer.kernel else 'none')


def view(net):
    """The same network, one dictionary of attributes with it, whose parts are computed in fewer passes;
    None for one that has parts of its own."""
    kind = type(net)
    if not isinstance(net, Layered) or any(getattr(kind, n) is not getattr(Layered, n) for n in PARTS):
        return None
    if net._compiled_call_impl is not None:
        return None
    found = object.__new__(type('Fast' + kind.__name__, (Fast, kind), {'__module__': kind.__module__}))
    found.__dict__ = net.__dict__
    return found
