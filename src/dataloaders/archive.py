"""Zips of pickles, as the original distributed FaceScrub and notMNIST, read without running what they may hold."""
import zipfile

import numpy as np

from unpickler import LIMIT, Unpickler
from utils import UserError


def features(path, member):
    """(images [N,H,W] or [N,H,W,3], labels [N]) of a pickle, in a zip, of {'features': [N,C,H,W], 'labels': [N]}."""
    try:
        with zipfile.ZipFile(path) as z:
            names = [i for i in z.infolist() if i.filename.split('/')[-1] == member]
            if not names:
                raise UserError('%s has no %s' % (path, member))
            if names[0].file_size > LIMIT:
                raise UserError('%s: %s unpacks to %d bytes, more than %d' % (path, member, names[0].file_size, LIMIT))
            with z.open(names[0]) as f:
                content = Unpickler(f, encoding='latin1').load()
        x, y = np.asarray(content['features']).astype(np.uint8), np.asarray(content['labels']).astype(np.int64)
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except Exception as e:  # a malformed pickle can raise anything
        raise UserError('%s: %s is not a pickle of features and labels (%s)' % (path, member, type(e).__name__))
    if x.ndim == 4:
        x = x[:, 0] if x.shape[1] == 1 else x.transpose(0, 2, 3, 1)
    return x, y
