"""Of which classes the objects are that a checkpoint writes and reads."""
import sys
from pathlib import Path

import torch

from utils import ROOT

FOLDERS = 'approaches', 'learning', 'networks', 'dataloaders'  # where classes of objects may come from
ABSENT = object()  # stands for what __init__ has not made


def attributes(value):
    """{name: value} of an object: what its __getstate__ says, where it has one, as in pickle."""
    own = type(value).__getstate__ is not getattr(object, '__getstate__', None)
    state = value.__getstate__() if own and not isinstance(value, torch.optim.Optimizer) else None
    return state if isinstance(state, dict) else vars(value)


def class_of(value):
    """(module, name) of a value's class."""
    return type(value).__module__, type(value).__qualname__


def allowed(kind):
    """Whether objects of a class are written and read: those of approaches, networks and what these are made
    of, layers and optimizers of torch, and classes of a user's own files."""
    top, *rest = kind.__module__.split('.')
    if top == 'torch':
        learns = issubclass(kind, (torch.nn.Module, torch.optim.Optimizer))
        return learns or rest[:2] == ['optim', 'lr_scheduler']
    if top in FOLDERS:
        return True
    path = getattr(sys.modules.get(kind.__module__), '__file__', None)
    where = Path(path or '/').resolve()
    return ROOT / 'src' in where.parents and top not in ('runs', 'results', 'fast')


def found(module, name):
    """The class of that name, which has to be there already."""
    value = sys.modules[module]
    for part in name.split('.'):
        value = vars(value).get(part) if part != '<locals>' else None
    if not isinstance(value, type) or not allowed(value):
        raise ValueError('a class %s.%s' % (module, name))
    return value


def same(name, made, place):
    """What __init__ has made, if that is what was there."""
    if made is ABSENT:
        raise ValueError('%s, of which a checkpoint keeps nothing (%s)' % (place, name))
    own = getattr(made, '__qualname__', type(made).__qualname__)
    now = '%s.%s' % (getattr(made, '__module__', None), own)
    if now != name:
        raise ValueError('%s was %s, which a checkpoint cannot bring back' % (place, name))
    return made
