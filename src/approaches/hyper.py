"""Hyper-parameters, declared once by each approach: flags, --parameter, help, grids and records follow from that."""
import difflib
import math
import re
import reprlib
from dataclasses import dataclass
from typing import Callable

from utils import UserError


NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?', re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Hyper:
    """One hyper-parameter: its name, type, default, searched grid, a line of help, its source, its range."""
    name: str
    type: Callable
    default: object
    grid: tuple = ()
    help: str = ''
    source: str = ''
    least: float = None  # smallest value allowed
    above: float = None  # every value must be above this
    most: float = None   # largest value allowed
    positional: bool = True  # whether --parameter sets it

    def __post_init__(self):
        if self.type not in (int, float, str):
            raise UserError('the hyper-parameter %s is of type %s, expected int, float or str (a switch is an int with least=0, '
                            'most=1)' % (self.name, getattr(self.type, '__name__', self.type)))

    @property
    def kind(self):
        """What a value must be, in words: 'a number > 1'."""
        words = {int: 'a whole number', float: 'a number', str: 'a text'}[self.type]
        bounds = [' %s %s' % (sign, bound) for sign, bound in (
            ('>=', self.least), ('>', self.above), ('<=', self.most)) if bound is not None]
        return words + ' and'.join(bounds)

    def parse(self, value):
        """The value of a text (or number), or UserError if it is not of the type or outside the range."""
        try:
            if isinstance(value, str) and self.type is not str and not NUMBER.fullmatch(value):
                raise ValueError
            v = self.type(value)
            fits = self.type is str or self._within(v)
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise UserError('%s must be %s, not %s' % (self.name, self.kind, reprlib.repr(value)))
        return v

    def _within(self, v):
        return (math.isfinite(v) and (self.least is None or v >= self.least)
                and (self.above is None or v > self.above) and (self.most is None or v <= self.most))


class Declared:
    """What declares hyper-parameters, in the order of --parameter."""

    hyperparameters = ()

    def __init_subclass__(cls, **kwargs):
        """Refuses a method that looks like a misspelt hook, and a state that is no tuple of names."""
        super().__init_subclass__(**kwargs)
        if isinstance(vars(cls).get('state', ()), str):
            raise UserError('%s.%s: state is the text %r, expected a tuple of names: (%r,)' % (
                cls.__module__, cls.__name__, cls.state, cls.state))
        known = [n for base in cls.__mro__[1:] for n in vars(base) if not n.startswith('_')]
        for name in [n for n, value in vars(cls).items() if callable(value) and n not in known and not n.startswith('_')]:
            near = difflib.get_close_matches(name, known, 1, 0.85)
            if near:
                raise UserError('%s.%s: there is no hook %s(); perhaps %s()' % (cls.__module__, cls.__name__, name, near[0]))

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
