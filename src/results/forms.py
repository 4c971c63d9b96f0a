"""Declare what plain data out of a file have to be.

A form(value, where) raises ValueError, saying where and what is expected.
"""
import math
import re
import sys


def of(expected, fits):
    """Return a form of the values that pass a test; expected: what they are, in words."""
    def form(value, where):
        if not fits(value):
            raise ValueError('%s: expected %s' % (where, expected))
    return form


def is_text(value):
    """Return whether a value is a text that can be written to a file."""
    return isinstance(value, str) and not re.search('[\0\ud800-\udfff]', value)


text = of('a text', is_text)


def number(least=-sys.float_info.max, most=sys.float_info.max, kinds=(int, float)):
    """Return a form of finite numbers within a range."""
    words = 'a whole number' if kinds == (int,) else 'a number'
    bounds = [' %s %g' % b for b in (('>=', least), ('<=', most)) if abs(b[1]) < sys.float_info.max]
    return of(words + ' and'.join(bounds), lambda v: type(v) in kinds and least <= v <= most)


def whole(least=0, most=2 ** 31):
    """Return a form of whole numbers within a range."""
    return number(least, most, (int,))


def one_of(*choices):
    """Return a form of some texts alone."""
    return of('one of ' + ', '.join(choices), lambda v: isinstance(v, str) and v in choices)


def either(*forms):
    """Return a form of what has any of some forms. Of what has none, the error deepest within it is said."""
    def form(value, where):
        errors = []
        for f in forms:
            try:
                return f(value, where)
            except ValueError as e:
                errors.append(e)
        raise max(reversed(errors), key=lambda e: len(str(e).split(':')[0]))
    return form


nothing = of('null', lambda v: v is None)


def items(*forms):
    """Return a form of lists of as many values, each of its own form."""
    def form(value, where):
        if not isinstance(value, list) or len(value) != len(forms):
            raise ValueError('%s: expected a list of %d' % (where, len(forms)))
        for i, f in enumerate(forms):
            f(value[i], '%s[%d]' % (where, i))
    return form


def listed(one, least=0, most=math.inf):
    """Return a form of lists of values of one form."""
    def form(value, where):
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise ValueError('%s: expected a list%s' % (where, ' of %d or more' % least if least else ''))
        for i, v in enumerate(value):
            one(v, '%s[%d]' % (where, i))
    return form


def named(one):
    """Return a form of dictionaries from texts to values of one form."""
    def form(value, where):
        if not isinstance(value, dict):
            raise ValueError('%s: expected a dictionary' % where)
        for k, v in value.items():
            text(k, 'a name in ' + where)
            one(v, '%s.%s' % (where, k))
    return form


def having(needed, closed=False, **more):
    """Return a form of dictionaries that have all of some names, perhaps others, and, unless they are closed,
    whatever besides."""
    forms = {**needed, **more}

    def form(value, where):
        if not isinstance(value, dict):
            raise ValueError('%s: expected a dictionary' % where)
        for k, one in forms.items():
            if k in value:
                one(value[k], '%s.%s' % (where, k) if where else k)
            elif k in needed:
                raise ValueError(('%s has no %s' % (where, k)).lstrip())
        for k in value if closed else ():
            if k not in forms:
                raise ValueError('%s has %r, expected %s' % (where, k, ', '.join(forms)))
    return form


def fields(needed, **more):
    """Return a form of dictionaries as having() does, of those that have no other names besides."""
    return having(needed, True, **more)
