"""What some of torchvision's sets need before they are images and labels: to be decoded, turned, numbered."""
from pathlib import Path

import numpy as np

import utils
from dataloaders.read import ARRAYS

DRAWERS = 16  # of omniglot's 20, whose drawings are trained on


def thumbnails(dataset):
    """Return [uint8 [N,32,32,3], labels] of GTSRB: image files of many sizes."""
    images, labels = [], []
    for i in utils.progress(range(len(dataset)), 'Reading traffic signs'):
        image, label = dataset[i]
        images.append(np.asarray(image.convert('RGB').resize((32, 32))))
        labels.append(label)
    return [np.stack(images), np.array(labels)]


def upright(arrays):
    """Return EMNIST's arrays, whose images lie on their sides, mirrored, as MNIST's stand."""
    return {k: a.swapaxes(1, 2) if k[0] == 'x' else a for k, a in arrays.items()}


def letters(arrays):
    """Return the arrays of EMNIST's letters, which are numbered from 1, upright and from 0."""
    return {k: a - 1 if k[0] == 'y' else a for k, a in upright(arrays).items()}


def drawings(dataset):
    """Return [uint8 [N,28,28], white on black, texts 'alphabet/character/number_drawer'] of a part of
    omniglot, in the order of the texts."""
    from PIL import Image
    images, names = [], []
    for path in utils.progress(sorted(Path(dataset.target_folder).glob('*/*/*.png')), 'Reading omniglot'):
        with Image.open(path) as image:
            small = image.convert('L').resize((28, 28), Image.Resampling.BILINEAR)
        images.append(255 - np.asarray(small))
        names.append('/'.join([*path.parts[-3:-1], path.stem]))
    return [np.stack(images), np.array(names)]


def characters(arrays):
    """Return omniglot's arrays, of both its parts, with class_names 'alphabet/character': tested on the
    drawings of the last drawers."""
    x, names = (np.concatenate([arrays[k + s] for s in ('_train', '_test')]) for k in 'xy')
    class_names, y = np.unique([name.rpartition('/')[0] for name in names], return_inverse=True)
    learnt = np.array([int(name.rpartition('_')[2]) <= DRAWERS for name in names])
    found = x[learnt], y[learnt], x[~learnt], y[~learnt]
    return {**dict(zip(ARRAYS, found)), 'class_names': class_names}
