"""Hyper-parameters, declared once by each approach: flags, --parameter, help, grids and records follow from that."""
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


def positional(declared, text):
    """{'lamb': '0.75', 'smax': '400'} from '0.75,400': one value for each that is declared positional, in order."""
    values, declared = text.split(','), [h for h in declared if h.positional]
    expected = '--parameter %s' % ','.join(h.name for h in declared)
    if not declared:
        raise UserError('--parameter %s: this approach has no hyper-parameters' % text)
    if len(values) != len(declared):
        raise UserError('--parameter %s has %d value%s, expected %d: %s' % (
            text, len(values), 's' * (len(values) != 1), len(declared), expected))
    return {h.name: v for h, v in zip(declared, values)}


def resolve(declared, given, source):
    """Values of all declared hyper-parameters, and where each came from.

    given: {name: text or value}; source: what to call its origin. Returns two dicts, {name: value} and
    {name: 'default' or source}. Raises UserError for an unknown name and a value of the wrong type or range.
    """
    names = [h.name for h in declared]
    for n in given:
        if n not in names:
            raise UserError('%s is not a hyper-parameter of this approach, which has: %s' % (
                n, ', '.join(names) or 'none'))
    values = {h.name: h.parse(given[h.name]) if h.name in given else h.type(h.default) for h in declared}
    return values, {n: source if n in given else 'default' for n in names}
