"""Raw data sets out of files that anybody may have made: nothing in them is run, none takes more memory than
such a set needs, and what is not right is refused."""
import contextlib
import math
import zipfile

import numpy as np
from numpy.lib import format as formats

from results import unpickler
from utils import UserError

ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test')
LAYOUTS = '[N,H,W], [N,H,W,1], [N,H,W,3], [N,1,H,W] or [N,3,H,W]'
SMALL = 2 ** 26  # bytes that any array may take
GROWS = 64       # times its size in the file that a larger one may take; images rarely shrink to a tenth


def demand(ok, what, *values):
    """Raise UserError, what % values, unless ok."""
    if not ok:
        raise UserError(what % values)


@contextlib.contextmanager
def about(origin, kind=None):
    """Put an origin before the text of a UserError; given the kind of file it is, make one of any error."""
    try:
        yield
    except UserError as e:
        raise UserError('%s: %s' % (origin, e))
    except Exception as e:  # a malformed file can raise anything
        if kind is None:
            raise
        raise UserError('%s is not %s (%s)' % (origin, kind, type(e).__name__))


def npz(path, most=None, named=None):
    """Return {name: array} of an npz file. most: images that it may have (default: as many as a file of that
    size can hold); named: whether with class_names, if it has them (default: where there is no most). Raise
    UserError if it is not such a file."""
    named = most is None if named is None else named
    with about(path, 'an npz file of arrays'), np.load(path, allow_pickle=False) as z:
        names = ARRAYS + ('class_names',) * (named and 'class_names' in z.files)
        for name in names:
            header(z.zip, name, most)
        return {name: z[name] for name in names}


def header(z, name, most=None):
    """Return the shape of an array in a zip. Raise UserError unless its header promises as many bytes as
    there are, and no more than so many images or labels, or such a file, can hold."""
    demand(name + '.npy' in z.namelist(), 'it lacks %s, expected %s', name, ', '.join(ARRAYS))
    info = z.getinfo(name + '.npy')
    with z.open(info) as f:
        version = formats.read_magic(f)
        read = formats.read_array_header_1_0 if version == (1, 0) else formats.read_array_header_2_0
        shape, _, kind = read(f)
        size = math.prod(shape) * kind.itemsize + f.tell()
    if kind.hasobject:
        raise ValueError
    there, packed = info.file_size, info.compress_size
    demand(size == there, '%s is broken: a header for %s of %s, in %d bytes', name, list(shape), kind, there)
    if most is None:
        demand(size <= max(SMALL, GROWS * packed), '%s unpacks to %d bytes from %d: save it with np.savez '
               'instead of np.savez_compressed', name, size, packed)
    else:
        allowed = most * (3072 if name.startswith('x') else 8) + 4096
        demand(size <= allowed, '%s is of %d bytes, more than %d images take', name, size, most)
    return shape


def shape(path):
    """Return the shape of an npz file's training images, which are not read. Raise UserError."""
    with about(path, 'an npz file of arrays'), zipfile.ZipFile(path) as z:
        return header(z, 'x_train')


def pickled(path, members):
    """Return {name: array} of the pickles of a training and a test set in a zip, each {'features': [N,C,H,W],
    'labels': [N]}, as the original distributed FaceScrub and notMNIST. Raise UserError if it is not one."""
    found = []
    with about(path, 'a zip of pickles of features and labels'), zipfile.ZipFile(path) as z:
        for member in members:
            info = next((i for i in z.infolist() if i.filename.split('/')[-1] == member), None)
            demand(info, 'it has no %s', member)
            size, most = info.file_size, unpickler.LIMIT
            demand(size <= most, '%s unpacks to %d bytes, more than %d', member, size, most)
            with z.open(info) as f:  # what the directory says of the size need not be so
                content = unpickler.load(f.read(size), encoding='latin1')
            for name, kind in (('features', np.uint8), ('labels', np.int64)):
                values = np.asarray(content[name])
                with np.errstate(invalid='ignore'):
                    found.append(values.astype(kind))
                same = np.array_equal(values, found[-1])
                demand(same, 'features must be whole numbers of 0 to 255, and labels whole numbers')
    return dict(zip(ARRAYS, found))


def checked(arrays, shapes=(), ncla=None, counts=(None, None)):
    """Return the arrays of a raw data set, images as [N,H,W] or [N,H,W,3] and labels as int64.

    shapes: of an image, those that are allowed (default: any); ncla: number of classes (default: that of the
    training images, none of which may be missing); counts: of training and test images, None: any. Raise
    UserError for what is not so.
    """
    wanted = ' or '.join(str(['N', *s]).replace("'", '') for s in shapes) or LAYOUTS
    for s, count in zip(('train', 'test'), counts):
        x, y = arrays['x_' + s], arrays['y_' + s]
        demand(isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.ndim and y.ndim,
               'x_%s and y_%s must be arrays of images and labels', s, s)
        demand(x.dtype == np.uint8, 'x_%s is %s, expected uint8 (0..255)', s, x.dtype)
        images = arrays['x_' + s] = channels_last(x)
        shape = images.shape[1:]
        fits = len(shape) in (2, 3) and min(shape) > 0 and shape[2:] in ((), (3,))
        fits = shape in shapes if shapes else fits
        demand(fits, 'x_%s has shape %s, expected %s', s, list(x.shape), wanted)
        demand(y.dtype.kind in 'iu', 'y_%s is %s, expected integers', s, y.dtype)
        n = len(x)
        demand(y.shape == (n,), 'y_%s has shape %s for %d images, expected [%d]', s, list(y.shape), n, n)
        demand(n > 0, 'x_%s has no images', s)
        demand(count in (None, n), '%d %s images, expected %s', n, s, count)
    sides = [list(arrays[k].shape[1:]) for k in ('x_train', 'x_test')]
    demand(sides[0] == sides[1], 'x_train has images of %s, x_test of %s', *sides)
    expected = 'expected'
    if ncla is None:
        there, expected = np.unique(arrays['y_train']), 'those of y_train from'
        ncla = int(there[-1]) + 1
        absent = sorted(set(range(min(ncla, len(there) + 9))) - set(there.tolist()))
        words = '; ' + ', '.join(map(str, absent[:8])) + ', ...' * (len(absent) > 8)
        words += ' is missing' if len(absent) == 1 else ' are missing'
        demand(there[0] >= 0 and not absent, 'the labels of y_train run from %d to %d, expected 0 to n-1 '
               'with none missing%s', there[0], there[-1], words if absent else '')
    for s in ('train', 'test'):
        y = arrays['y_' + s]
        run = y.min(), y.max()
        demand(0 <= run[0] and run[1] < ncla,
               'labels of y_%s run from %d to %d, %s 0 to %d', s, *run, expected, ncla - 1)
        arrays['y_' + s] = y.astype(np.int64)
    names = arrays.get('class_names')
    if names is not None:
        demand(names.dtype.kind == 'U' and names.shape == (ncla,), 'class_names is %s %s, expected %d texts',
               names.dtype, list(names.shape), ncla)
    return arrays


def channels_last(x):
    """Return images of any of LAYOUTS as [N,H,W] or [N,H,W,3], and others as they are."""
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3):
        x = x.transpose(0, 2, 3, 1)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    return np.ascontiguousarray(x)
