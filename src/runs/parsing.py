"""A parser whose errors are one line, and whose help breaks no word."""
import argparse
import re
import sys
import textwrap

from utils import UserError


class Formatter(argparse.HelpFormatter):
    """Help of which no line ends within a word, '--lr-min' being one, and whose closing text stays as it
    is."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=28)

    def _split_lines(self, text, width):
        return textwrap.wrap(' '.join(text.split()), width, break_on_hyphens=False, break_long_words=False)

    def _fill_text(self, text, width, indent):
        lines = []
        for line in text.split('\n'):
            lines += [line] if line[:1] in (' ', '') else self._split_lines(line, width)
        return '\n'.join(lines)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are UserErrors: one line, no usage."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{'formatter_class': Formatter, **kwargs})

    def error(self, message):
        """Raise what is wrong."""
        raise UserError(message)

    def parse_known_args(self, args=None, namespace=None):
        """Parse as argparse does; no name can have a line end or a NUL."""
        args = sys.argv[1:] if args is None else args
        for word in args:
            if re.search('[\0\n\r]', word):
                raise UserError('%r: a line end or a NUL cannot be part of a name or a value' % word)
        return super().parse_known_args(args, namespace)
