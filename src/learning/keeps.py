"""What an approach says of the state that it keeps, and a checkpoint brings back: `state` may be a tuple
of names, or a dictionary {name: check}, check(appr, value, done) being whether a value can be what was
kept after so many tasks."""
import numpy as np
import torch


def like(value, model, what='the value'):
    """Raises ValueError, saying what, unless a value is of the kind, keys and shapes of a model; numbers
    may be others."""
    if isinstance(model, (torch.Tensor, np.ndarray)):
        ok = type(value) is type(model) and value.shape == model.shape and value.dtype == model.dtype
    elif isinstance(model, dict):
        ok = isinstance(value, dict) and value.keys() == model.keys()
        for k in model if ok else ():
            if k != 'optimizer':  # which has its own ways to say so
                like(value[k], model[k], '%s of %s' % (k, what))
    elif isinstance(model, (list, tuple)):
        ok = isinstance(value, list) and len(value) == len(model)
        for i, m in enumerate(model) if ok else ():
            like(value[i], m, '%s %d' % (what, i))
    elif isinstance(model, (bool, str)):
        ok = type(value) is type(model)
    else:
        ok = type(value) in ((int,) if type(model) is int else (int, float)) and value == value and (
            type(value) is float or abs(value) < 2 ** 63)
    if not ok:
        raise ValueError(what)


def alike(value, model):
    """Whether like() lets a value pass."""
    try:
        like(value, model)
    except ValueError:
        return False
    return True


def shares(value, model):
    """Whether tensors are like a model's and within 0..1."""
    return alike(value, model) and all(bool(((v >= 0) & (v <= 1)).all()) for v in value)


def weights(appr, value, done):
    """A copy of the model's weights and buffers (utils.get_model)."""
    return alike(value, appr.model.state_dict())


def parameters(appr, value, done):
    """A tensor for each of the model's parameters, by name; none before the first task is learnt."""
    return alike(value, {n: p.detach() for n, p in appr.model.named_parameters()}) if done else not value


def network(appr, value, done):
    """A copy of the network; None before the first task is learnt."""
    return isinstance(value, torch.nn.Module) if done else value is None


def flag(appr, value, done):
    """True or False."""
    return type(value) is bool


def memory(appr, value, done):
    """What an optimizer remembers of the parameters: tensors like them, or counts."""
    there = dict(appr.model.named_parameters())
    return isinstance(value, dict) and all(n in there and isinstance(s, dict) and all(
        isinstance(v, torch.Tensor) and v.shape in (there[n].shape, ()) and v.is_floating_point() for v in s.values())
        for n, s in value.items())


def megabytes(value):
    """The memory of what is kept: tensors, networks, and lists and dictionaries of them; plain values take
    none."""
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if isinstance(value, (dict, list, tuple)):
        return sum(map(megabytes, value.values() if isinstance(value, dict) else value))
    return value.numel() * value.element_size() / 1e6 if isinstance(value, torch.Tensor) else 0.
