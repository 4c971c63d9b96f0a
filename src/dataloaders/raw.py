"""Raw data sets: uint8 images and integer labels under one name, from <data-dir>/<name>.npz or torchvision."""
import contextlib
import difflib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import numpy as np

import utils
from dataloaders import archive, download, glyphset, intact, npz, own
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
    archive: tuple = None   # the original's zip: file name and the pickles within
    make: Callable = None   # made by a program: returns (x_train, y_train, x_test, y_test)
    name: str = 'own'       # of one that is not in the table
    class_names: tuple = None


GREY, COLOUR, DIGITS = (28, 28), (32, 32, 3), tuple('0123456789')
CIFAR = dict(mean=(125.3 / 255, 123.0 / 255, 113.9 / 255), std=(63.0 / 255, 62.1 / 255, 66.7 / 255))
TABLE = {
    'mnist': Raw(10, (GREY,), (60000, 10000), (0.1307,), (0.3081,), 'MNIST', ('MNIST',), class_names=DIGITS),
    # The published mean and std of fashion-mnist are those of the padded images that mixture uses.
    'fashion-mnist': Raw(10, (GREY,), (60000, 10000), (0.2190,), (0.3318,), 'FashionMNIST',
                         ('FashionMNIST',), class_names=('T-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt',
                                                         'sneaker', 'bag', 'ankle boot')),
    'cifar10': Raw(10, (COLOUR,), (50000, 10000), source='CIFAR10',
                   files=('cifar-10-batches-py', 'cifar-10-python.tar.gz'), class_names=(
                       'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'), **CIFAR),
    'cifar100': Raw(100, (COLOUR,), (50000, 10000), source='CIFAR100',
                    files=('cifar-100-python', 'cifar-100-python.tar.gz'), **CIFAR),
    'svhn': Raw(10, (COLOUR,), (73257, 26032), (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197), 'SVHN',
                ('train_32x32.mat', 'test_32x32.mat'), class_names=DIGITS),
    'traffic-signs': Raw(43, (COLOUR,), (26640, 12630), (0.3398, 0.3117, 0.3210), (0.2755, 0.2647, 0.2712), 'GTSRB',
                         ('gtsrb',)),
    'facescrub': Raw(100, (COLOUR,), (None, None), (0.5163, 0.5569, 0.4695), (0.2307, 0.2272, 0.2479),
                     archive=('facescrub_100.zip', 'facescrub_train_100.pkl', 'facescrub_test_100.pkl')),
    'notmnist': Raw(10, (GREY, (32, 32)), (None, None), (0.4254,), (0.4501,),
                    archive=('notmnist.zip', 'notmnist_train.pkl', 'notmnist_test.pkl'), class_names=tuple('ABCDEFGHIJ')),
    'glyphs': Raw(36, (GREY,), glyphset.COUNTS, (0.125,), (0.304,), make=glyphset.make,
                  class_names=(*DIGITS, *map(chr, range(65, 91)))),
}
ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test')


def load(source, data_dir=None):
    """{'x_train', 'y_train', 'x_test', 'y_test'}: uint8 [N,H,W] or [N,H,W,3], int64 [N]; draws no random
    numbers.

    source: a Raw, or a name: of the table or of a user's <name>.npz. data_dir: the folder of <name>.npz and
    of torchvision's files (default: dat/ of the project). Raises UserError if the set is neither there nor to
    be downloaded, or if it is not what its name says.
    """
    folder = Path(data_dir or utils.ROOT / 'dat')
    name, row = (source.name, source) if isinstance(source, Raw) else (source, find(source, folder))
    if row.make:
        made = dict(zip(ARRAYS, row.make()))
        return check(name, made, 'the generator', True) if name in TABLE else own.check(name, made, 'what make() returned')
    path = folder / (name + '.npz')
    if name not in TABLE:
        return own.check(name, npz.read(path, ARRAYS), path)
    if path.exists():
        return check(name, npz.read(path, ARRAYS, 4 * max(count or 50000 for count in row.counts)), path)
    if row.archive:
        return from_archive(name, folder)
    return from_torchvision(name, folder)


def find(name, folder):
    """The row of a name in the table, or one for <name>.npz. Raises UserError if there is neither."""
    if name in TABLE:
        return TABLE[name]
    path = Path(folder) / (name + '.npz')
    if path.is_file():
        return Raw(name=name)
    near = difflib.get_close_matches(name, TABLE, 1)
    raise UserError('no data set %s%s: there are %s; or one of your own as %s' % (
        name, ' (perhaps %s)' % near[0] if near else '', ', '.join(TABLE), path))


def obtainable(name, folder):
    """Whether a set lies in a folder or, being of the table, can be downloaded to it."""
    folder = Path(folder)
    if name not in TABLE:
        return (folder / (name + '.npz')).is_file()
    row = TABLE[name]
    return bool(row.make or row.source) or any(p.exists() for p in (
        folder / (name + '.npz'), folder / row.archive[0], folder / name / row.archive[0]))


def shape(name, folder):
    """(channels, height, width) of a name's images, without reading them."""
    row = find(name, folder)
    x = npz.shape(Path(folder) / (name + '.npz'), 'x_train') if name not in TABLE else (1, *row.shapes[0])
    if len(x) not in (3, 4):
        raise UserError('%s.npz: x_train has shape %s, expected %s' % (name, list(x), own.LAYOUTS))
    x = x[1:]
    return (1, *x) if len(x) == 2 else (x[2], *x[:2]) if x[2] in (1, 3) else x


def describe(source, arrays):
    """The Raw of loaded arrays, with what it leaves open taken from the training images."""
    row = source if isinstance(source, Raw) else TABLE.get(source, Raw(name=source))
    if row.mean is None:
        x = arrays['x_train'].reshape(len(arrays['x_train']), -1, arrays['x_train'].shape[3] if arrays['x_train'].ndim == 4 else 1)
        counts = [np.bincount(x[..., c].ravel(), minlength=256) for c in range(x.shape[2])]
        values = np.arange(256) / 255
        mean = [float(n @ values / n.sum()) for n in counts]
        std = [float(np.sqrt(n @ (values - m) ** 2 / n.sum())) or 1. for n, m in zip(counts, mean)]
        row = replace(row, mean=tuple(mean), std=tuple(std))
    if row.ncla is None:
        row = replace(row, ncla=int(arrays['y_train'].max()) + 1)
    if 'class_names' in arrays:
        row = replace(row, class_names=tuple(map(str, arrays['class_names'])))
    return row


def check(name, arrays, origin, complete=False):
    """The arrays, labels as int64, once shapes, types, label range and, if complete, counts are as in the
    table."""
    row = TABLE[name]
    shapes = ' or '.join(str(['N', *s]).replace("'", '') for s in row.shapes)
    for split, count in zip(('train', 'test'), row.counts):
        own.sound(name, split, arrays, origin, shapes, lambda x: x.shape[1:] in row.shapes)
        y = arrays['y_' + split]
        if y.min() < 0 or y.max() >= row.ncla:
            raise UserError('%s: labels of y_%s run from %d to %d, expected 0 to %d, in %s' % (
                name, split, y.min(), y.max(), row.ncla - 1, origin))
        if complete and count and len(y) != count:
            raise UserError('%s: %d %s images, expected %d, in %s' % (name, len(y), split, count, origin))
        arrays['y_' + split] = y.astype(np.int64)
    return arrays


def sha256(arrays):
    """The SHA-256 of a data set's four arrays, by which two results can be told to be of the same data."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(('%s %s %s;' % (name, arrays[name].dtype, arrays[name].shape)).encode())
        digest.update(np.ascontiguousarray(arrays[name]).data)
    return digest.hexdigest()


def from_archive(name, folder):
    """A set from the zip of pickles that the original used, if the user has it in the folder or in its
    subfolder."""
    filename, *members = TABLE[name].archive
    for path in (folder / filename, folder / name / filename):
        if path.exists():
            train, test = (archive.features(path, member) for member in members)
            return check(name, dict(zip(ARRAYS, train + test)), path)
    raise UserError('%s: neither %s.npz nor %s in %s, and it has no public download; supply either: the npz with '
                    '%s (uint8 images, integer labels), or the zip' % (name, name, filename, folder, ', '.join(ARRAYS)))


def from_torchvision(name, folder):
    """A set through torchvision, downloaded if it is not in the folder, or broken there."""
    from torchvision import datasets
    row = TABLE[name]
    splits = [{'split': s} for s in ('train', 'test')] if name in ('svhn', 'traffic-signs') else [
        {'train': True}, {'train': False}]

    def read(root, fetch=False):
        return [pixels(getattr(datasets, row.source)(str(root), download=fetch, **s)) for s in splits]
    try:
        train, test = read(folder)
    except Exception as e:  # not there, or broken: a malformed file can raise anything
        broken, without = intact.broken(getattr(datasets, row.source), folder, row.files, e)
        if broken:
            print('%s: torchvision\'s files in %s are broken (%s): they are fetched anew' % (name, folder, listed(broken)))
        try:
            download.into(folder, row.files, lambda root: read(root, fetch=True), without)
            train, test = read(folder)
        except Exception as e:
            what = 'not in %s' % folder
            if any((folder / entry).exists() for entry in row.files):
                wrong = 'broken (%s)' % listed(broken) if broken else 'not complete'
                what = 'torchvision\'s files in %s are %s' % (folder, wrong)
            raise UserError('%s: %s, and torchvision could not download it (%s); either put %s.npz with %s there, '
                            'or torchvision\'s own files (%s)%s from a machine that can' % (
                                name, what, one_line(e), name, ', '.join(ARRAYS), ', '.join(row.files), ', whole,' * bool(broken)))
    arrays = check(name, dict(zip(ARRAYS, train + test)), folder, complete=True)
    if name == 'traffic-signs':  # thousands of image files: decoded once, kept as npz
        with contextlib.suppress(OSError), utils.replacing(folder / (name + '.npz'), 'wb') as f:
            np.savez_compressed(f, **arrays)
    return arrays


def pixels(dataset):
    """(images, labels) of a torchvision data set, as arrays."""
    if not hasattr(dataset, 'data'):  # GTSRB: image files of many sizes
        images, labels = zip(*((np.asarray(image.convert('RGB').resize((32, 32))), label) for image, label in dataset))
        return np.stack(images), np.array(labels)
    x, y = np.asarray(dataset.data), np.asarray(dataset.targets if hasattr(dataset, 'targets') else dataset.labels)
    return (x.transpose(0, 2, 3, 1) if x.ndim == 4 and x.shape[1] == 3 else x), y


def listed(paths):
    """The first few of some paths, in words."""
    return ', '.join(map(str, paths[:4])) + (' and %d more' % (len(paths) - 4) if len(paths) > 4 else '')


def one_line(error):
    """An error's text on one line, or its type if it has none."""
    return ' '.join(str(error).split())[:200] or type(error).__name__
