"""Which units of a gated network make up the part that is run."""
import torch

from subnets.narrow import Narrow

MULTIPLE = {'cpu': 16, 'cuda': 128}  # the number of units that is run in a layer is a multiple of this


def size(n, units):
    """How many of a layer's units (a tensor [units]) are run if n of them take part."""
    multiple = MULTIPLE.get(units.device.type, 1)
    return min(len(units), max(1, -(-n // multiple)) * multiple)


def counts(there):
    """How many units are there in each layer, from bool [units] for each; on CUDA the one time that this waits."""
    return torch.stack([u.sum() for u in there]).tolist()


def part(net, t, there, counts, free=None, among=None):
    """The subnets.narrow.Narrow of task t, in the net's mode, of the units that are there, bool [units] for each layer.

    counts: how many they are in each layer; among: what they are numbered by, as in Narrow.chosen (default: all of the
    net's); free: None or for each layer the factors [units] of its weights' gradients; in training, units are put in ascending
    order of them.
    """
    nothing = [None] * len(there)
    rank = free is not None and net.training
    chosen, factors = zip(*(choose(u, size(n, u), a, f, rank) for u, n, a, f in zip(
        there, counts, among or nothing, free or nothing)))
    narrow = Narrow(net, t, chosen, None if free is None else factors).train(net.training)
    if net.training:
        narrow.guard()
    return narrow


def choose(there, n, among, free, rank):
    """(units that are run, their factors) of one layer: int64 [n], those that are there first, and their entries of free; or,
    for all units in the layer's own order, None and free itself. rank: puts the units in ascending order of their factors."""
    if n == len(there) and among is None and not rank:
        return None, free
    c = (~there).long().argsort(stable=True)[:n]
    c = c if among is None else among[c]
    if rank:
        c = c[free[c].argsort(stable=True)]
    return c, None if free is None else free[c]
