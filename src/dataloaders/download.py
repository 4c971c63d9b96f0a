"""Data sets through torchvision: read if they are whole, else downloaded, and then whole or not at all."""
import contextlib
import functools
import io
import shutil
import socket
import tempfile
import time
from pathlib import Path

import numpy as np
from filelock import FileLock
from tqdm import tqdm

import utils
from dataloaders.read import ARRAYS
from utils import UserError

TIMEOUT = 30   # seconds without a byte after which a connection counts as stalled
WAIT = 1       # seconds before the second attempt, doubled before each further one
ATTEMPTS = 3


def torchvision(name, row, folder):
    """Return {name: array} of a row of raw.TABLE, downloaded if not there, or broken. Raise UserError."""
    from torchvision import datasets
    kind = getattr(datasets, row.source)
    take = row.take or arrays

    def load(root, fetch=False):
        train, test = (take(kind(str(root), download=fetch, **options)) for options in row.parts)
        found = dict(zip(ARRAYS, train + test))
        return row.mend(found) if row.mend else found
    try:
        return load(folder)
    except Exception as e:  # not there, or broken: a malformed file can raise anything
        wrong, without = broken(kind, folder, row.files, e)
    files, there = 'torchvision\'s files in %s are ' % folder, any((folder / f).exists() for f in row.files)
    what = files + 'not complete' if there else 'not in %s' % folder
    if wrong:
        what = files + 'broken (%s)' % (', '.join(map(str, wrong[:4])) + ', ...' * (len(wrong) > 4))
        print('%s: %s: they are fetched anew' % (name, what))
    try:
        into(folder, row.files, lambda root: load(root, fetch=True), without)
        return load(folder)
    except Exception as e:
        why, own = str(e)[:200] or type(e).__name__, ', '.join(row.files)
        raise UserError('%s: %s, and torchvision could not download it (%s); either put %s.npz with %s '
                        'there, or torchvision\'s own files (%s)%s from a machine that can' % (
                            name, what, why, name, ', '.join(ARRAYS), own, ', whole' * bool(wrong)))


def arrays(dataset):
    """Return [images, labels] of a torchvision data set that has them as arrays."""
    labels = dataset.targets if hasattr(dataset, 'targets') else dataset.labels
    return [np.asarray(dataset.data), np.asarray(labels)]


def broken(kind, folder, entries, error):
    """Return (broken files, what to leave out so that they are made anew), two lists of paths in a folder.

    kind: a class of torchvision.datasets, which could not read its files, entries, but raised an error.
    Archives are known by their checksums; what was unpacked from one that is whole is not worth keeping.
    """
    from torchvision.datasets import mnist
    from torchvision.datasets.utils import check_integrity
    sums, unpacked, folder = {}, [], Path(folder)
    if hasattr(kind, 'resources'):  # as MNIST
        home = Path(kind.__name__, 'raw')
        sums = {home / name: md5 for name, md5 in kind.resources}
        unpacked = [path.with_suffix('') for path in sums]
    elif hasattr(kind, 'tgz_md5'):  # as CIFAR-10
        home = Path(kind.base_folder)
        members = [*kind.train_list, *kind.test_list, (kind.meta['filename'], kind.meta['md5'])]
        sums, unpacked = {Path(kind.filename): kind.tgz_md5}, [home]
        sums.update({home / name: md5 for name, md5 in members})
    elif hasattr(kind, 'split_list'):  # SVHN
        sums = {Path(name): md5 for _, name, md5 in (kind.split_list['train'], kind.split_list['test'])}
    there = [path for path in sums if (folder / path).exists()]
    found = [path for path in there if not check_integrity(str(folder / path), sums[path])]
    unpacked = [path for path in unpacked if (folder / path).exists()]
    for path in unpacked if hasattr(kind, 'resources') else ():
        try:  # MNIST's format says how long a file is
            (mnist.read_image_file if 'idx3' in path.name else mnist.read_label_file)(str(folder / path))
        except Exception:  # a malformed file can raise anything
            found.append(path)
    if not found and not isinstance(error, RuntimeError):  # which may only mean that a file is missing
        found = [Path(entry) for entry in entries if (folder / entry).exists()]
    return found, found + unpacked


def into(folder, entries, load, without=()):
    """Call load(root), which downloads files below root, and move the entries that it leaves to a folder.

    entries: the files and folders that make up the set. Those that the folder has are taken along in the
    first attempt, so that an archive put there by hand is used, but for the broken paths without. Raise what
    the last attempt raised.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder), tempfile.TemporaryDirectory(dir=folder, prefix='.download-') as root:
        root = Path(root)
        for attempt in range(ATTEMPTS):
            try:
                for entry in entries:
                    utils.remove(root / entry)
                    if attempt == 0 and (folder / entry).is_dir():
                        shutil.copytree(folder / entry, root / entry)
                    elif attempt == 0 and (folder / entry).exists():
                        shutil.copyfile(folder / entry, root / entry)
                for path in without:
                    utils.remove(root / path)
                with bars(), contextlib.redirect_stdout(io.StringIO()):  # torchvision's own remarks
                    load(root)
                break
            except Exception as e:
                if attempt + 1 == ATTEMPTS:
                    raise
                wait, what = WAIT * 2 ** attempt, ' '.join(str(e).split())[:100]
                print('%s: download failed (%s), again in %g s' % (entries[0], what, wait))
                time.sleep(wait)
        for entry in entries:
            if (root / entry).exists():
                if (folder / entry).exists():
                    (folder / entry).rename(root / ('old-' + entry))
                (root / entry).rename(folder / entry)


@contextlib.contextmanager
def bars():
    """Within it, torchvision's bars of what it downloads show where stderr is a terminal, not in files and pipes."""
    from torchvision.datasets import utils as theirs
    before, theirs.tqdm = theirs.tqdm, functools.partial(tqdm, leave=False, disable=None)
    try:
        yield
    finally:
        theirs.tqdm = before


@contextlib.contextmanager
def alone(folder):
    """Let one process at a time download into a folder, and connections stall no longer than TIMEOUT."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with FileLock(folder / '.download.lock'):
            yield
    finally:
        socket.setdefaulttimeout(before)
