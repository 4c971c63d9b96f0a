"""The readmes are short, and so are their sentences; what they say can be pasted can be."""
import os
import re
import shutil
import subprocess
import sys

import pytest

import pasted
from utils import ROOT

READMES = sorted(str(p.relative_to(ROOT)) for p in [ROOT / 'readme.md', *ROOT.glob('*/readme.md'), *ROOT.glob('src/[a-z]*/*.md')])


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


@pytest.fixture
def copy(tmp_path):
    """A copy of what git keeps of the project, but its tests."""
    for folder in ('src', 'scripts'):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns('tests', '__pycache__'))
    shutil.copytree(ROOT / 'res', tmp_path / 'res', ignore=lambda folder, names: {
        n for n in names if not n.endswith(('.md', '.tar.xz')) and n != 'papers'})
    for folder in ('dat', 'logs'):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / 'readme.md', tmp_path)
    return tmp_path


@pytest.mark.parametrize('half', [0, 1])
def test_every_command_can_be_pasted_and_one_that_fails_is_told(half, copy):
    names = [name for name in READMES if not name.endswith('foreign.md')][half::2]
    line = 'python src/run.py --experiment glyphs --approach hatt'
    (copy / 'bad.md').write_text('```\n%s\n```\n' % line)
    done = subprocess.run([sys.executable, pasted.__file__, str(copy), *names, 'bad.md'], capture_output=True,
                          text=True,
                          env={**os.environ, 'OMP_NUM_THREADS': '1'})
    counts = [row.split() for row in done.stdout.splitlines()[:len(names)]]
    assert [row[0] for row in counts] == names, done.stdout + done.stderr[-2000:]
    assert min(int(count) for _, count in counts) > 2 and done.returncode == 1 and line in done.stdout


def test_commands_are_found_with_what_they_need():
    text = """```
python src/run.py --net 'a=1'    # needs MNIST
cat > x.py <<'END'
python
END
python - <<'END'
print(1)
END
```
```
Task 0
```
```
import torch
```
"""
    assert list(pasted.commands(text)) == [
        (['python', 'src/run.py', '--net', 'a=1'], None, 'MNIST'), (['cat', '>', 'x.py'], 'python\n', ''),
        (['python', '-'], 'print(1)\n', ''), (['python', '-'], 'import torch\n', '')]
