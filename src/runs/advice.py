"""What can be said of approaches without running them: their families, their flags, and whose an option is.

Their files are read, not imported: somebody's unfinished one must not stop others.
"""
import ast
import difflib
import shutil
import textwrap

import discovery
from utils import flag

FAMILIES = 'baselines', 'regularisation', 'distillation', 'replay', 'projection', 'isolation', 'meta-learning'
TYPES = 'int', 'float', 'str'  # of a hyper-parameter

GONE = {'--dense': ('--plain', '--plain computes all units, and everything else, by plain code'),
        '--fast-dropout': (None, 'dropout draws what torch draws'),
        '--cuda-graph': (None, '--compile captures graphs on CUDA')}


def unflag(option):
    """Return 'lr_min' for '--lr-min'."""
    return option.removeprefix('--').replace('-', '_')


def assigned(kind, name):
    """Return what a class's body, a syntax tree, gives a name, None if nothing."""
    for node in getattr(kind, 'body', ()):
        targets = node.targets if isinstance(node, ast.Assign) else ()
        if name in [getattr(target, 'id', None) for target in targets]:
            return node.value
    return None


def title(name):
    """Return the first sentence of an approach's file, which says what it is."""
    said = (ast.get_docstring(discovery.tree(discovery.file('approaches', name))) or '').partition('\n\n')[0]
    end = said.find('.\n')
    return ' '.join(said[:end + 1].split() if end > 0 else said.split())


def by_family():
    """Return {family: {approach: its title}}."""
    groups = {family: {} for family in FAMILIES}
    for name in discovery.choices('approaches'):
        family = assigned(discovery.defined(discovery.file('approaches', name))['class Appr'], 'family')
        family = family.value if isinstance(getattr(family, 'value', None), str) else 'others'
        groups.setdefault(family, {})[name] = title(name)
    return {family: names for family, names in groups.items() if names}


def families():
    """Return the approaches by family, what each is beside its name, as text as wide as the terminal."""
    width, lines = max(60, shutil.get_terminal_size().columns - 2), []
    for family, names in by_family().items():
        lines.append(family + ':')
        for name, said in names.items():
            lines += textwrap.wrap('  %-14s %s' % (name, said), width, subsequent_indent=17 * ' ',
                                   break_on_hyphens=False, break_long_words=False)
    return '\n'.join(['approaches, by family; with --approach A, --help also lists the options of A itself',
                      '', *lines])


def hyper_names(stem, name='class Appr', seen=()):
    """Return the names of the hyper-parameters that a class, or a constant, of a file of approaches declares,
    also where it takes them from another file or a class that it derives from."""
    path = discovery.file('approaches', stem)
    node = discovery.defined(path).get(name) if path and (stem, name) not in seen else None
    if isinstance(node, ast.ClassDef):
        own = assigned(node, 'hyperparameters')
        parts = node.bases if own is None else [own]
    else:
        parts = [node] if node else []
    found, seen = [], (*seen, (stem, name))
    for part in [n for p in parts for n in ast.walk(p)]:
        if isinstance(part, ast.Call) and getattr(part.args[1:2] and part.args[1], 'id', None) in TYPES:
            found.append(getattr(part.args[0], 'value', None))  # a Hyper, or what is derived from it
        elsewhere = isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)
        if elsewhere or isinstance(part, ast.Name):
            where, what = (part.value.id, part.attr) if elsewhere else (stem, part.id)
            found += hyper_names(where, 'class ' + what, seen) + hyper_names(where, what, seen)
    return [n for n in dict.fromkeys(found) if isinstance(n, str)]


def flags(approach):
    """Return the flags that an approach declares."""
    return [flag(name) for name in hyper_names(approach)]


def still(argv):
    """Return the command line of a record, of options that there are: what went is left out, or replaced by
    what has its place."""
    words = [GONE[word][0] if word in GONE else word for word in argv]
    return [word for word in words if word is not None]


def explain(option, approach, known):
    """Return why an option is not among the known ones: whose it is, what it was, or what comes nearest."""
    name = option.split('=')[0]
    if name in GONE:
        return '%s is no more: %s' % (name, GONE[name][1])
    owners = [a for a in discovery.choices('approaches') if a != approach and name in flags(a)]
    own = flags(approach)
    if owners:
        return '%s is an option of %s; %s has %s' % (
            name, ', '.join(owners), approach, ', '.join(own) or 'none')
    near = difflib.get_close_matches(name, known + own, 1)
    return 'unknown option %s; %s' % (name, 'perhaps %s' % near[0] if near else 'see --help')
