"""Which of torchvision's files in a folder are not what they have to be."""
from pathlib import Path


def broken(kind, folder, entries, error):
    """(the broken files, what is to be left out so that they are made anew), both lists of paths within the
    folder.

    kind: a class of torchvision.datasets, which could not read its files, entries, but raised an error.
    Archives are known by their checksums; what was unpacked from one that is whole is not worth keeping.
    """
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
    found += [path for path in unpacked if (folder / path).is_file() and not readable(folder / path)]
    if not found and not isinstance(error, RuntimeError):  # which may mean no more than that a file is missing
        found = [Path(entry) for entry in entries if (folder / entry).exists()]
    return found, found + [path for path in unpacked if (folder / path).exists()]


def readable(path):
    """Whether a file of MNIST's format is as long as its header says."""
    from torchvision.datasets import mnist
    try:
        (mnist.read_image_file if 'idx3' in path.name else mnist.read_label_file)(str(path))
    except Exception:  # a malformed file can raise anything
        return False
    return True
