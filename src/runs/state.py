"""What a checkpoint holds, as plain data, and whether that fits a run."""
from copy import deepcopy

import numpy as np
import torch

import utils
from learning.fitting import IDLE
from learning.keeps import like
from learning.recipe import is_plain
from runs import certificate
from utils import UserError

PLAIN = (type(None), bool, int, float, str)


def encode(value, what):
    """A copy of a value as tensors, numbers, texts and containers alone, which torch.load(weights_only=True) admits. Raises
    UserError, naming `what`, for one that is none of these."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return {'numpy': torch.from_numpy(np.array(value))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.nn.Module):
        return {'module': utils.get_model(value)}
    if isinstance(value, dict):
        return {'dict': [(k, encode(v, '%s[%r]' % (what, k))) for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(v, '%s[%d]' % (what, i)) for i, v in enumerate(value)]
    if not isinstance(value, PLAIN):
        raise UserError('%s is a %s, which a checkpoint cannot hold: keep tensors, arrays, numbers, texts, lists and dictionaries '
                        'of them, or a copy of the network' % (what, type(value).__name__))
    return value


def decode(value, model=None):
    """What encode() was given (tuples as lists, a module as a frozen copy of the model)."""
    if isinstance(value, list):
        return [decode(v, model) for v in value]
    if not isinstance(value, dict):
        return value
    if 'numpy' in value:
        return value['numpy'].numpy()
    if 'module' in value:
        copy = deepcopy(model).eval()
        utils.freeze_model(copy)
        utils.set_model_(copy, value['module'])
        return copy
    return {k: decode(v, model) for k, v in value['dict']}


def to_device(value, device):
    """A value with its tensors moved to a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {k: to_device(v, device) for k, v in value.items()}
    return [to_device(v, device) for v in value] if isinstance(value, list) else value


def ordinary(value):
    """Raises ValueError unless a value holds nothing but what encode() makes, tensors with all their numbers in memory."""
    if type(value) is torch.Tensor:
        ok = value.layout == torch.strided and value.device.type == 'cpu' and not value.requires_grad
    elif isinstance(value, (dict, list, tuple)):
        ok = True
        for v in value.values() if isinstance(value, dict) else value:
            ordinary(v)
    else:
        ok = isinstance(value, PLAIN)
    if not ok:
        raise ValueError('a %s that is not plain data' % type(value).__name__)


def check(state, appr, ntasks):
    """Raises UserError unless a state, as torch.load returned it, fits an approach and a run of so many tasks. Changes nothing."""
    try:
        ordinary(state)
        progress, names = decode(state['progress']), [n for n, _ in appr.model.named_parameters()]
        like(state['model'], utils.get_model(appr.model), 'the weights')
        done = progress['done']
        matrix = np.zeros((ntasks, ntasks), np.float32)
        like(progress, {'done': 0, 'acc': matrix, 'lss': matrix, 'inferred': matrix, 'ahead': matrix[[0] * 2],
                        'valid': matrix.astype(float), 'seconds': [0.] * done, 'epochs': 0, 'cut': False, 'elapsed': 0.,
                        'devices': [''] * len(progress['devices']), 'certificate': progress['certificate']}, 'the progress')
        if not certificate.fits(progress['certificate'], appr, done):
            raise ValueError('what old tasks said')
        if not 0 <= done <= ntasks:
            raise ValueError('the number of tasks learnt')
        if set(state['trained']) - set(names):
            raise ValueError('the names of trained weights')
        kept(state['approach'], appr, appr.state, done)
        position = decode(state['position'], appr.model)
        if position != IDLE:
            like(position, appr.fitting.start(done), 'the position within the task')
            wrong = position.get('optimizer') and is_plain(appr.optimizer)
            if position['task'] != done or not appr.fitting.possible(position) or wrong:
                raise ValueError('the position within the task')
        name, keys, *rest = state['numpy']
        np.random.RandomState().set_state((name, decode(keys).astype(np.uint32), *rest))
        torch.Generator().set_state(state['torch'])
        python(state['python'])
        if state['cuda'] is not None and (state['cuda'].dtype != torch.uint8 or state['cuda'].dim() != 1):
            raise ValueError('the random state of the GPU')
    except UserError:
        raise
    except Exception as e:  # anything may be in somebody's file
        raise UserError('the checkpoint does not fit this run (%s: %s)' % (type(e).__name__, ' '.join(str(e).split())[:200]))


def kept(found, appr, names, done):
    """{name: value} of what a file has of an approach after so many tasks. Raises ValueError unless it is what those names can have."""
    if sorted(found) != sorted(names):
        raise ValueError('what the approach keeps: %s, expected %s' % (', '.join(map(str, found)), ', '.join(names)))
    out = {n: decode(value, appr.model) for n, value in found.items()}
    for n, value in out.items():
        fits = appr.state[n] if isinstance(appr.state, dict) else None
        if fits and not fits(appr, value, done):
            raise ValueError('%s of the approach' % n)
        of_model(value, appr.model, n)
    return out


def of_model(value, model, what):
    """Raises ValueError if a dictionary of tensors by the names of a model's parameters has others shapes than they have."""
    shapes = {n: p.shape for n, p in model.state_dict().items()}
    for k, v in value.items() if isinstance(value, dict) else ():
        if k in shapes and isinstance(v, torch.Tensor) and v.shape != shapes[k]:
            raise ValueError('%s[%r]' % (what, k))


def python(state):
    """Python's random state of its encoded form."""
    import random
    version, numbers, gauss = state
    state = version, tuple(numbers), gauss
    random.Random().setstate(state)
    return state
