"""What the house promises: who imports whom, what names the base takes, how much memory images take."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from approaches import base, declared
from dataloaders.images import Images, Pixels

SRC = Path(__file__).resolve().parent.parent
BELOW = {  # what the files of a room may import of the others
    'fast': {'approaches', 'learning', 'networks'}, 'approaches': {'learning', 'networks', 'dataloaders'},
    'learning': {'networks', 'dataloaders'}, 'networks': set(), 'dataloaders': {'results'}, 'results': set(),  # which reads pickles
    'runs': {'fast', 'approaches', 'learning', 'networks', 'dataloaders', 'results'}}


def imported(path):
    """The project's modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ('%s.%s' % (node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize('room', BELOW)
def test_imports_go_down(room):
    for path in (SRC / room).glob('*.py'):
        rooms = {name.split('.')[0] for name in imported(path)} & set(BELOW)
        assert rooms <= BELOW[room] | {room}, path.name


def test_the_base_has_few_names_and_nine_hooks():
    names = [n for n in dir(base.Appr) if not n.startswith('_')]
    assert len(names) <= 45, names
    line = base.__doc__.split('\n\n')[2]
    assert [row.split('(')[0].strip() for row in line.splitlines()] == list(declared.HOOKS)


MEASURE = '''
import resource, sys
import numpy as np
import torch
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
sys.path.insert(0, %(src)r)
from approaches import sgd
from dataloaders import common, raw
from networks import mlp
def make():
    rs = np.random.RandomState(0)
    x = rs.randint(0, 256, (%(n)d, 64, 64, 3), np.uint8)
    return x, np.arange(%(n)d) %% 4, x[:400], np.arange(400) %% 4
data, taskcla, size = common.build([common.Task('a', raw.Raw(make=make, name='big'))], [3, 64, 64], 0, .1)
appr = sgd.Appr(mlp.Net(size, taskcla, 1, 10), nepochs=1)
sets = [v for s in ('train', 'valid') for v in (data[0][s].images, data[0][s]['y'])]
appr.train(0, *sets)
print((peak() - before - %(n)d * 64 * 64 * 3) / 1e9)
'''


def test_a_task_takes_the_memory_of_its_bytes():
    """8,000 images of 64x64x3: 98 MB as bytes, 393 MB as floats."""
    code = MEASURE % {'src': str(SRC), 'n': 8000}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert float(done.stdout.splitlines()[-1]) < .35, done.stderr


def test_floats_are_made_at_once_only_where_they_are_few(monkeypatch):
    from dataloaders import images
    source = torch.randint(0, 256, (50, 6, 8), dtype=torch.uint8)
    order = torch.randperm(48).numpy()
    for pixels in (Pixels((.3,), (.4,), (1, 6, 8)), Pixels((.3,), (.4,), (3, 8, 10), order), Pixels((.1,), (2.,), (1, 6, 8), None, 30.)):
        whole, rows = Images(source, pixels), torch.randperm(50)[:20]
        expected = pixels(source)
        assert torch.equal(whole[rows], expected[rows]) and whole.floats is not None
        with monkeypatch.context() as m:
            m.setattr(images, 'WHOLE', 0)
            bytes_ = Images(source, pixels, torch.arange(50))
            assert torch.equal(bytes_[rows], expected[rows]) and bytes_.floats is None
            assert torch.equal(torch.cat(list(bytes_.split(7))), expected) and bytes_.shape == expected.shape
            assert torch.equal(bytes_.raw(rows), source[rows])


CHANGED = """from dataloaders import glyphs
network = 'mlp'
def get(seed=0, **more):
    data, taskcla, size = glyphs.get(seed, **more)
    data[1]['train']['x'] = data[1]['train']['x'] * 2
    return data, taskcla, size
"""


@pytest.mark.parametrize('approach', ['er', 'joint', 'icarl'])
def test_a_loader_may_put_floats_in_the_place_of_bytes(approach, tmp_path, monkeypatch, capsys):
    import dataloaders
    import run
    (tmp_path / 'changed.py').write_text(CHANGED)
    monkeypatch.setattr(dataloaders, '__path__', [*dataloaders.__path__, str(tmp_path)])
    argv = ['--experiment', 'changed', '--tasks', '0,1', '--approach', approach, '--nepochs', '1', '--net', 'nhid=40', '--device', 'cpu']
    argv += ['--scenario', 'class'] if approach == 'icarl' else []
    assert run.main([*argv, '--output', str(tmp_path / 'o.txt')]).shape == (2, 2)
    assert 'changes in training' not in capsys.readouterr().err


def test_what_a_test_was_the_first_to_make_can_be_trained_on(capsys):
    from approaches import sgd
    from networks import mlp
    source = torch.randint(0, 256, (40, 6, 6), dtype=torch.uint8)
    images, y = Images(source, Pixels((.3,), (.4,), (1, 6, 6))), torch.arange(40) % 2
    appr = sgd.Appr(mlp.Net([1, 6, 6], [(0, 2)], 1, 8), nepochs=1)
    appr.eval(0, images, y)
    appr.train(0, images, y, images, y)
