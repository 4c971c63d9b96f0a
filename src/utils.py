"""Small helpers that everything shares: paths, user errors, choices, seeding, model copies, reports."""
import ast
import difflib
import functools
import glob
import importlib
import importlib.util
import math
import os
import re
import shutil
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

MISSING = [p for p in ('numpy', 'scipy', 'torch', 'torchvision', 'tqdm', 'matplotlib') if importlib.util.find_spec(p) is None]
if MISSING:  # every command imports this file first
    print('this Python lacks %s: source .venv/bin/activate, or first bash scripts/quickstart.sh, which makes that environment' % (
        ', '.join(MISSING)), file=sys.stderr)
    sys.exit(2)

import numpy as np

# What makes a file in a folder one of the choices on the command line: dropping it in is enough.
NEEDED = {'approaches': 'class Appr', 'dataloaders': 'def get', 'networks': 'class Net'}
NAME, NUMBER = r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}', r'[1-9]\d{0,3}'  # parts of an experiment's name
WORDS = {'name': 'data set', 'ntasks': 'number of tasks', 'each': 'classes of each', 'percent': 'per cent'}


class UserError(Exception):
    """A mistake that the user can mend: scripts print it as one line on stderr and exit with status 2."""

    def __str__(self):
        return visible(' '.join(super().__str__().split()))


def visible(text):
    """A text with what a terminal would not show but act on, such as control characters, written as escapes: \\x1b."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in str(text))


def progress(items, what, total=None):
    """Return the items, which a bar counts and says what remains; only where stderr is a terminal, so that no log
    file and no pipe has any of it. what: the words before the bar; total: how many there are, if len() does not say."""
    from tqdm import tqdm
    return tqdm(items, desc=what, total=total, leave=False, disable=None)


def choices(folder):
    """Return the names, with hyphens, of the approaches, dataloaders or networks that there are.

    Their files are read, none is imported, and one that is no Python is left out.
    """
    files = [f for p in importlib.import_module(folder).__path__ for f in Path(p).glob('*.py')]
    found = {f.stem for f in files if f.stem.isidentifier() and f.stem != 'base' and NEEDED[folder] in defined(f)}
    return sorted(name.replace('_', '-') for name in found)


def file(folder, name):
    """Return the path of the file of a name in a folder of choices, None if there is none."""
    stem = name.replace('-', '_')
    if not stem.isidentifier() or len(os.fsencode(stem)) > 250:
        return None
    files = [Path(p) / (stem + '.py') for p in importlib.import_module(folder).__path__]
    return next((f for f in files if f.is_file()), None)


def tree(path):
    """Return the syntax tree of a file. Raises UserError for one that is no Python."""
    try:
        state = os.stat(path)
        return _tree(path, state.st_mtime_ns, state.st_size)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as e:
        where = 'line %s: ' % e.lineno if getattr(e, 'lineno', None) else ''
        raise UserError('%s/%s cannot be read: %s%s' % (
            path.parent.name, path.name, where, getattr(e, 'msg', None) or getattr(e, 'strerror', None) or e))


@functools.lru_cache(maxsize=512)
def _tree(path, time, size):
    with warnings.catch_warnings():  # of the file's own, which are told when it is imported
        warnings.simplefilter('ignore')
        return ast.parse(path.read_bytes())


def defined(path):
    """Return what a file defines, {'class Appr': its node, 'def get': ..., 'form': the value}, nothing of one
    that is no Python."""
    try:
        body = tree(path).body if path.is_file() else []
    except UserError:
        return {}
    words = {ast.ClassDef: 'class ', ast.FunctionDef: 'def '}
    found = {words[type(node)] + node.name: node for node in body if type(node) in words}
    for node in body:
        if isinstance(node, ast.Assign):
            found.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
    return found


def choice(folder, name, option):
    """Return the name, if it is one of the choices in a folder. Raises UserError with the nearest one."""
    if folder == 'dataloaders' and has_form(name.split(':')[0]):
        return formed(name, option)
    path = file(folder, name) if '_' not in name else None
    if path and path.stem not in ('base', '__init__'):
        tree(path)
        if NEEDED[folder] in defined(path):
            return name
        found = ', '.join(n for n in defined(path) if ' ' in n) or 'nothing'
        raise UserError('%s %s: %s/%s has no %s (it has %s)%s' % (
            option, name, folder, path.name, NEEDED[folder], found, nested(path, NEEDED[folder])))
    kind, colon, rest = name.replace('_', '-').lower().partition(':')
    near = difflib.get_close_matches(kind, choices(folder), 1)
    perhaps = ' (perhaps %s)' % (near[0] + colon + rest) if near else ''
    raise UserError('%s: no %r%s; there are: %s' % (option, name, perhaps, shown(folder)))


def nested(path, needed):
    """Return what to write where a file has a class inside others alone, nothing where it has not."""
    word, name = needed.split()
    outer = [node.name for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)
             and name in [part.name for part in node.body if isinstance(part, ast.ClassDef)]]
    if word != 'class' or not outer:
        return ''
    return ('; its %s is inside %s: a file of its own for each, with "from %s.%s import %s" and "class %s(%s.%s): pass", '
            'makes it a choice' % (name, ', '.join(outer), path.parent.name, path.stem, outer[0], name, outer[0], name))


def has_form(name):
    """Return whether an experiment's name needs more after it, as its file says by form = (...)."""
    path = file('dataloaders', name)
    return path is not None and 'form' in defined(path)


def examples(kind):
    """Return names of experiments of a form, as ['split:mnist:5'], as the file of their kind gives them."""
    found = defined(file('dataloaders', kind))
    return ast.literal_eval(found['examples']) if 'examples' in found else ('%s:mnist:5' % kind,)


def form(kind):
    """Return 'split:<data set>:<number of tasks>' of a kind of experiments, as its file says by form =
    (...); where it has several forms, all of them, 'a or b', in the order of its examples.

    The others are in the file's docstring, such as split:<name>:<first>+<step>.
    """
    path = file('dataloaders', kind)
    parts = ast.literal_eval(defined(path)['form'])
    usual = ':'.join([kind, *('<%s>' % part for part in parts)])
    said = re.findall(r'\b%s(?::(?:<\w+>\+?)+)+' % re.escape(kind), ast.get_docstring(tree(path)) or '')
    found = dict.fromkeys([usual, *said])
    return re.sub(r'<(\w+)>', lambda m: '<%s>' % WORDS.get(m[1], m[1]), ' or '.join(found))


def shown(folder):
    """Return the choices in a folder as help lists them: for experiments of a form, it and examples."""
    plain, formed = [], []
    for name in choices(folder):
        if folder == 'dataloaders' and has_form(name):
            formed.append('%s, as in %s' % (form(name), ' or '.join(examples(name))))
        else:
            plain.append(name)
    return '; '.join([', '.join(plain), *formed])


def formed(name, option):
    """The name split:mnist:5, if it is of the form of one of the examples. Raises UserError."""
    kind, *values = name.split(':')
    for example in examples(kind):
        numbers = re.split(r'\d+', re.escape(':'.join(example.split(':')[2:])))  # what stands between them
        if re.fullmatch(NAME + ':' + NUMBER.join(numbers), ':'.join(values), re.ASCII):
            return name
    raise UserError('%s %s: expected %s, as in %s' % (option, name, form(kind), ' or '.join(examples(kind))))


def load(folder, name):
    """The module of a choice: load('approaches', 'sgd-frozen') imports approaches.sgd_frozen."""
    return importlib.import_module('%s.%s' % (folder, name.replace('-', '_')))


def seed_everything(seed):
    """Seeds the global generators of numpy and torch, from which initial weights, batches and dropout draw, and Python's."""
    import random
    import torch
    random.seed(seed)
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
    raise AttributeError('module %r has no attribute %r' % (__name__, name), name=name, obj=sys.modules[__name__])


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
