"""Names that the training loop uses for itself: a class of somebody's own that gave one to something else
would change what the loop does."""
import ast
import inspect

from utils import UserError


def refuse(kind, parents):
    """Raises UserError if a class that is being made gives a name of its parents' `loop_names` to an
    attribute or a hyper-parameter, and does not say by `sets_loop_names` that it means the loop's."""
    names = set().union(*(vars(c).get('loop_names', ()) for c in kind.__mro__[1:]))
    names -= set(vars(kind).get('sets_loop_names', ()))
    new = [c for c in kind.__mro__ if not any(issubclass(parent, c) for parent in parents)]
    mine = {h.name for h in kind.hyperparameters} & names
    mine = sorted(mine.union(*(assigned(c, names) for c in new)))
    if mine:
        raise UserError('%s.%s: %s is what the training loop itself goes by: give it another name, such as '
                        'my_%s' % (
                            kind.__module__, kind.__name__, ' and '.join('self.' + n for n in mine), mine[0]))


def assigned(kind, names):
    """Which of some names a class has itself, or its methods assign to their first argument."""
    out = names & set(vars(kind))
    for f in methods(kind):
        if f.__code__.co_argcount and names & mentioned(f.__code__):
            out |= names & stored(f)
    return out


def methods(kind):
    """The functions of a class itself that get an instance, or the class, first; also those of properties."""
    for value in vars(kind).values():
        of_property = (value.fget, value.fset) if isinstance(value, property) else ()
        of_class = value.__func__ if isinstance(value, classmethod) else value
        yield from (inspect.unwrap(f) for f in (*of_property, of_class) if inspect.isfunction(f))


def mentioned(code):
    """The names that a function's code has, functions within it included."""
    return set(code.co_names).union(*(mentioned(c) for c in code.co_consts if inspect.iscode(c)))


def stored(function):
    """The attributes that a method's source assigns to its first argument; none where there is no source."""
    try:
        source = inspect.getsource(function)
        tree = ast.parse('if True:\n' + source if source[:1].isspace() else source)
    except (OSError, SyntaxError):
        return set()
    me = function.__code__.co_varnames[0]
    found = [n for n in within(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
    return {n.attr for n in found if isinstance(n.value, ast.Name) and n.value.id == me}


def within(node):
    """A tree's nodes, without those of classes in it."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef):
            yield from within(child)
