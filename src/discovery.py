"""What can be chosen on the command line: the approaches, networks and dataloaders whose files are in their
folders, and the forms of experiments. Files are read, not imported, until one is chosen."""
import ast
import difflib
import functools
import importlib
import os
import re
import warnings
from pathlib import Path

from utils import UserError

# What makes a file in a folder one of the choices on the command line: dropping it in is enough.
NEEDED = {'approaches': 'class Appr', 'dataloaders': 'def get', 'networks': 'class Net'}
NAME, NUMBER = r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}', r'[1-9]\d{0,3}'  # parts of an experiment's name
WORDS = {'name': 'data set', 'ntasks': 'number of tasks', 'each': 'classes of each', 'percent': 'per cent'}


def choices(folder):
    """Return the names, with hyphens, of the approaches, dataloaders or networks that there are.

    Their files are read, none is imported, and one that is no Python is left out.
    """
    files = [f for p in importlib.import_module(folder).__path__ for f in Path(p).glob('*.py')]
    found = {f.stem for f in files if f.stem.isidentifier() and f.stem != 'base'
             and NEEDED[folder] in defined(f)}
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
    return ('; its %s is inside %s: a file of its own for each, with "from %s.%s import %s" and '
            '"class %s(%s.%s): pass", makes it a choice' % (
                name, ', '.join(outer), path.parent.name, path.stem, outer[0], name, outer[0], name))


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
