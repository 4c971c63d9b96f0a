"""Bars of what remains are seen at a terminal, and in no file and no pipe."""
import io
import re
import sys

import pytest

import utils
from dataloaders import download
from utils import ROOT


class Terminal(io.StringIO):
    """What somebody sees."""

    def isatty(self):
        return True


@pytest.mark.parametrize('kind', [Terminal, io.StringIO])
def test_a_bar_shows_at_a_terminal_alone(kind, monkeypatch):
    stderr = kind()
    monkeypatch.setattr(sys, 'stderr', stderr)
    assert list(utils.progress(iter('abc'), 'Reading', 3)) == ['a', 'b', 'c']
    assert ('Reading:' in stderr.getvalue() and '/3 [' in stderr.getvalue()) == stderr.isatty()
    assert stderr.isatty() or not stderr.getvalue()


@pytest.mark.parametrize('kind', [Terminal, io.StringIO])
def test_so_do_those_of_torchvision_s_downloads(kind, monkeypatch):
    from torchvision.datasets import utils as theirs
    stderr = kind()
    monkeypatch.setattr(sys, 'stderr', stderr)
    before = theirs.tqdm
    with download.bars(), theirs.tqdm(total=100) as bar:
        bar.update(100)
        assert 'tqdm' in theirs._urlretrieve.__code__.co_names  # which shows the bar by this name
    assert theirs.tqdm is before
    assert ('0/100' in stderr.getvalue()) == stderr.isatty() and (stderr.isatty() or not stderr.getvalue())


def test_no_bar_is_made_that_a_pipe_would_see():
    for path in (ROOT / 'src').rglob('*.py'):
        if 'tests' not in path.parts:
            for line in path.read_text('utf-8').splitlines():
                assert not re.search(r'\btqdm\(|\(tqdm,', line) or 'disable=None' in line, (path.name, line)
