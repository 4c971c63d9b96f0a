"""Read pickles of plain data without running anything that they name.

A pickle names what it wants called. Here only the names that a numpy array needs are known, and none is
called: the pickle gets a Wanted in its place, which notes the arguments, and arrays are made afterwards, from
dtypes, shapes and contents that fit.
"""
import gzip
import io
import itertools
import math
import pickle
import pickletools
import re

import numpy as np

from utils import UserError

LIMIT = 2 ** 30  # bytes of one unpacked pickle
PART = 2 ** 20   # bytes that are unpacked at a time
NEEDED = {'mask', 'mask_pre', 'valid_acc', 'valid_loss', 'task_name', 'test_acc'}  # of a log
# dtypes: numbers, bool, text of a fixed length
PLAIN = re.compile(r'[<>|=]?(b1|\?|[iu][1248]|f[248]|[SU][1-9]\d{0,3})')
VALUES = type(None), bool, int, float, complex, str, bytes, bytearray
ALLOWED = {('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode'), ('__builtin__', 'bytes')}
for core in ('core', '_core'):  # of numpy 1 and 2
    ALLOWED |= {('numpy.%s.multiarray' % core, '_reconstruct'), ('numpy.%s.multiarray' % core, 'scalar'),
                ('numpy.%s.numeric' % core, '_frombuffer')}
del core


class Wanted:
    """A name in a pickle, or, with arguments and state, what the pickle wants made by calling it."""

    def __init__(self, name, args=None):
        self.name, self.args, self.state = name, args, None

    def __call__(self, *args):
        """Return the same name with arguments."""
        return Wanted(self.name, args)

    def __setstate__(self, state):
        self.state = state


class Unpickler(pickle.Unpickler):
    """Knows the names that numpy arrays need, and no others."""

    def find_class(self, module, name):
        """Return what stands for a name; raise UserError for one that plain data do not need."""
        if (module, name) not in ALLOWED:
            raise UserError('the pickle asks for %s.%s, which only a program would need: not loaded' % (
                module, name))
        return Wanted(name)


def load(content, **kwargs):
    """Return what a pickle (bytes) holds: numpy arrays, numbers, texts and containers of them.

    Raises UserError for what is refused, and whatever a malformed pickle makes Python raise.
    """
    for n, (op, arg, _) in enumerate(pickletools.genops(content)):
        if op.name.endswith('PUT') and arg > n + 256:  # for so many things memory would be reserved
            raise UserError('the pickle remembers a thing as number %d: not loaded' % arg)
    return plain(Unpickler(io.BytesIO(content), **kwargs).load(), {})


def plain(value, done):
    """Return a value with its arrays made. done: {id: (value, result)}, of values in several places."""
    if id(value) not in done:
        done[id(value)] = value, convert(value, done)
    return done[id(value)][1]


def convert(value, done):
    """Return what plain() does of a value that it has not met."""
    if type(value) in VALUES:
        return value
    if type(value) is dict:
        return {plain(k, done): plain(v, done) for k, v in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(plain(v, done) for v in value)
    if isinstance(value, Wanted) and value.args is not None:
        if value.name == '_reconstruct':
            _, shape, dtype, fortran, content = value.state
            return array(plain(content, done), dtype, shape, 'F' if fortran else 'C')
        if value.name == 'scalar':
            dtype, content = value.args
            return array(plain(content, done), dtype, ())[()]
        if value.name == '_frombuffer':
            content, dtype, shape, order = value.args
            return array(content, dtype, shape, order)
        if value.name == 'bytes' and not value.args:  # how protocol 2 writes those that are empty
            return b''
        if value.name == 'encode' and value.args[1:] in (('latin1',), ('latin-1',)):  # and the others
            return str.encode(value.args[0], 'latin1')
    raise UserError('the pickle holds what is no plain data: not loaded')


def array(content, dtype, shape, order='C'):
    """Return an array of bytes, or of text as Python 2 wrote them. Raises UserError where they do not fit."""
    if not (isinstance(dtype, Wanted) and dtype.name == 'dtype' and PLAIN.fullmatch(dtype.args[0])):
        raise UserError('the pickle has an array of something else than plain numbers, bools or texts: not '
                        'loaded')
    content = content.encode('latin1') if isinstance(content, str) else content
    kind = np.dtype(dtype.args[0]).newbyteorder(dtype.state[1] if dtype.state else '=')
    length = math.prod(shape) * kind.itemsize
    if not isinstance(content, (bytes, bytearray)) or length != len(content) or min(shape, default=0) < 0:
        raise UserError('the pickle has an array whose content is not of its shape: not loaded')
    return np.ndarray(shape, kind, bytearray(content), order=order)


def load_log(path):
    """Return the log that hat-test wrote, a gzipped pickle of a dictionary. Raises UserError."""
    try:
        with gzip.open(path) as f:
            # in parts: for a length that is asked for at once, memory is reserved at once
            parts = iter(lambda: f.read(PART), b'')
            content = b''.join(itertools.islice(parts, LIMIT // PART + 1))
        if len(content) > LIMIT:
            raise UserError('it unpacks to more than %d bytes' % LIMIT)
        logs = load(content)
        missing = sorted(NEEDED.difference(logs.keys()))
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except FileNotFoundError:
        raise UserError('%s does not exist' % path)
    except Exception as e:  # a malformed pickle can raise anything
        raise UserError('%s is not a log of hat-test (%s)' % (path, type(e).__name__))
    if missing:
        raise UserError('%s is not a complete log of hat-test: it lacks %s' % (path, ', '.join(missing)))
    return logs
