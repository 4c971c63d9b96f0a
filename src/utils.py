"""Small helpers that everything shares: paths, user errors, choices, seeding, model copies, reports."""
import importlib
import math
import os
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

# What makes a file in a folder one of the choices on the command line: dropping it in is enough.
MARKS = {'approaches': r'^class Appr\b', 'dataloaders': r'^def get\(', 'networks': r'^class Net\b'}


class UserError(Exception):
    """A mistake that the user can mend: scripts print it as one line on stderr and exit with status 2."""


def choices(folder):
    """Names, with hyphens, of the approaches, dataloaders or networks that there are; imports none of them."""
    files = [f for p in importlib.import_module(folder).__path__ for f in Path(p).glob('*.py')
             if f.stem.isidentifier() and f.stem != 'base' and f.is_file()]
    names = [f.stem for f in files if re.search(MARKS[folder], f.read_text('utf-8', 'replace'), re.MULTILINE)]
    return sorted({n.replace('_', '-') for n in names})


def load(folder, name):
    """The module of a choice: load('approaches', 'sgd-frozen') imports approaches.sgd_frozen."""
    return importlib.import_module('%s.%s' % (folder, name.replace('-', '_')))


def seed_everything(seed):
    """Seeds numpy's and torch's global generators, from which initial weights, batches and dropout draw."""
    import torch
    np.random.seed(seed)
    torch.manual_seed(seed)


def is_number(text):
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


@contextmanager
def replacing(path, mode='w'):
    """A file to write that takes the place of `path`, at once and whole, when the block ends without an error."""
    path = Path(path)
    temporary = path.with_name('%s.%d.tmp' % (path.name, os.getpid()))
    try:
        with open(temporary, mode, encoding=None if 'b' in mode else 'utf-8') as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
