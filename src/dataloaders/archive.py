"""Zips of pickles, as the original distributed FaceScrub and notMNIST, read without running what they may hold."""
import zipfile

import numpy as np

from results import unpickler
from utils import UserError


def whole(values, kind):
    """An array as integers of a kind. Raises UserError if that would change a value."""
    values = np.asarray(values)
    with np.errstate(invalid='ignore'):
        out = values.astype(kind)
    if not np.array_equal(values, out):
        raise UserError('features must be whole numbers of 0 to 255, and labels whole numbers')
    return out


def features(path, member):
    """(images [N,H,W] or [N,H,W,3], labels [N]) of a pickle, in a zip, of {'features': [N,C,H,W],
    'labels': [N]}."""
    try:
        with zipfile.ZipFile(path) as z:
            names = [i for i in z.infolist() if i.filename.split('/')[-1] == member]
            if not names:
                raise UserError('%s has no %s' % (path, member))
            if names[0].file_size > unpickler.LIMIT:
                raise UserError('%s: %s unpacks to %d bytes, more than %d' % (path, member, names[0].file_size, unpickler.LIMIT))
            with z.open(names[0]) as f:  # what the directory says of the size need not be so
                content = unpickler.load(f.read(names[0].file_size), encoding='latin1')
        x, y = whole(content['features'], np.uint8), whole(content['labels'], np.int64)
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except Exception as e:  # a malformed pickle can raise anything
        raise UserError('%s: %s is not a pickle of features and labels (%s)' % (path, member, type(e).__name__))
    if x.ndim == 4:
        x = x[:, 0] if x.shape[1] == 1 else x.transpose(0, 2, 3, 1)
    return x, y
