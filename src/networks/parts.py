"""Which units of a gated network make up the part that is run."""
from networks.narrow import Narrow

MULTIPLE = {'cpu': 16, 'cuda': 128}  # the number of units that is run in a layer is a multiple of this


def size(n, units):
    """How many of a layer's units (a tensor [units]) are run if n of them take part."""
    multiple = MULTIPLE.get(units.device.type, 1)
    return min(len(units), max(1, -(-n // multiple)) * multiple)


def part(net, t, there, free=None, among=None):
    """The networks.narrow.Narrow of task t, in the net's mode, of the units that are there, bool [units] for each layer.

    among: what the units are numbered by, as in Narrow.chosen (default: all of the net's). free: None or for each layer
    the factors [units] of its weights' gradients; in training, units are put in ascending order of them.
    """
    chosen, factors = [], []
    for i, u in enumerate(there):
        c = (~u).long().argsort(stable=True)[:size(u.sum().item(), u)]
        c = c if among is None or among[i] is None else among[i][c]
        if free is not None:
            if net.training:
                c = c[free[i][c].argsort(stable=True)]
            factors.append(free[i][c])
        chosen.append(c)
    if free is None or not net.training:  # all of them as they are
        chosen = [None if len(c) == layer.width else c for c, layer in zip(chosen, net.layers)]
    narrow = Narrow(net, t, chosen, factors or None).train(net.training)
    if net.training:
        narrow.guard()
    return narrow
