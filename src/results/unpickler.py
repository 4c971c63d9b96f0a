"""Pickles of plain data, read without running what else they may hold and without taking more memory than they are long."""
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
PLAIN = re.compile(r'[<>|=]?(b1|\?|[iu][1248]|f[248]|[SU]\d{1,4})')  # dtypes: numbers, bool, text of a fixed length


class Kind:
    """A plain dtype in the making: a pickle sets its byte order after it has named it."""

    def __init__(self, name, align=False, copy=True):
        if not (isinstance(name, str) and PLAIN.fullmatch(name)):
            raise UserError('the pickle has an array of %r, expected plain numbers, bools or texts' % (name,))
        self.dtype = np.dtype(name)

    def __setstate__(self, state):
        if not (isinstance(state, tuple) and len(state) >= 5 and state[1] in ('<', '>', '|', '=') and state[2:5] == (None,) * 3):
            raise UserError('the pickle has a dtype with a state of its own: not loaded')
        if state[1] != '|':
            self.dtype = self.dtype.newbyteorder(state[1])


NDARRAY = object()  # stands for the class, which must not be called


class Array(np.ndarray):
    """An array in the making: the pickle sets its state after it has been made empty."""

    def __setstate__(self, state):
        _, shape, kind, fortran, content = state
        content = content.encode('latin1') if isinstance(content, str) else content  # as Python 2 wrote it
        check(kind, shape, content)
        super().__setstate__((1, shape, kind.dtype, bool(fortran), bytes(content)))


def check(kind, shape, content):
    """Raises UserError unless an array of a kind and shape has just that content."""
    if not (isinstance(kind, Kind) and isinstance(shape, tuple) and len(shape) <= 8 and isinstance(content, (bytes, bytearray))
            and all(type(n) is int and 0 <= n < 2 ** 40 for n in shape)
            and math.prod(shape) * kind.dtype.itemsize == len(content)):
        raise UserError('the pickle has an array whose content is not of its shape: not loaded')


def reconstruct(owner, shape, kind):
    """An empty array, as numpy's _reconstruct makes."""
    if owner is not NDARRAY:
        raise UserError('the pickle makes an array in an unusual way: not loaded')
    return np.ndarray.__new__(Array, (0,), np.uint8)


def scalar(kind, content):
    """A numpy number."""
    content = content.encode('latin1') if isinstance(content, str) else content
    check(kind, (), content)
    return np.frombuffer(content, kind.dtype)[0]


def frombuffer(content, kind, shape, order):
    """An array of a buffer, as protocol 5 has it."""
    check(kind, shape, content)
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def encode(text, encoding):
    """Bytes that protocol 2 keeps as text."""
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise UserError('the pickle asks for the codec %r: not loaded' % (encoding,))
    return text.encode('latin1')


def nothing():
    """The empty bytes of protocol 2."""
    return b''


# All that a pickled array needs, under the module names of numpy 1 and 2, each made by a function of this file.
ALLOWED = {('numpy.%s.%s' % (core, module), name): make for core in ('core', '_core') for module, name, make in (
    ('multiarray', '_reconstruct', reconstruct), ('multiarray', 'scalar', scalar), ('numeric', '_frombuffer', frombuffer))}
ALLOWED.update({('numpy', 'ndarray'): NDARRAY, ('numpy', 'dtype'): Kind, ('_codecs', 'encode'): encode,
                ('__builtin__', 'bytes'): nothing})


class Unpickler(pickle.Unpickler):
    """Admits numpy arrays, numbers, texts and containers, and nothing else."""

    def find_class(self, module, name):
        """The makers of arrays; UserError for anything else."""
        if (module, name) not in ALLOWED:
            raise UserError('the pickle asks for %s.%s, which only a program would need: not loaded' % (module, name))
        return ALLOWED[module, name]


def scan(content):
    """Raises UserError for a pickle that numbers what it remembers out of all proportion, which takes memory at once, or that
    makes an array by calling its class."""
    remembered = 0
    for op, arg, _ in pickletools.genops(content):
        if op.name in ('PUT', 'BINPUT', 'LONG_BINPUT'):
            remembered += 1
            if arg > 2 * remembered + 256:
                raise UserError('the pickle remembers its %d. thing as number %d: not loaded' % (remembered, arg))
        elif op.name in ('NEWOBJ', 'NEWOBJ_EX', 'INST', 'OBJ', 'EXT1', 'EXT2', 'EXT4', 'PERSID', 'BINPERSID', 'NEXT_BUFFER'):
            raise UserError('the pickle makes objects, which only a program would need: not loaded')


def load(content, **kwargs):
    """What a pickle (bytes) holds; arrays as numpy arrays. Raises UserError for what is refused, and whatever a malformed
    pickle makes Python raise."""
    scan(content)
    return plain(Unpickler(io.BytesIO(content), **kwargs).load(), {})


def plain(value, done):
    """A value whose arrays are arrays again; done: {id: (value, result)}, as a value may stand in several places."""
    if id(value) in done:
        return done[id(value)][1]
    if isinstance(value, Array):
        out = np.asarray(value).view(np.ndarray)
    elif isinstance(value, dict):
        out = {k: plain(v, done) for k, v in value.items()}
    elif isinstance(value, (list, tuple)):
        out = type(value)(plain(v, done) for v in value)
    elif isinstance(value, Kind) or value is NDARRAY or callable(value):
        raise UserError('the pickle holds what is no plain data: not loaded')
    else:
        out = value
    done[id(value)] = value, out
    return out


def load_log(path):
    """The log that hat-test wrote, a gzipped pickle of a dictionary. Raises UserError if it is not one."""
    try:
        with gzip.open(path) as f:
            # in parts: for a length that is asked for at once, memory is reserved at once
            content = b''.join(itertools.islice(iter(lambda: f.read(PART), b''), LIMIT // PART + 1))
        if len(content) > LIMIT:
            raise UserError('%s unpacks to more than %d bytes' % (path, LIMIT))
        logs = load(content)
        if not isinstance(logs, dict):
            raise TypeError
        missing = {'mask', 'mask_pre', 'valid_acc', 'valid_loss', 'task_name', 'test_acc'} - set(logs)
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except FileNotFoundError:
        raise UserError('%s does not exist' % path)
    except (Exception, MemoryError) as e:  # a malformed pickle can raise anything
        raise UserError('%s is not a log of hat-test (%s)' % (path, type(e).__name__))
    if missing:
        raise UserError('%s is not a complete log of hat-test: it lacks %s' % (path, ', '.join(sorted(map(str, missing)))))
    return logs
