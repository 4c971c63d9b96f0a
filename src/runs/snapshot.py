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
    net, out = appr.model, dict(data or {})
    for what, parts in (('module ', net.named_modules()), ('', net.named_parameters()), ('', net.named_buffers())):
        out.update({'model %s%s' % (what, n): part for n, part in parts})
    out.update({'self.' + n: vars(appr)[n] for n in BASE if n in vars(appr) and type(vars(appr)[n]) not in PLAIN})
    return {**out, 'self': appr}


def write(appr, data=None, without=()):
    """({attribute: node}, {place: what} of what could not be written) of an approach, its network's own plain
    attributes among them as 'model.<name>'."""
    writer = Writer({id(v): n for n, v in names(appr, data).items()})
    kept = {n: v for n, v in vars(appr).items() if n not in BASE and n not in without and not unchanged(appr, n, v)}
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
        if (n in appr.hyper or n in OURS) and is_number(made[n]) and type(out[n]) in PLAIN and not is_number(out[n]):
            raise ValueError('self.%s' % n)
    return out


def is_number(value):
    """Whether a value is a plain number that is one."""
    return type(value) in (int, float) and value == value


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
    kinds = (int, float) if isinstance(model, float) else (type(model),)
    ok = type(value) in kinds or isinstance(model, dict) and isinstance(value, dict)
    ok = ok and not (isinstance(value, float) and value != value)
    if ok and isinstance(model, (torch.Tensor, np.ndarray)):
        ok = value.shape == model.shape and value.dtype == model.dtype
        plain = not isinstance(value, torch.Tensor) or value.layout == torch.strided and not value.is_meta
        ok = ok and plain
    elif ok and isinstance(model, dict):
        ok = value.keys() == model.keys()
        for k in model if ok else ():
            like(value[k], model[k], '%s of %s' % (k, what))
    elif ok and isinstance(model, (list, tuple)):
        ok = len(value) == len(model)
        for i, m in enumerate(model) if ok else ():
            like(value[i], m, '%s %d' % (what, i))
    if not ok:
        raise ValueError(what)
