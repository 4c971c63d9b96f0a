"""Folders of image files as raw data sets: read once, by threads, into an npz that is read from then on."""
import contextlib
import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import utils
from dataloaders import layouts, pictures, read
from dataloaders.read import ARRAYS, demand
from utils import UserError

SIDE = 32     # pixels of the images, unless --image-size says otherwise
RULE = 1      # of how they are made: files made by another are not used
SHARE = 5     # where the folder has no test part, one image in so many of each class is one
NAMED = 8     # broken files that are named


def load(folder, side=None):
    """Return {name: array} of a folder of image files, with class_names, note, what is to be said of it, and
    cut, that files are cut. Images are uint8 [N,side,side], or [N,side,side,3] unless all are grey. Raise
    UserError."""
    path = prepare(folder, side)
    with np.load(path, allow_pickle=False) as z:
        return {**read.npz(path), 'note': str(z['note']), 'cut': True}


def shape(folder, side=None):
    """Return the shape of a folder's images."""
    return read.shape(prepare(folder, side))[1:]


def prepare(folder, side=None):
    """Return the npz file of a folder's images, which is made unless there is one of the same files."""
    side = side or SIDE
    files, said = layouts.found(folder)
    key = digest(folder, files, side)
    places = folder / ('.cache-%d.npz' % side), elsewhere(folder, side)
    for path in places:
        if key == key_of(path):
            return path
    arrays = {**made(folder, files, side, said), 'key': np.array(key)}
    for path in places:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with utils.replacing(path, 'wb') as f:
                np.savez(f, **arrays)
            return path
    raise UserError('%s: neither it nor %s can be written, where its images are kept' % (folder, path.parent))


def elsewhere(folder, side):
    """Return the file for the images of a folder that cannot be written."""
    where = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return utils.ROOT / 'dat' / '.cache' / ('%s-%s-%d.npz' % (folder.name, where, side))


def digest(folder, files, side):
    """Return a text that is another one if anything of the files is."""
    states = [os.stat(folder / f.path) for f in files]
    rows = [(f.path, f.label, f.part, s.st_size, s.st_mtime_ns) for f, s in zip(files, states)]
    return hashlib.sha256(repr((RULE, side, rows)).encode('utf-8', 'surrogatepass')).hexdigest()


def key_of(path):
    """Return the digest of the files that an npz was made of; None for what is no such file, or broken."""
    with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as z:
        return str(z['key'])


def made(folder, files, side, said):
    """Return the arrays of a folder's files; said: what is to be said besides."""
    x, grey, wrong = decoded(folder, files, side)
    kept = [i for i in range(len(files)) if i not in wrong]
    if wrong:
        names = ', '.join(list(wrong.values())[:NAMED]) + ', ...' * (len(wrong) > NAMED)
        said = [*said, '%d broken files left out: %s' % (len(wrong), names)]
    names = layouts.classes([files[i] for i in kept])
    lost = sorted({f.label for f in files} - set(names))
    demand(not lost, '%s: no image of the class %s can be read', folder, ', '.join(lost[:8]))
    y = np.array([names.index(files[i].label) for i in kept])
    tested = np.array([files[i].part == 'test' for i in kept])
    if not tested.any():
        tested = share(y)
        said = [*said, 'no test part: one image in %d of each class is tested on, whatever the seed' % SHARE]
    x = x[kept, :, :, 0] if all(grey[i] for i in kept) else x[kept]
    counts = int((~tested).sum()), int(tested.sum())
    note = '%s: %d images to train on and %d to test, of %d classes; shorter side %d, middle cut ' \
           '(--image-size)' % (folder.name, *counts, len(names), side)
    arrays = dict(zip(ARRAYS, (x[~tested], y[~tested], x[tested], y[tested])))
    return {**arrays, 'class_names': np.array(names), 'note': np.array('; '.join([note, *said]))}


def share(y):
    """Return which of the labels [N] are of the test part, bool [N], the same every time."""
    out, rs = np.zeros(len(y), bool), np.random.RandomState(0)
    for c in range(y.max() + 1):
        places = rs.permutation(np.flatnonzero(y == c))
        out[places[:max(len(places) // SHARE, len(places) > 1)]] = True
    return out


def decoded(folder, files, side):
    """Return the images uint8 [N,side,side,3], whether each is grey, and {place: why} of the broken ones."""
    x, grey, wrong = np.zeros((len(files), side, side, 3), np.uint8), [False] * len(files), {}

    def one(i):
        try:
            image, _, _ = pictures.opened(folder / files[i].path)
            grey[i] = image.mode == 'L'
            x[i] = pictures.fitted(image, (side, side, 3), cut=True)
        except ValueError as e:
            wrong[i] = str(e).replace(str(folder) + os.sep, '')
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter('ignore')
        done = pool.map(one, range(len(files)))
        for _ in utils.progress(done, 'Reading ' + folder.name, len(files)):
            pass
    return x, grey, dict(sorted(wrong.items()))
