"""What to say of an error that nothing foresaw: in which dropped-in file it arose, and what that may have
missed."""
import importlib
import inspect
import re
import traceback
from argparse import Namespace
from pathlib import Path
from urllib.error import URLError

import torch

import discovery
import original
import utils
from runs.source import Source

HELPERS = ('utils has no %s: if theirs has, scripts/modernise.py --helpers THEIR_UTILS FILE copies it into '
           'this file')


def explain(error):
    """Return one line on an error: where it arose and, where that fits, what the file missed."""
    frame = last(error)
    where = '%s, line %s' % (frame.filename, frame.lineno) if frame else 'the project itself'
    what, found = ' '.join(str(error).split())[:300], hint(error, frame)
    return '%s: %s: %s%s' % (where, type(error).__name__, what, '; ' * bool(found) + found)


def last(error):
    """Return the last frame of an error's traceback in a folder of choices, None if there is none."""
    homes = [home for folder in discovery.NEEDED for home in places(folder)]
    frames = traceback.extract_tb(error.__traceback__)
    return next((f for f in reversed(frames) if Path(f.filename).resolve().parent in homes), None)


def places(folder):
    """Return where the files of a folder of choices are."""
    return [Path(p).resolve() for p in importlib.import_module(folder).__path__]


def of_a_choice(error):
    """Whether an OSError is about a file, or an address, that a choice's own file has asked for."""
    frame = last(error)
    if frame is None or not (error.filename or isinstance(error, URLError)):
        return False
    path = Path(frame.filename)
    return path.stem != 'base' and any(need in discovery.defined(path) for need in discovery.NEEDED.values())


def hint(error, frame):
    """Return what a file may have missed, nothing where no advice fits."""
    missed, whole = getattr(error, 'name', None), ' '.join(str(error).split())
    owner = getattr(error, 'obj', None) if isinstance(error, AttributeError) else None
    helper = re.search(r"cannot import name '(\w+)' from 'utils'", whole)
    if helper or owner is utils or isinstance(error, NameError) and all_of_utils(frame):
        return HELPERS % (helper[1] if helper else missed)
    if isinstance(owner, Namespace):
        return of_args(missed, owner, frame)
    if isinstance(owner, torch.nn.Module):
        return of_network(frame)
    if isinstance(error, ModuleNotFoundError):
        return ('it imports what is not there: a file of its own goes to src/%s.py, a package into the '
                'environment' % missed.replace('.', '/'))
    if isinstance(error, (TypeError, ValueError)):
        return of_call(whole, frame)
    return ''


def of_args(missed, args, frame):
    """Return how to give all attributes of args that a file reads and that are not there."""
    missing = Source(Path(frame.filename)).missing(args) if frame else []
    missing = list(dict.fromkeys([missed, *missing]))
    them, what = ('it', 'a number or a text') if len(missing) == 1 else ('them', 'numbers or texts')
    return 'args has no %s: give %s with --set %s, %s' % (
        ', '.join(missing), them, ','.join('%s=VALUE' % name for name in missing), what)


def all_of_utils(frame):
    """Whether a frame is in a file that takes all names of utils."""
    return frame is not None and 'from utils import *' in Path(frame.filename).read_text('utf-8')


def of_call(message, frame):
    """Return what a call that failed says of the network, the data or the helper that a method expects."""
    called = re.match(r'(?:\w+\.)*(\w+)\(\) (?:got|missing|takes)', message)
    if called and called[1] in original.NAMES:
        return 'utils.%s takes %s' % (called[1], inspect.signature(getattr(original, called[1])))
    unpacked = 'unpack' in message and 'int' not in message
    if unpacked or "'Net'" in message or called and called[1] == 'forward':
        return of_network(frame)
    one = re.search(r"'int' object is not (subscriptable|iterable)|non-iterable int", message)
    if one and of_approach(frame):
        return 'if it trains on the data of all tasks so far, its class says so with cumulative = True'
    return ''


def of_network(frame):
    """Return how a method says which network it needs."""
    if not of_approach(frame):
        return ''
    return ("if it needs another network, --network gives it, or its class says so with variants, as in "
            "variants = ('_hat',)")


def of_approach(frame):
    """Whether a frame is in an approach's file."""
    return frame is not None and Path(frame.filename).resolve().parent in places('approaches')
