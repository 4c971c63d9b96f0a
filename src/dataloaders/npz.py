"""Data sets as npz files, read without running what they may hold, and with no more memory than they may need."""
import math
import zipfile

import numpy as np

from utils import UserError

SMALL, GROWS = 2 ** 26, 64  # bytes that any array may take, and times its size in the file; images rarely shrink to a tenth


def read(path, arrays, most=None):
    """{name: array} of an npz file, no pickled objects, with class_names if it has them. most: images that
    it may have (default: as many as a file of that size can hold). Raises UserError if it is not such a
    file, before more memory is taken than such a set can need."""
    try:
        with np.load(path, allow_pickle=False) as z:
            lacking = [a for a in arrays if a not in z.files]
            if lacking:
                raise UserError('%s lacks %s, expected %s' % (path, ', '.join(lacking), ', '.join(arrays)))
            names = [*arrays, *(['class_names'] if most is None and 'class_names' in z.files else [])]
            for name in names:
                header(z.zip, name, path, most)
            return {a: z[a] for a in names}
    except UserError:
        raise
    except (Exception, MemoryError) as e:  # a malformed file can raise anything
        raise UserError('%s is not an npz file of arrays (%s)' % (path, type(e).__name__))


def header(z, name, path, most=None):
    """The shape of an array in a zip. Raises UserError unless its header promises as many bytes as there
    are, and no more than so many images or labels, or such a file, can hold."""
    info = z.getinfo(name + '.npy')
    with z.open(info) as f:
        version = np.lib.format.read_magic(f)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(f)
        size = math.prod(shape) * kind.itemsize + f.tell()
    if kind.hasobject:
        raise ValueError
    if size != info.file_size:
        raise UserError('%s: %s is broken: a header for %s of %s, in %d bytes' % (path, name, list(shape), kind, info.file_size))
    if most is None and size > max(SMALL, GROWS * info.compress_size):
        raise UserError('%s: %s unpacks to %d bytes from %d: save it with np.savez instead of np.savez_compressed' % (
            path, name, size, info.compress_size))
    if most is not None and size > most * (3072 if name.startswith('x') else 8) + 4096:
        raise UserError('%s: %s is of %d bytes, more than %d images take' % (path, name, size, most))
    return shape


def shape(path, name):
    """The shape of an array of an npz file, which is not read. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as z:
            return header(z, name, path)
    except UserError:
        raise
    except KeyError:
        raise UserError('%s lacks %s' % (path, name))
    except Exception as e:  # a malformed file can raise anything
        raise UserError('%s is not an npz file of arrays (%s)' % (path, type(e).__name__))
