"""What an approach declares, checked when its class is made: hyper-parameters, state, hooks."""
import difflib

from approaches import taken
from utils import UserError


class Declared:
    """What declares hyper-parameters, in the order of --parameter."""

    hyperparameters = ()

    def __init_subclass__(cls, **kwargs):
        """Refuses a method that looks like a misspelt hook, a state that is no tuple of names, and names that
        the loop goes by."""
        super().__init_subclass__(**kwargs)
        if isinstance(vars(cls).get('state', ()), str):
            raise UserError('%s.%s: state is the text %r, expected a tuple of names: (%r,)' % (
                cls.__module__, cls.__name__, cls.state, cls.state))
        known = [n for base in cls.__mro__[1:] for n in vars(base) if not n.startswith('_')]
        for name in [n for n, value in vars(cls).items() if callable(value) and n not in known and not n.startswith('_')]:
            near = difflib.get_close_matches(name, known, 1, 0.85)
            if near:
                raise UserError('%s.%s: there is no hook %s(); perhaps %s()' % (cls.__module__, cls.__name__, name, near[0]))
        parents = [base for base in cls.__bases__ if issubclass(base, Declared)]
        taken.refuse(cls, [base for base in parents if base is not Declared])

    @classmethod
    def positional(cls, text):
        """{'lamb': '0.75', 'smax': '400'} from --parameter 0.75,400: a value for each that is positional, in order."""
        values, names = text.split(','), [h.name for h in cls.hyperparameters if h.positional]
        if not names:
            raise UserError('--parameter %s: this approach has no hyper-parameters' % text)
        if len(values) != len(names):
            raise UserError('--parameter %s has %d value%s, expected %d: --parameter %s' % (
                text, len(values), 's' * (len(values) != 1), len(names), ','.join(names)))
        return dict(zip(names, values))

    @classmethod
    def resolve(cls, parameter='', named=None):
        """All hyper-parameters' values and where each came from, {name: value} and {name: 'default', 'named' or
        '--parameter'}, from --parameter's text or from named values or texts, not from both. Raises UserError for an unknown
        name and a value of the wrong type or range."""
        if parameter and named:
            raise UserError('give either --parameter or %s, not both' % ', '.join('--' + n for n in named))
        given, declared = cls.positional(parameter) if parameter else named or {}, {h.name: h for h in cls.hyperparameters}
        for n in set(given) - set(declared):
            raise UserError('%s is not a hyper-parameter of this approach, which has: %s' % (n, ', '.join(declared) or 'none'))
        values = {n: h.parse(given[n]) if n in given else h.type(h.default) for n, h in declared.items()}
        return values, {n: ('--parameter' if parameter else 'named') if n in given else 'default' for n in declared}

    def set_hyper(self, parameter, named):
        """Sets them all as attributes; hyper: {name: value}, origin: {name: where it came from}."""
        self.hyper, self.origin = self.resolve(parameter, named)
        for name, value in self.hyper.items():
            setattr(self, name, value)
