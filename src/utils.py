"""Small helpers that everything shares: paths, user errors, seeding, model copies, reports."""
import glob
import importlib.util
import math
import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MISSING = [p for p in ('numpy', 'scipy', 'torch', 'torchvision', 'tqdm', 'matplotlib')
           if importlib.util.find_spec(p) is None]
if MISSING:  # every command imports this file first
    print('this Python lacks %s: source .venv/bin/activate, or first bash scripts/quickstart.sh, which makes '
          'that environment' % ', '.join(MISSING), file=sys.stderr)
    sys.exit(2)

import numpy as np


class UserError(Exception):
    """A mistake that the user can mend: scripts print it as one line on stderr and exit with status 2."""

    def __str__(self):
        return visible(' '.join(super().__str__().split()))


def visible(text):
    """A text with what a terminal would not show but act on, such as control characters, written as escapes:
    \\x1b."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in str(text))


def progress(items, what, total=None):
    """Return the items, which a bar counts and says what remains; only where stderr is a terminal, so that no
    log file and no pipe has any of it. what: the words before the bar; total: how many there are, if len()
    does not say."""
    from tqdm import tqdm
    return tqdm(items, desc=what, total=total, leave=False, disable=None)


def seed_everything(seed):
    """Seeds the global generators of numpy and torch, from which initial weights, batches and dropout draw,
    and Python's."""
    import random
    import torch
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def flag(name):
    """Return '--lr-min', as it is typed, of the option lr_min."""
    return '--' + name.replace('_', '-')


def is_number(text):
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@contextmanager
def replacing(path, mode='w'):
    """A file to write that takes the place of `path`, at once and whole, when the block ends without an
    error."""
    path = Path(path)
    part = temporary(path)
    try:
        with open(part, mode, encoding=None if 'b' in mode else 'utf-8') as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def temporary(path):
    """The name under which this process writes a file that is not whole yet."""
    return path.with_name('%s.%d.tmp' % (path.name, os.getpid()))


def __getattr__(name):
    """The original's further helpers, in original.py; __all__: what `from utils import *` brings."""
    import original
    if name == '__all__':
        return original.ALL
    if name in original.NAMES:
        return getattr(original, name)
    raise AttributeError('module %r has no attribute %r' % (__name__, name), name=name,
                         obj=sys.modules[__name__])


def give_up_stdout():
    """Where nobody reads the output, or the disk it goes to is full: ends without a further error."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def remove(path):
    """Removes a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(path):
    """Removes what killed writers of a file have left behind; not to be called while another may write it."""
    path = Path(path)
    for f in path.parent.glob(glob.escape(path.name) + '.*.tmp') if path.parent.is_dir() else ():
        if re.fullmatch(r'\d+', f.name[len(path.name) + 1:-4]):
            f.unlink(missing_ok=True)


def get_model(model, into=None):
    """A copy of a model's weights and buffers, in the place of an earlier one if given."""
    if into is None:
        return {n: v.detach().clone() for n, v in model.state_dict().items()}
    for n, v in model.state_dict().items():
        into[n].copy_(v.detach())
    return into


def set_model_(model, weights):
    """Puts a copy made by get_model back into the model, in place."""
    model.load_state_dict(weights)


def freeze_model(model):
    """Takes every parameter of a model out of training."""
    for p in model.parameters():
        p.requires_grad_(False)


def human_format(number):
    """5812100 -> '5.8M'."""
    magnitude = 0
    while abs(number) >= 1000:
        magnitude += 1
        number /= 1000
    return '%.1f%s' % (number, ['', 'K', 'M', 'G', 'T', 'P'][magnitude])


def print_model_report(model):
    """Prints a model's layers, the sizes of its parameters and their number, which it returns."""
    count = sum(p.numel() for p in model.parameters())
    print('-' * 100)
    print(model)
    print('Dimensions =', ' '.join(str(tuple(p.shape)) for p in model.parameters()))
    print('Num parameters = %s' % human_format(count))
    print('-' * 100)
    return count


def print_optimizer_config(optimizer):
    """Prints an optimizer's class and settings, or None for an approach that has none."""
    if optimizer is None:
        print(None)
    else:
        settings = {n: v for n, v in optimizer.param_groups[0].items() if not n.startswith('param')}
        print(type(optimizer).__name__, '=', ', '.join('%s: %s' % item for item in settings.items()))
