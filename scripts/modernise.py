"""Makes the mechanical edits that files for old versions of PyTorch and for CUDA alone need: in place, with <file>.orig
beside it, or into --output.

    python scripts/modernise.py src/approaches/theirs.py
    python scripts/modernise.py --helpers their/utils.py src/approaches/theirs.py
"""
import argparse
import ast
import functools
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'src'))

import utils
from utils import UserError

# (what it is, pattern, what takes its place), one after another
PATTERNS = (
    ('.cuda() is .to(utils.device())', r'\.cuda\((?:[\w.=, ]|\([^()]*\))*\)', '.to(utils.device())'),
    ('torch.cuda tensors are plain ones', r'torch\.cuda\.(\w+Tensor)\b', r'torch.\1'),
    ('a CUDA device is utils.device()',
     r'torch\.device\(([\'"])cuda(?::\d+)?\1\)|(?<!==)(?<!== )(?<!!=)(?<!!= )([\'"])cuda(?::\d+)?\2(?! if)', 'utils.device()'),
    ('the default tensor type stays', r'torch\.set_default_tensor_type\([^()]*\)', 'pass'),
    ('a device has no number on the CPU', r'\.get_device\(\)', '.device'),
    ('async is non_blocking', r'\basync\s*=', 'non_blocking='),
    ('.data[0] is .item()', r'(?:\.data(?:\.cpu\(\)(?:\.numpy\(\))?)?|\.numpy\(\))\[0\]', '.item()'),
    ('clip_grad_norm changes its name', r'\bclip_grad_norm\(', 'clip_grad_norm_('),
    ('initialisers change their names',
     r'\binit\.((?:xavier|kaiming)_(?:uniform|normal)|uniform|normal|constant|orthogonal|eye)\(', r'init.\1_('),
    ('torch._six has gone', r'from torch\._six import inf\b', 'from math import inf'),
    ('numpy has no types of Python\'s', r'\bnp\.(int|float|bool|object)\b(?!\()', r'\1'),
)
CALLS = ('Variable', 'add_', 'add', 'sub_', 'sub', 'addcmul_', 'addcmul', 'addcdiv_', 'addcdiv')
LOSSES = re.compile(r'(Loss|_loss|cross_entropy|kl_div|binary_cross_entropy\w*)$')


def main(argv=None):
    """Edit files; print what was changed in each."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('files', nargs='+', metavar='FILE')
    parser.add_argument('--output', metavar='FILE', help='where the one file goes, which then stays as it was')
    parser.add_argument('--helpers', metavar='FILE', help="their utils.py: what a file uses of it, and utils has not, is "
                        'copied to its end')
    args = parser.parse_args(argv)
    if args.output and len(args.files) > 1:
        parser.error('--output: give one FILE')
    failed = False
    for name in args.files:
        try:
            edit(Path(name), Path(args.output or name), args.helpers and Path(args.helpers))
        except UserError as e:
            print('modernise.py: %s' % e, file=sys.stderr)
            failed = True
    if failed:
        sys.exit(2)


def edit(path, output, helpers=None):
    """Edit one file. Raises UserError for one that cannot be read as Python."""
    try:
        text = path.read_text('utf-8')
        ast.parse(re.sub(r'\basync\s*=', 'non_blocking=', text))
    except (OSError, UnicodeError) as e:
        raise UserError('%s cannot be read: %s' % (path, getattr(e, 'strerror', None) or e))
    except SyntaxError as e:
        raise UserError('%s is no Python 3: line %s: %s' % (path, e.lineno, e.msg))
    new, changes = modern(text)
    if helpers:
        new, copied = with_helpers(new, helper_source(helpers))
        changes += ['copied from %s: %s' % (helpers, ', '.join(copied))] if copied else []
    print('%s: %s' % (path, '; '.join(changes) or 'nothing to change'))
    if new == text and output == path:
        return
    if output == path:
        with utils.replacing(path.with_name(path.name + '.orig')) as f:
            f.write(text)
    with utils.replacing(output) as f:
        f.write(new)


@functools.cache
def helper_source(path):
    """Return the source of a utils.py with the edits made."""
    return modern(path.read_text('utf-8'))[0]


def modern(text):
    """Return (the source with the edits made, a line for each kind of edit, with the lines where)."""
    changes = []
    for what, pattern, replacement in PATTERNS:
        found = list(re.finditer(pattern, text))
        if found:
            changes.append('%s (line %s)' % (what, numbers(text, [m.start() for m in found])))
            text = re.sub(pattern, replacement, text)
    text, found = calls(text)
    changes += ['%s (line %s)' % item for item in found.items()]
    if re.search(r'\butils\.', text) and not re.search(r'^\s*import (.*, *)?utils\b', text, re.MULTILINE):
        text = with_import(text, 'import utils')
        changes.append('import utils')
    return text, changes


def numbers(text, places):
    """Return '3, 7' for the places of characters in a text."""
    return ', '.join(str(n) for n in sorted({text.count('\n', 0, place) + 1 for place in places}))


def with_import(text, line):
    """Return a source with a line before its first import."""
    body = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    late = [node.lineno for node in body if getattr(node, 'module', None) != '__future__']
    lines = text.splitlines(keepends=True)
    lines.insert(late[0] - 1 if late else 0, line + '\n')
    return ''.join(lines)


def calls(text):
    """Return (a source with its calls in today's form, {what: '3, 7', the lines of them})."""
    changed = {}
    while True:
        edits = [found for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)
                 for found in [of_call(node, text)] if found]
        if not edits:
            return text, {what: ', '.join(map(str, sorted(lines))) for what, lines in changed.items()}
        what, node, new = max(edits, key=lambda edit: (edit[1].lineno, edit[1].col_offset))  # the last, innermost one
        changed.setdefault(what, set()).add(node.lineno)
        start, end = span(node, text)
        text = text[:start] + new + text[end:]


def span(node, text):
    """Return where a node begins and ends in its source, in characters."""
    lines = text.splitlines(keepends=True)

    def place(line, column):
        return sum(map(len, lines[:line - 1])) + len(lines[line - 1].encode()[:column].decode())
    return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)


def of_call(node, text):
    """Return (what it is, the node, its new source) of a call of an old form, None of any other."""
    name = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
    keywords = {k.arg: k.value for k in node.keywords}
    if name not in CALLS and 'size_average' not in keywords:
        return None

    def source(part):
        return ast.get_source_segment(text, part)

    def made(what, *parts):
        return what, node, '%s(%s)' % (source(node.func), ', '.join(parts))
    plain = [source(part) for part in node.args]
    if name == 'Variable' and plain:
        inner = plain[0] if isinstance(node.args[0], (ast.Name, ast.Call, ast.Subscript, ast.Attribute)) else '(%s)' % plain[0]
        needs = getattr(keywords.get('requires_grad'), 'value', False) is True
        return 'Variable and volatile are no more', node, inner + '.requires_grad_()' * needs
    if 'size_average' in keywords and LOSSES.search(name) and 'utils.' not in source(node.func):
        mean = getattr(keywords['size_average'], 'value', True)
        more = ['%s=%s' % (k.arg, source(k.value)) if k.arg else '**' + source(k.value) for k in node.keywords
                if k.arg != 'size_average']
        return made('size_average is reduction', *plain, *more, 'reduction=%r' % ('mean' if mean else 'sum'))
    if keywords or any(isinstance(part, ast.Starred) for part in node.args):
        return None
    tensor = getattr(getattr(node.func, 'value', None), 'id', '') == 'torch'  # torch.add(input, alpha, other)
    first, rest = plain[:tensor], plain[tensor:]
    if name.startswith(('addc', 'addcdiv')) and len(rest) == 3:
        return made('factors of in-place sums come last', *first, *rest[1:], 'value=' + rest[0])
    if name in ('add', 'add_', 'sub', 'sub_') and len(rest) == 2:
        return made('factors of in-place sums come last', *first, rest[1], 'alpha=' + rest[0])
    return None


def defined(text):
    """Return the names of the functions and classes of a source."""
    return {node.name for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def bare(tree):
    """Return the names that a syntax tree uses."""
    return {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)}


def attributes(text, owner):
    """Return the names that a source uses as attributes of a name."""
    return {part.attr for part in ast.walk(ast.parse(text)) if isinstance(part, ast.Attribute)
            and getattr(part.value, 'id', None) == owner}


def with_helpers(text, theirs):
    """Return (a source with what it uses of a utils.py, and utils has not, at its end, the names)."""
    body = ast.parse(theirs).body
    there = {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own = defined(text)
    lacking = [name for name in there if name not in own and not hasattr(utils, name)]
    used = attributes(text, 'utils') | (bare(ast.parse(text)) if 'from utils import *' in text else set())
    wanted = [name for name in lacking if name in used]
    for name in wanted:  # and what those use
        used = bare(there[name])
        wanted += [n for n in lacking if n in used and n not in wanted]
    if not wanted:
        return text, []
    used = {name for copied in wanted for name in bare(there[copied])}
    imports = [ast.get_source_segment(theirs, node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom))
               and used & {(alias.asname or alias.name).split('.')[0] for alias in node.names}]
    for name in wanted:
        text = re.sub(r'\butils\.%s\b' % name, name, text)
    copies = [ast.get_source_segment(theirs, there[name]) for name in there if name in wanted]
    return text.rstrip('\n') + '\n\n\n' + '\n'.join(imports) + '\n\n\n' + '\n\n\n'.join(copies) + '\n', wanted


if __name__ == '__main__':
    main()
