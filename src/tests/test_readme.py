"""The readmes are short, and so are their sentences; what they say can be pasted can be."""
import re

import pytest

from utils import ROOT

READMES = sorted(str(p.relative_to(ROOT)) for p in [ROOT / 'readme.md', *ROOT.glob('*/readme.md'), *ROOT.glob('src/*/*.md')])


def sentences(text):
    """The sentences of a text's paragraphs and lists, without code, tables and headings."""
    text = re.sub(r'^```.*?^```$', '.', text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r'^(\||#|    ).*$', '.', text, flags=re.MULTILINE)
    text = re.sub(r'`[^`]*`|\([^()]*\)', 'x', text)
    for paragraph in re.split(r'\n\n|\n- ', text):
        yield from re.split(r'[.:;?!]\s', ' '.join(paragraph.split()) + ' ')


@pytest.mark.parametrize('name', READMES)
def test_readmes_are_short(name):
    text = (ROOT / name).read_text('utf-8')
    assert len(text.splitlines()) <= 220
    long = [s for s in sentences(text) if len(s.split()) > 30]
    assert len(long) <= 1, long


@pytest.mark.parametrize('name', READMES)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text('utf-8')
    for target in re.findall(r'\]\(([^)]*)\)', text):
        path, _, anchor = target.partition('#')
        there = (ROOT / name).parent / path if path else ROOT / name
        assert there.is_file(), target
        headings = re.findall(r'^#+ (.*)$', there.read_text('utf-8'), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r'[^\w -]', '', h.lower()).replace(' ', '-') for h in headings], target
