"""One option of a command line: how it is declared, and what a parser is told of it."""
import functools
from dataclasses import dataclass, replace
from typing import Callable

import discovery
from approaches.hyper import Hyper
from runs.advice import flag

# When a record names a setting: always, where it is not the default, or never, as the result does not depend
# on it; what is of one run alone, ONCE, is also left out where a record is used as --config.
ALWAYS, CHANGED, NEVER, ONCE = 'always', 'changed', 'never', 'once'


@dataclass(frozen=True)
class Option:
    """One option: its name, help and default, how its text is read, and what it is to a run's result.

    parse: the value of a text, or UserError; choices: what it may be; bare: what it is if it is given without
    a value; shown: what help puts in the place of one; folder: whose choices help lists, of which one must be
    given; number: what its value is checked as.
    """
    name: str
    help: str
    default: object = None
    parse: Callable = str
    choices: tuple = ()
    bare: str = None
    record: str = CHANGED
    shown: str = None
    folder: str = None
    number: Hyper = None

    @property
    def switch(self):
        """Whether it takes no value."""
        return self.default is False

    def add(self, group):
        """Add the option to a parser or a group of one."""
        if self.switch:
            group.add_argument(flag(self.name), action='store_true', help=self.help)
            return
        unsaid = self.default not in (None, '', []) and 'default' not in self.help
        more = ' (default %s)' % self.default if unsaid else ''
        more += discovery.shown(self.folder) if self.folder else ''
        bare = {'nargs': '?', 'const': self.bare} if self.bare else {}
        group.add_argument(flag(self.name), dest=self.name, type=self.parse, default=self.default,
                           required=self.folder is not None, choices=self.choices or None, metavar=self.shown,
                           help=(self.help + more).replace('%', '%%'), **bare)

    def is_flag(self, value):
        """Return whether a file gives it, by this value, as true or false."""
        return self.switch or bool(self.bare) and isinstance(value, bool)


def number(name, kind, default, help, record=CHANGED, shown=None, **limits):
    """Return the option of a number, which is checked as a hyper-parameter of these limits is."""
    hyper = Hyper(name, kind, default, help=help, **limits)
    return Option(name, '%s: %s' % (help, hyper.kind), default, typed(hyper), record=record,
                  shown=shown or kind.__name__.upper(), number=hyper)


def typed(hyper):
    """Return what parses a hyper-parameter of a command line, whose errors name its flag."""
    return replace(hyper, name=flag(hyper.name)).parse


def switch(name, help, **more):
    """Return the option of what is on if it is given."""
    return Option(name, help, False, **more)


def of_hyper(h):
    """Return the option of an approach's hyper-parameter, None unless it is given."""
    notes = ['default %s' % (h.default,)] if h.default not in ('', None) else []
    notes += [h.source] if h.source else []
    notes += ['searched: ' + ', '.join('%g' % g for g in h.grid)] if h.grid else []
    kind = '' if h.choices else ': ' + h.kind
    shown = '{%s}' % ','.join(h.choices) if h.choices else h.type.__name__.upper()
    return Option(h.name, h.help + kind + (' (%s)' % '; '.join(notes) if notes else ''), None, typed(h),
                  shown=shown)


def named(name, source, help, **more):
    """Return the option of a name in a folder of choices."""
    parse = functools.partial(discovery.choice, source, option=flag(name))
    return Option(name, help, parse=parse, shown='NAME', **more)
