"""What a file in the original's layout says of the args that it goes by, read from its source, never
imported."""
import ast
import difflib
import re

import discovery
from utils import UserError


class Source:
    """The source of a file, which may be None.

    asks: whether it imports arguments; reads: the attributes of args that it reads, in their order;
    optimizers: what it compares args.optimizer with, as it spells them; chooses: whether it reads
    args.optimizer; folders: what it takes to be in its working folder, as in './models/'.
    """

    def __init__(self, path):
        self.path = path
        nodes = list(ast.walk(discovery.tree(path))) if path else []
        nodes.sort(key=lambda node: (getattr(node, 'lineno', 0), getattr(node, 'col_offset', 0)))
        self.asks = any(imports_arguments(node) for node in nodes)
        read = [node.attr for node in nodes if of_args(node) and isinstance(node.ctx, ast.Load)]
        self.reads = list(dict.fromkeys(read))
        texts = [node.value for node in nodes if isinstance(getattr(node, 'value', None), str)]
        folders = [re.match(r'\./((?:\w+/)+)', text) for text in texts]
        self.folders = [found[1] for found in folders if found]
        self.chooses = 'optimizer' in self.reads
        self.optimizers = list(dict.fromkeys(name for node in nodes for name in compared(node)))

    def optimizer(self, text):
        """Return the optimizer of a text, None for the file's own choice, as the file spells it: Adam, if it
        knows that, else the first. Raises UserError for one that it does not know."""
        if text is None:
            return 'Adam' if 'Adam' in self.optimizers or not self.optimizers else self.optimizers[0]
        spelt = {name.lower(): name for name in self.optimizers}
        if spelt and text.lower() not in spelt:
            near = difflib.get_close_matches(text.lower(), spelt, 1)
            perhaps = ' (perhaps %s)' % spelt[near[0]] if near else ''
            raise UserError('--optimizer %s: %s/%s knows %s%s' % (
                text, self.path.parent.name, self.path.name, ', '.join(self.optimizers), perhaps))
        return spelt.get(text.lower(), text)

    def missing(self, args):
        """Return the attributes that the file reads and args does not have."""
        return [name for name in self.reads if not hasattr(args, name)]


def of(folder, name):
    """Return the Source of a choice in a folder, an empty one if there is none."""
    return Source(discovery.file(folder, name) if name and name in discovery.choices(folder) else None)


def imports_arguments(node):
    """Whether a node of a syntax tree imports arguments."""
    if isinstance(node, ast.ImportFrom):
        return node.module == 'arguments'
    return isinstance(node, ast.Import) and 'arguments' in [alias.name for alias in node.names]


def of_args(node):
    """Whether a node of a syntax tree is args.<name>, or self.args.<name>."""
    owner = getattr(node, 'value', None) if isinstance(node, ast.Attribute) else None
    return getattr(owner, 'id', getattr(owner, 'attr', None)) == 'args'


def compared(node):
    """Return the texts that a node of a syntax tree compares args.optimizer with."""
    if not (isinstance(node, ast.Compare) and of_args(node.left) and node.left.attr == 'optimizer'):
        return []
    parts = [part for comparator in node.comparators for part in ast.walk(comparator)]
    return [part.value for part in parts if isinstance(getattr(part, 'value', None), str)]
