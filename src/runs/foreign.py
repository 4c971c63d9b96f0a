"""Approaches that are not derived from approaches.base.Appr: classes written for the original's layout, run
as they are."""
import contextlib
import copy
import inspect
import os
import reprlib
import sys
from pathlib import Path

import original
from approaches.hyper import NUMBER
from runs.advice import flag
from runs.commandline import ALL, DESCENT
from utils import UserError

PASSED = 'nepochs', 'lr', 'sbatch', 'lr_min', 'lr_factor', 'lr_patience'  # the first two in any case
OWN = (*PASSED, 'parameter', *DESCENT)  # what --set may say, too, where no option does
NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY


def is_foreign(kind):
    """Whether a class has a loop of its own."""
    from approaches import base
    return not issubclass(kind, base.Appr)


def provide(settings):
    """Fill, and return, the args that arguments.get_args() gives to files that ask for them, with some
    settings; paths are texts there, and the approach is spelt as its file is."""
    sys.modules['arguments'] = original  # also where somebody has dropped in a file of that name
    args = original.get_args()
    vars(args).clear()
    vars(args).update((n, str(v) if isinstance(v, Path) else v) for n, v in vars(settings).items())
    args.approach = args.approach.replace('-', '_')
    return args


def scalar(text):
    """Return the value of a text: a number, true or false, or the text itself."""
    number = NUMBER.fullmatch(text) and (float(text) if set(text.lower()) & set('.e') else int(text))
    return {'true': True, 'false': False}.get(text.lower(), text) if number is None else number


def attributes(text, taken, said=(), optimizer=None):
    """Return {name: value} of --set's 'name=value,...'.

    taken: what args has already; said: the options of the command line; optimizer: what reads the name of
    one. Raises UserError for a name that is no identifier, or that args has already unless it is in OWN and
    no option gave it.
    """
    out = {}
    for part in text.split(',') if text else ():
        name, equals, value = part.partition('=')
        if not (equals and name.isidentifier()) or name.startswith('_'):
            raise UserError('--set %s: expected name=value,... as in --set gamma=0.5,warmup=10'
                            % reprlib.repr(part))
        if name in out or flag(name) in said:
            raise UserError('--set %s: it is given twice' % part)
        if name in taken and name not in OWN:
            raise UserError('--set %s: args has that already; %s sets it' % (part, flag(name)))
        parse = {'optimizer': optimizer or scalar, 'parameter': str}.get(name, scalar)
        out[name] = ALL[name].parse(value) if name in PASSED else parse(value)
    return out


def own_rate(kind):
    """Return the default of lr in a class's __init__, None if it has no number there."""
    parameter = inspect.signature(kind.__init__).parameters.get('lr')
    default = getattr(parameter, 'default', None)
    return default if type(default) in (int, float) else None


def make(kind, net, args, there):
    """Return (an instance of a class, lines to print), with what its __init__ takes: nepochs and lr, the
    other settings only where the user gave them, and by name what is there, what --set says, and the
    network's settings. Raises UserError for a setting it does not take."""
    own = '%s.Appr' % kind.__module__
    takes = dict(list(inspect.signature(kind.__init__).parameters.items())[2:])  # without self and the model
    everything = any(p.kind is p.VAR_KEYWORD for p in takes.values())
    given = {n: getattr(args, n) for n in PASSED if args.origin[n] != 'default' or n in ('nepochs', 'lr')}
    there = {'split': True,  # where the network has no such setting, it has a head for each task
             **there.get('about', {}).get('settings', {}), **(args.set or {}), **there, **given}
    if 'empty_net' in takes:  # a second network, of its own weights once it has trained
        there['empty_net'] = copy.deepcopy(net)
    values = {n: v for n, v in there.items() if n in takes or everything and n in (*given, 'args')}
    missing = [n for n, p in takes.items() if n not in values and p.default is p.empty and p.kind in NAMED]
    if missing:
        raise UserError('the __init__ of %s needs %s, which run.py does not have: give defaults there, or '
                        '--set %s' % (own, ', '.join(missing), ','.join('%s=VALUE' % n for n in missing)))
    for n in given:
        if n not in values and args.origin[n] not in ('default', '--set'):
            raise UserError('%s: the __init__ of %s does not take %s' % (args.origin[n], own, n))
    lines = ['%s: %s=%s is passed, its own default is %s' % (own, n, v, takes[n].default)
             for n, v in given.items() if n in takes and takes[n].default not in (v, inspect.Parameter.empty)]
    if args.lr != ALL['lr'].default and args.origin['lr'] == 'default':
        lines.append('%s: lr=%s, its own default, is kept; --lr gives another' % (own, args.lr))
    return kind(net, **values), lines


def call(method, *values, there):
    """Return what a method returns for some values and, of what is there, that which it takes by name beyond
    them. Raises UserError for a method that takes less or needs more."""
    named = [n for n, p in inspect.signature(method).parameters.items() if p.kind in NAMED]
    more = {n: v for n, v in there.items() if n in named}
    try:
        inspect.signature(method).bind(*values, **more)
    except TypeError as e:
        owner = type(getattr(method, '__self__', method)).__module__
        raise UserError('%s.%s does not take what run.py gives it, %d values and by name what it asks for: '
                        '%s' % (owner, method.__name__, len(values), e))
    return method(*values, **more)


def measured(appr, found):
    """Return (loss, accuracy) as numbers, the first two values that an approach's eval() has returned. Raises
    UserError for what is not that."""
    name = '%s.%s: eval() returned' % (type(appr).__module__, type(appr).__name__)
    if not isinstance(found, (tuple, list)) or len(found) < 2:
        raise UserError('%s %s, expected (loss, accuracy)' % (name, reprlib.repr(found)))
    try:
        loss, acc = (float(v.detach() if hasattr(v, 'detach') else v) for v in found[:2])
    except (TypeError, ValueError):
        raise UserError('%s %s, expected two numbers, loss and accuracy' % (name, reprlib.repr(found[:2])))
    if not -1e-6 <= acc <= 1 + 1e-6:
        raise UserError('%s the accuracy %g, expected a share in 0..1' % (name, acc))
    return [loss, acc]


@contextlib.contextmanager
def working_in(place, folders=()):
    """Within it, the working folder is files/ in the folder of a run, where what such a class opens by a
    relative path is kept, with the folders that it takes to be there; nothing is left of what stays empty."""
    before, folder = os.getcwd(), place.folder / 'files'
    for name in ('', *folders):
        (folder / name).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        folder = place.folder / 'files'  # which may have moved
        for path in sorted([folder, *folder.rglob('*/')], reverse=True):
            with contextlib.suppress(OSError):  # there are files in it
                path.rmdir()
