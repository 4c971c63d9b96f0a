"""The walk in cells runs from top to bottom and leaves its pictures."""
import re
import runpy

import numpy as np

from results import records
from utils import ROOT

PICTURES = ['bars_sgd_ewc_er_hat-test', 'capacity', 'masks', 'matrix_hat-test', 'matrix_sgd', 'tasks_images',
            'tasks_sgd_ewc_er_hat-test']


def test_the_walk_trains_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('WALK_FOLDER', str(tmp_path))
    monkeypatch.setenv('WALK_OPTIONS', '--nepochs 1 --samples 12 --net nhid=30 --device cpu')
    found = runpy.run_path(str(ROOT / 'scripts' / 'walk.py'))
    assert sorted(p.stem for p in tmp_path.glob('*.png')) == PICTURES
    assert all(p.stat().st_size > 5000 for p in tmp_path.glob('*.png'))
    assert np.allclose(found['sgd'], records.matrix(tmp_path / 'glyphs_sgd_0.txt'), atol=1e-4)
    printed = capsys.readouterr().out
    assert 'Forgetting of HAT: 0.0 points' in printed and '| hat-test | glyphs-UVWXYZ |' in printed


def test_cells_of_words_are_headings_and_short():
    cells = re.split(r'^# %%', (ROOT / 'scripts' / 'walk.py').read_text('utf-8'), flags=re.MULTILINE)[1:]
    words = [cell for cell in cells if cell.startswith(' [markdown]')]
    assert len(words) > 5 and all(cell.strip().count('\n') < 4 and '\n# # ' in cell for cell in words)
    assert all(line.startswith('# ') for cell in words for line in cell.strip().splitlines()[1:])
