"""What an approach declares, checked when its class is made: hyper-parameters, hooks, names."""
import difflib
import functools
import inspect
from types import FunctionType

from utils import UserError, flag

HOOKS = ('begin_task', 'outputs', 'loss', 'after_backward', 'penalty', 'after_step', 'end_epoch', 'end_phase',
         'end_task')
METHODS = (*HOOKS, 'criterion', 'train', 'train_epoch', 'eval', 'epochs', 'account', 'report_lines',
           'weights_of', 'guarded')
FORMER = {'forward': 'loss(batch)', 'logits': 'outputs(batch)', 'before_step': 'after_backward(batch)',
          'subnet': 'outputs(batch)', 'fit': 'phases and end_phase(t, phase)', 'targets': 'compete(batch)',
          'all_epochs': 'epochs(n, phase)', 'shorten': 'the short value of a Hyper',
          'start': 'a Fitting of its own',
          'told': 'outputs(batch)'}  # what methods once were, and what has taken their place
# Which anybody may set.
OURS = ('model', 'optimizer', 'nepochs', 'sbatch', 'lr', 'lr_min', 'lr_factor', 'lr_patience')
LOOP = ('at', 'wing', 'seen', 'progress', 'scenario', 'recipe', 'device', 'transforms', 'returning', 'hyper',
        'origin')  # of instances


class Declared:
    """What declares hyper-parameters, in the order of --parameter."""

    hyperparameters = ()
    reserved = ()  # names of attributes that are a class's own, and no subclass's

    def __init_subclass__(cls, **kwargs):
        """Refuses what would not do what its author means: misspelt or former hooks, hooks with other
        arguments, names that the loop goes by, and what was to be declared once."""
        super().__init_subclass__(**kwargs)
        if cls.__module__ == 'approaches.base':
            return
        name, own = '%s.%s' % (cls.__module__, cls.__name__), vars(cls)
        for n in ('state', 'scratch', 'for_training'):
            if isinstance(own.get(n), (tuple, list, dict)):
                raise UserError('%s: delete the line %s = ...: every attribute is kept now' % (name, n))
        for n in own:
            if n in FORMER and callable(own[n]):
                raise UserError('%s: %s() is a hook no longer: %s has taken its place' % (name, n, FORMER[n]))
        refuse(cls, [n for n in (*own, *(h.name for h in own.get('hyperparameters', ())))
                     if n in taken(cls.__mro__[1:])])
        known = [n for base in cls.__mro__[1:] for n in vars(base) if not n.startswith('_')]
        for n in [n for n, value in own.items() if callable(value) and n not in known
                  and not n.startswith('_')]:
            near = difflib.get_close_matches(n, known, 1, 0.85)
            if near:
                raise UserError('%s: there is no hook %s(); perhaps %s()' % (name, n, near[0]))
        for n in METHODS:
            if inspect.isfunction(own.get(n)):
                fits(name, n, cls)

    def __setattr__(self, name, value):
        if name in taken(type(self).__mro__):
            refuse(type(self), [name])
        super().__setattr__(name, value)

    def configure(self, **values):
        """Sets what the loop goes by; for the loop and what runs it."""
        vars(self).update(values)

    @classmethod
    def positional(cls, text):
        """{'lamb': '0.75', 'smax': '400'} from --parameter 0.75,400: a value for each that is positional,
        in order."""
        values, names = text.split(','), [h.name for h in cls.hyperparameters if h.positional]
        if not names:
            raise UserError('--parameter %s: this approach has no hyper-parameters' % text)
        if len(values) != len(names):
            raise UserError('--parameter %s has %d value%s, expected %d: --parameter %s' % (
                text, len(values), 's' * (len(values) != 1), len(names), ','.join(names)))
        return dict(zip(names, values))

    @classmethod
    def resolve(cls, parameter='', named=None):
        """All hyper-parameters' values and where each came from, {name: value} and {name: 'default',
        'named' or '--parameter'}, from --parameter's text or from named values or texts, not from both.
        Raises UserError for an unknown name and a value of the wrong type or range."""
        if parameter and named:
            raise UserError('give either --parameter or %s, not both' % ', '.join(map(flag, named)))
        given = cls.positional(parameter) if parameter else named or {}
        declared = {h.name: h for h in cls.hyperparameters}
        for n in set(given) - set(declared):
            raise UserError('%s is not a hyper-parameter of this approach, which has: %s' % (
                n, ', '.join(declared) or 'none'))
        values = {n: h.parse(given[n]) if n in given else h.type(h.default) for n, h in declared.items()}
        source = '--parameter' if parameter else 'named'
        return values, {n: source if n in given else 'default' for n in declared}

    def _set_hyper(self, parameter, named):
        """Sets them all as attributes; hyper: {name: value}, origin: {name: where it came from}."""
        hyper, origin = self.resolve(parameter, named)
        self.configure(hyper=hyper, origin=origin, **hyper)


@functools.lru_cache(maxsize=None)
def taken(classes):
    """The names that neither a subclass of some classes nor an instance may give to something of its own."""
    base = next((c for c in classes if c.__module__ == 'approaches.base'), None)
    if base is None:
        return frozenset()
    there = {**vars(Declared), **vars(base)}
    methods = {n for n, v in there.items() if isinstance(v, (FunctionType, classmethod))}
    names = {n for n in methods if not n.startswith('__')} - {*METHODS, 'positional', '_get_optimizer'}
    return frozenset(names.union(LOOP, ['task_calibration'], *(vars(c).get('reserved', ()) for c in classes)))


def refuse(kind, names):
    """Raises UserError if there are names."""
    if names:
        raise UserError(
            '%s.%s: %s is what the training loop itself goes by: give it another name, such as my_%s' % (
            kind.__module__, kind.__name__, ' and '.join('self.' + n for n in names), names[0]))


def fits(name, hook, cls):
    """Raises UserError unless a method takes what the base's of that name takes."""
    method = vars(cls)[hook]
    model = next(vars(c)[hook] for c in cls.__mro__[::-1] if hook in vars(c))
    wanted = list(inspect.signature(model).parameters)
    takes = [p for p in inspect.signature(method).parameters.values() if p.name != 'batch']
    try:
        inspect.signature(method).bind(*wanted)
        ok = 'batch' not in wanted or not any(p.name in ('t', 'x') for p in takes)
    except TypeError:
        ok = False
    if not ok:
        raise UserError('%s: %s%s has other arguments than the hook, which is %s(%s)' % (
            name, hook, inspect.signature(method), hook, ', '.join(wanted[1:])))
