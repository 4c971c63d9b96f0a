"""Whether the arrays of a data set are what they have to be: of any, and of one that no table describes."""
import numpy as np

from utils import UserError

LAYOUTS = '[N,H,W], [N,H,W,1], [N,H,W,3], [N,1,H,W] or [N,3,H,W]'


def sound(name, split, arrays, origin, shapes, fits):
    """Raises UserError unless a split's images and labels are arrays of the right kinds and shapes."""
    x, y = arrays['x_' + split], arrays['y_' + split]
    if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.ndim and y.ndim):
        raise UserError('%s: x_%s and y_%s must be arrays of images and labels, in %s' % (name, split, split, origin))
    for ok, what in (
            (x.dtype == np.uint8, 'x_%s is %s, expected uint8 (0..255)' % (split, x.dtype)),
            (fits(x), 'x_%s has shape %s, expected %s' % (split, list(x.shape), shapes)),
            (y.dtype.kind in 'iu', 'y_%s is %s, expected integers' % (split, y.dtype)),
            (y.ndim == 1 and len(y) == len(x), 'y_%s has shape %s for %d images, expected [%d]' % (
                split, list(y.shape), len(x), len(x))),
            (len(x) > 0, 'x_%s has no images' % split)):
        if not ok:
            raise UserError('%s: %s in %s' % (name, what, origin))


def check(name, arrays, origin):
    """The arrays of a data set that is not in the table, images as [N,H,W] or [N,H,W,3], once they are
    sound and the labels are 0 to n-1, all of them among the training images."""
    for split in ('train', 'test'):
        sound(name, split, arrays, origin, LAYOUTS, lambda x: x.ndim in (3, 4) and min(x.shape[1:]) > 0 and (x.ndim == 3 or (
            x.shape[3] in (1, 3) or x.shape[1] in (1, 3))))
        x, y = arrays['x_' + split], arrays['y_' + split]
        if x.ndim == 4 and x.shape[3] not in (1, 3):
            x = x.transpose(0, 2, 3, 1)
        arrays['x_' + split] = np.ascontiguousarray(x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x)
        if y.max() >= 2 ** 31:
            raise UserError('%s: the label %d in y_%s, in %s: expected 0 to n-1' % (name, y.max(), split, origin))
        arrays['y_' + split] = y.astype(np.int64)
    if arrays['x_train'].shape[1:] != arrays['x_test'].shape[1:]:
        raise UserError('%s: x_train has images of %s, x_test of %s, in %s' % (
            name, list(arrays['x_train'].shape[1:]), list(arrays['x_test'].shape[1:]), origin))
    there = np.unique(arrays['y_train'])
    ncla = int(there[-1]) + 1
    if there[0] < 0 or len(there) < ncla:
        raise UserError('%s: the labels of y_train run from %d to %d, expected 0 to n-1 with none missing%s, in %s' % (
            name, there[0], there[-1], '' if there[0] < 0 else '; %s' % missing(there, ncla), origin))
    if arrays['y_test'].min() < 0 or arrays['y_test'].max() >= ncla:
        raise UserError('%s: labels of y_test run from %d to %d, those of y_train from 0 to %d, in %s' % (
            name, arrays['y_test'].min(), arrays['y_test'].max(), ncla - 1, origin))
    names = arrays.get('class_names')
    if names is not None and (names.dtype.kind != 'U' or names.shape != (ncla,)):
        raise UserError('%s: class_names is %s %s, expected %d texts, in %s' % (name, names.dtype, list(names.shape), ncla, origin))
    return arrays


def missing(there, ncla):
    """Which labels are not there, in words."""
    first = [str(c) for c in range(min(ncla, len(there) + 8)) if c not in set(there.tolist())][:8]
    return '%s%s missing' % (', '.join(first), ' and more are' if ncla - len(there) > len(first) else ' is' if len(first) == 1 else ' are')
