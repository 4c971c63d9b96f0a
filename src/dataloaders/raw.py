"""Raw data sets: uint8 images and labels under one name, from <data-dir>/<name>.npz, a folder of image files
or torchvision."""
import contextlib
import difflib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np

import utils
from dataloaders import download, folders, glyphset, mending, read
from dataloaders.read import ARRAYS, about, demand
from utils import UserError


@dataclass(frozen=True)
class Raw:
    """What identifies a data set, how it is normalised, where it comes from. One of your own needs a name
    and `make` alone: the number of classes, the shape and, per channel, mean and std are then those of its
    training images."""
    ncla: int = None
    shapes: tuple = ()      # image shapes that are allowed: [H,W] or [H,W,3]; none: any
    counts: tuple = (None, None)  # training and test images of the complete set
    mean: tuple = None      # per channel, of pixels in 0..1
    std: tuple = None
    source: str = None      # class of torchvision.datasets
    files: tuple = ()       # the files and folders that it keeps the set in
    parts: tuple = ({'train': True}, {'train': False})  # how the class is asked for its two parts
    take: Callable = None   # of one whose images are files: returns [images, labels] of a part
    mend: Callable = None   # what is made of the four arrays
    archive: tuple = None   # the original's zip: file name and the pickles within
    make: Callable = None   # made by a program: returns (x_train, y_train, x_test, y_test)
    name: str = 'own'       # of one that is not in the table
    class_names: tuple = None
    cut: bool = False       # whether its images are the middles of image files


GREY, COLOUR = (28, 28), (32, 32, 3)
MNIST, CIFAR = (60000, 10000), (50000, 10000)
DIGITS = tuple('0123456789')
STATS = (125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255)  # of both CIFARs
CLOTHES = ('T-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag',
           'ankle boot')
KANA = 'o', 'ki', 'su', 'tsu', 'na', 'ha', 'ma', 'ya', 're', 'wo'
SPLIT = {'split': 'train'}, {'split': 'test'}
ROMAN = tuple('abcdefghijklmnopqrstuvwxyz')
BALANCED = DIGITS + tuple('ABCDEFGHIJKLMNOPQRSTUVWXYZ') + tuple('abdefghnqrt')  # others: alike in both cases
THINGS = ('airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck')


def emnist(split):
    """Return how EMNIST is asked for the two parts of a split."""
    return tuple({'split': split, 'train': train} for train in (True, False))


TABLE = {
    'mnist': Raw(10, (GREY,), MNIST, (0.1307,), (0.3081,), 'MNIST', ('MNIST',), class_names=DIGITS),
    # The published mean and std of fashion-mnist are those of the padded images that mixture uses.
    'fashion-mnist': Raw(10, (GREY,), MNIST, (0.2190,), (0.3318,), 'FashionMNIST', ('FashionMNIST',),
                         class_names=CLOTHES),
    'cifar10': Raw(10, (COLOUR,), CIFAR, *STATS, 'CIFAR10', ('cifar-10-batches-py', 'cifar-10-python.tar.gz'),
                   class_names=THINGS),
    'cifar100': Raw(100, (COLOUR,), CIFAR, *STATS, 'CIFAR100', (
        'cifar-100-python', 'cifar-100-python.tar.gz')),
    'svhn': Raw(10, (COLOUR,), (73257, 26032), (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197), 'SVHN',
                ('train_32x32.mat', 'test_32x32.mat'), SPLIT, class_names=DIGITS),
    'traffic-signs': Raw(43, (COLOUR,), (26640, 12630), (0.3398, 0.3117, 0.3210), (0.2755, 0.2647, 0.2712),
                         'GTSRB', ('gtsrb',), SPLIT, mending.thumbnails),
    'facescrub': Raw(100, (COLOUR,), mean=(0.5163, 0.5569, 0.4695), std=(0.2307, 0.2272, 0.2479), archive=(
        'facescrub_100.zip', 'facescrub_train_100.pkl', 'facescrub_test_100.pkl')),
    'notmnist': Raw(10, (GREY, (32, 32)), mean=(0.4254,), std=(0.4501,), class_names=tuple('ABCDEFGHIJ'),
                    archive=('notmnist.zip', 'notmnist_train.pkl', 'notmnist_test.pkl')),
    'glyphs': Raw(36, (GREY,), glyphset.COUNTS, (0.125,), (0.304,), make=glyphset.make,
                  class_names=tuple(glyphset.CHARACTERS)),
    # Counts are those of the sets' papers and pages; mean and std those in common use with torchvision's
    # classes, and of omniglot those of its training images.
    'emnist-letters': Raw(26, (GREY,), (124800, 20800), (0.1722,), (0.3309,), 'EMNIST', ('EMNIST',),
                          emnist('letters'), mend=mending.letters, class_names=ROMAN),
    'emnist-balanced': Raw(47, (GREY,), (112800, 18800), (0.1751,), (0.3332,), 'EMNIST', ('EMNIST',),
                           emnist('balanced'), mend=mending.upright, class_names=BALANCED),
    'kmnist': Raw(10, (GREY,), MNIST, (0.1918,), (0.3483,), 'KMNIST', ('KMNIST',), class_names=KANA),
    'usps': Raw(10, ((16, 16),), (7291, 2007), (0.2469,), (0.2989,), 'USPS', ('usps.bz2', 'usps.t.bz2'),
                class_names=DIGITS),
    'omniglot': Raw(1623, (GREY,), (25968, 6492), source='Omniglot', files=('omniglot-py',), parts=(
        {'background': True}, {'background': False}), take=mending.drawings, mend=mending.characters),
}


def load(source, data_dir=None, image_size=None):
    """Return {'x_train', 'y_train', 'x_test', 'y_test'}: uint8 [N,H,W] or [N,H,W,3], int64 [N].

    source: a Raw, or a name: of the table or of a user's <name>.npz or folder <name>. data_dir: the folder
    that they and torchvision's files are in (default: dat/ of the project). image_size: side of the images of
    a folder. Draw no random numbers. Raise UserError if the set is neither there nor to be downloaded, or if
    it is not what its name says.
    """
    folder = Path(data_dir or utils.ROOT / 'dat')
    name, row = (source.name, source) if isinstance(source, Raw) else (source, find(source, folder))
    path, known = folder / (name + '.npz'), TABLE.get(name, Raw())
    origin, counts = path, (None, None)
    filed = not row.make and name not in TABLE and not path.is_file()
    filed = filed and (folder / name).is_dir()
    demand(filed or image_size is None, '--image-size: %s is no folder of images', name)
    if row.make:
        arrays, origin, counts = dict(zip(ARRAYS, row.make())), name, known.counts
    elif filed:
        arrays, origin = folders.load(folder / name, image_size), folder / name
    elif name not in TABLE:
        arrays = read.npz(path)
        if (folder / name).is_dir():
            arrays['note'] = '%s is read, not the folder %s' % (path, folder / name)
    elif path.exists():
        arrays = read.npz(path, most=4 * max(count or 50000 for count in row.counts), named=bool(row.take))
    elif row.archive:
        there = [p for p in zips(row, name, folder) if p.exists()]
        demand(there, '%s: neither %s.npz nor %s in %s, and it has no public download; supply either: the '
               'npz with %s (uint8 images, integer labels), or the zip', name, name, row.archive[0], folder,
               ', '.join(ARRAYS))
        arrays, origin = read.pickled(there[0], row.archive[1:]), there[0]
    else:
        arrays, counts = download.torchvision(name, row, folder), row.counts
        origin = '%s in %s' % (name, folder)
    if name in TABLE and (folder / name / 'train').is_dir():
        arrays['note'] = '%s is the set that everybody calls so, not the folder %s: give that ' \
                         'another name' % (name, folder / name)
    with about(origin):
        arrays = read.checked(arrays, known.shapes, known.ncla, counts)
    if row.take and not path.exists():  # thousands of image files: decoded once, kept as npz
        with contextlib.suppress(OSError), utils.replacing(path, 'wb') as f:
            np.savez_compressed(f, **arrays)
    return arrays


def zips(row, name, folder):
    """Return where the original's zip of a set may lie, if it has one."""
    return [where / row.archive[0] for where in (folder, folder / name)] if row.archive else []


def find(name, folder):
    """Return the row of a name in the table, or one for <name>.npz. Raise UserError if there is neither."""
    if name in TABLE:
        return TABLE[name]
    path = Path(folder) / (name + '.npz')
    if path.is_file() or path.with_suffix('').is_dir():
        return Raw(name=name)
    near = ''.join(' (perhaps %s)' % n for n in difflib.get_close_matches(name, TABLE, 1))
    there = ', '.join(TABLE)
    raise UserError('no data set %s%s: there are %s; or one of your own as %s, or as image files in the '
                    'folder %s' % (name, near, there, path, path.with_suffix('')))


def obtainable(name, folder):
    """Return whether a set lies in a folder or, being of the table, can be downloaded to it."""
    folder, row = Path(folder), TABLE.get(name, Raw())
    places = [folder / (name + '.npz'), *zips(row, name, folder)]
    return bool(row.make or row.source) or any(map(Path.is_file, places)) or (folder / name).is_dir()


def size(shape):
    """Return the [channels, height, width] of images of a shape [h,w], [h,w,c] or [c,h,w]."""
    if len(shape) == 2:
        return [1, *shape]
    return [shape[2], *shape[:2]] if shape[2] in (1, 3) else list(shape)


def shape(name, folder, image_size=None):
    """Return the [channels, height, width] of a name's images, without reading them."""
    row, path = find(name, folder), Path(folder) / (name + '.npz')
    if row.shapes:
        found = row.shapes[0]
    else:
        found = read.shape(path)[1:] if path.is_file() else folders.shape(path.with_suffix(''), image_size)
    demand(len(found) in (2, 3), '%s: x_train has images of %s, expected %s', path, list(found), read.LAYOUTS)
    return size(found)


def describe(source, arrays):
    """Return the Raw of loaded arrays, with what it leaves open taken from the training images."""
    row = source if isinstance(source, Raw) else TABLE.get(source, Raw(name=source))
    if row.mean is None:
        channels = size(arrays['x_train'].shape[1:])[0]
        x = arrays['x_train'].reshape(-1, channels)
        counts = [np.bincount(x[:, c], minlength=256) for c in range(channels)]
        values = np.arange(256) / 255
        mean = [float(n @ values / n.sum()) for n in counts]
        std = [float(np.sqrt(n @ (values - m) ** 2 / n.sum())) or 1. for n, m in zip(counts, mean)]
        row = replace(row, mean=tuple(mean), std=tuple(std))
    if 'cut' in arrays:
        row = replace(row, cut=True)
    if row.ncla is None:
        row = replace(row, ncla=int(arrays['y_train'].max()) + 1)
    if 'class_names' in arrays:
        row = replace(row, class_names=tuple(map(str, arrays['class_names'])))
    return row


def sha256(arrays):
    """Return the SHA-256 of a data set's four arrays: two results with the same are of the same data."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(('%s %s %s;' % (name, arrays[name].dtype, arrays[name].shape)).encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()
