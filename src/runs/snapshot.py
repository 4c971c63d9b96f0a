"""What an approach has become: every attribute of it, made in __init__ or later, as runs.nodes writes them.

Left out are what the base and the run set, and hyper-parameters that did not change. References to the
network, its parts, the optimizer and the data stay references.
"""
import numpy as np
import torch

from approaches.declared import LOOP, OURS
from runs.kinds import ABSENT
from runs.nodes import PLAIN, Reader, Writer

BASE = *LOOP, 'model', 'optimizer', 'fitting', 'logpath', '_only'  # attributes that the base and the run set


def names(appr, data=None):
    """{name: value} of what a run has by itself: the network and its parts, what the base sets, the data."""
    net, own = appr.model, {n: v for n, v in vars(appr).items() if n in BASE and type(v) not in PLAIN}
    out = {'self.' + n: v for n, v in own.items()}
    out.update({'model module ' + n: part for n, part in net.named_modules()})
    out.update({'model ' + n: part for n, part in (*net.named_parameters(), *net.named_buffers())})
    return {**(data or {}), **out, 'self': appr}


def write(appr, data=None, without=()):
    """({attribute: node}, {place: what} of what could not be written) of an approach, its network's own plain
    attributes among them as 'model.<name>'."""
    writer = Writer({id(v): n for n, v in names(appr, data).items()})
    kept = {n: v for n, v in vars(appr).items() if n not in (*BASE, *without) and not unchanged(appr, n, v)}
    out = {n: writer.node(v, 'self.' + n) for n, v in kept.items()}
    for n, v in vars(appr.model).items():
        if not n.startswith('_') and n != 'training':
            out['model.' + n] = Writer(writer.known).node(v, 'model.' + n)
    return out, writer.unwritten


def unchanged(appr, name, value):
    """Whether an attribute is a hyper-parameter as it was given."""
    return name in appr.hyper and type(value) in PLAIN and value == appr.hyper[name]


def values(appr, nodes, data=None, kept=()):
    """{attribute: value} of what was written, for a new approach; kept: attributes that stay as they are.
    Raises ValueError for nodes that do not fit it."""
    kinds = {type(module) for module in appr.model.modules()}  # of copies of the network
    reader, out = Reader(names(appr, data), appr.device, kinds), {}
    made = {n: v for n, v in vars(appr).items() if n not in BASE}
    lost = {n for n, v in made.items() if not unchanged(appr, n, v)} - nodes.keys() - set(kept)
    if lost:
        raise ValueError('it lacks self.%s' % min(lost))
    made.update({'model.' + n: v for n, v in vars(appr.model).items()})
    for n, node in nodes.items():
        if n in BASE or n.startswith('model._'):
            raise ValueError('an attribute %r' % n)
        out[n] = reader.value(node, 'self.' + n, made.get(n, ABSENT))
        of_model(out[n], appr.model, n)
        if n.startswith('model.') and isinstance(made.get(n), (torch.Tensor, np.ndarray)):
            like(out[n], made[n], n)
        number = n in (*appr.hyper, *OURS) and type(made[n]) in (int, float) and type(out[n]) in PLAIN
        if number and (type(out[n]) not in (int, float) or out[n] != out[n]):
            raise ValueError('self.' + n)
    return out


def put(appr, values):
    """Gives a new approach what another had become."""
    for n, value in values.items():
        owner, _, name = n.rpartition('.')
        vars(appr.model if owner else appr)[name] = value


def of_model(value, model, what):
    """Raises ValueError if a dictionary has tensors by the names of the network's, of other shapes."""
    shapes = {n: p.shape for n, p in model.state_dict().items()} if isinstance(value, dict) else {}
    for n in shapes.keys() & value.keys() if shapes else ():
        if isinstance(value[n], torch.Tensor) and value[n].shape != shapes[n]:
            raise ValueError('%s[%r]' % (what, n))


def remembered(appr):
    """What the optimizer remembers, {parameter's name: {...}}."""
    state = appr.optimizer.state if appr.optimizer else {}
    return {n: dict(state[p]) for n, p in appr.params().items() if p in state}


def memory(appr, found):
    """{parameter: state} of what remembered() said. Raises ValueError for what is not of the network's
    shapes."""
    params = appr.params()
    for n, state in found.items():
        if not all(v.shape in (params[n].shape, ()) for v in state.values() if isinstance(v, torch.Tensor)):
            raise ValueError('what the optimizer remembers of %s' % n)
    return {params[n]: state for n, state in found.items()}


def megabytes(appr):
    """The memory of what a method keeps besides the network, in MB: tensors and arrays, each counted once."""
    return sum(size(node) for node in write(appr)[0].values()) / 1e6


def size(node):
    """The bytes of all tensors in a node."""
    if isinstance(node, torch.Tensor):
        return node.numel() * node.element_size()
    return sum(map(size, node)) if isinstance(node, (tuple, list)) else 0


def like(value, model, what='the value'):
    """Raises ValueError, saying what, unless a value is of the kind, keys and shapes of a model; numbers may
    be others."""
    if isinstance(model, dict) and isinstance(value, dict) and value.keys() == model.keys():
        for k in model:
            like(value[k], model[k], '%s of %s' % (k, what))
    elif isinstance(model, (list, tuple)) and type(value) is type(model) and len(value) == len(model):
        for i, (v, m) in enumerate(zip(value, model)):
            like(v, m, '%s %d' % (what, i))
    elif kind(value) != kind(model) or not whole(value):
        raise ValueError(what)


def kind(value):
    """What a value is besides its numbers: its type and, of a tensor or an array, shape and type of these."""
    return type(value), getattr(value, 'shape', None), getattr(value, 'dtype', None)


def whole(value):
    """Whether a value has its numbers: it is no sparse tensor, none without memory, and not nan."""
    if isinstance(value, torch.Tensor):
        return value.layout == torch.strided and not value.is_meta
    return not isinstance(value, (dict, list, tuple)) and (not isinstance(value, float) or value == value)
