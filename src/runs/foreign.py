"""Approaches that are not derived from approaches.base.Appr: classes written for the original's layout, run as they are."""
import importlib
import inspect
import reprlib
import traceback
from argparse import Namespace
from pathlib import Path

import utils
from approaches.hyper import NUMBER
from utils import UserError

OPTIONAL = ('sbatch', 'lr_min', 'lr_factor', 'lr_patience')  # what the original's run.py left to the class


def is_foreign(kind):
    """Whether a class has a loop of its own."""
    from approaches import base
    return not issubclass(kind, base.Appr)


def attributes(text, taken):
    """{name: value} of --set's 'name=value,...': numbers, true and false, or texts. Raises UserError for a name that is no
    identifier or among those taken."""
    out = {}
    for part in text.split(',') if text else ():
        name, equals, value = part.partition('=')
        if not (equals and name.isidentifier()) or name.startswith('_'):
            raise UserError('--set %s: expected name=value,... as in --set gamma=0.5,warmup=10' % reprlib.repr(part))
        if name in taken or name in out:
            raise UserError('--set %s: %s' % (part, 'it is given twice' if name in out else 'args has that already'))
        number = NUMBER.fullmatch(value) and (float(value) if set(value.lower()) & set('.e') else int(value))
        out[name] = {'true': True, 'false': False}.get(value.lower(), value) if number is None else number
    return out


def make(kind, net, args, there):
    """(an instance of a class, lines to print), with what its __init__ takes: nepochs and lr, the other settings only where
    the user gave them, and by name what is there. Raises UserError for a setting it does not take."""
    own = '%s.Appr' % kind.__module__
    takes = dict(list(inspect.signature(kind.__init__).parameters.items())[2:])  # without self and the model
    everything = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    given = {n: getattr(args, n) for n in ('nepochs', 'lr', *OPTIONAL) if args.origin[n] != 'default' or n in ('nepochs', 'lr')}
    values = {n: v for n, v in {**there, **given}.items() if n in takes or everything and n in (*given, 'args')}
    missing = [n for n, p in takes.items() if n not in values and p.default is p.empty and p.kind in (
        p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if missing:
        raise UserError('the __init__ of %s needs %s, which run.py does not have: give defaults there' % (own, ', '.join(missing)))
    for n in given:
        if n not in takes and not everything and args.origin[n] != 'default':
            raise UserError('%s: the __init__ of %s does not take %s' % (args.origin[n], own, n))
    lines = ['%s: %s=%s is passed, its own default is %s' % (own, n, v, takes[n].default) for n, v in given.items()
             if n in takes and takes[n].default not in (v, inspect.Parameter.empty)]
    return kind(net, **values), lines


def extras(method, there):
    """Of what is there, {name: value}, that which a method takes by name beyond what every method of its kind gets."""
    takes = inspect.signature(method).parameters
    named = {n for n, p in takes.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return {n: v for n, v in there.items() if n in named}


def explain(error):
    """One line on an error that nothing here foresaw: in which dropped-in file it arose, and what that may have missed."""
    homes = [home for folder in ('approaches', 'dataloaders', 'networks') for home in places(folder)]
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve().parent in homes]
    method = frames and Path(frames[-1].filename).resolve().parent in places('approaches')
    where = '%s, line %s' % (frames[-1].filename, frames[-1].lineno) if frames else 'the project itself'
    hint, missed = '', getattr(error, 'name', None)
    if isinstance(error, AttributeError) and getattr(error, 'obj', None) is utils:
        hint = 'utils has no %s; the helpers there are those of utils.py and engine/original.py' % missed
    elif isinstance(error, AttributeError) and isinstance(getattr(error, 'obj', None), Namespace):
        hint = 'args has no %s: give it with --set %s=VALUE' % (missed, missed)
    elif isinstance(error, ImportError):
        hint = 'it imports what is not there'
    elif method and of_another_network(error):
        hint = ('if it needs a network of its own, the class says so with variants, as in variants = (\'_hat\',); if it trains on '
                'the data of all tasks so far, with cumulative = True')
    return '%s: %s: %s%s' % (where, type(error).__name__, ' '.join(str(error).split())[:300], '; ' * bool(hint) + hint)


def places(folder):
    """Where the files of a folder of choices are."""
    return [Path(p).resolve() for p in importlib.import_module(folder).__path__]


def of_another_network(error):
    """Whether an error in an approach may come from a network, or from data, of another kind than it expects."""
    import torch
    if isinstance(error, AttributeError):
        return isinstance(getattr(error, 'obj', None), torch.nn.Module)
    return isinstance(error, (TypeError, ValueError))
