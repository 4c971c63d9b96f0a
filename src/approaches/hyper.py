"""A hyper-parameter, declared once by an approach: flags, --parameter, help, grids and records follow from that."""
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
    choices: tuple = ()  # of a text, what it may be
    positional: bool = True  # whether --parameter sets it
    short: object = None     # its value in a trial that is to take as little time as can be
    silent: bool = False     # whether a record names it only where it is not the default

    def __post_init__(self):
        if self.type not in (int, float, str):
            raise UserError('the hyper-parameter %s is of type %s, expected int, float or str (a switch is an int with least=0, '
                            'most=1)' % (self.name, getattr(self.type, '__name__', self.type)))

    @property
    def kind(self):
        """What a value must be, in words: 'a number > 1'."""
        if self.choices:
            return 'one of ' + ', '.join(self.choices)
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
            fits = (v in self.choices if self.choices else True) if self.type is str else self._within(v)
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise UserError('%s must be %s, not %s' % (self.name, self.kind, reprlib.repr(value)))
        return v

    def _within(self, v):
        return (math.isfinite(v) and (self.least is None or v >= self.least)
                and (self.above is None or v > self.above) and (self.most is None or v <= self.most))
