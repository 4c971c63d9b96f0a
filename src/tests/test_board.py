"""--tensorboard."""
import sys

import numpy as np
import pytest

import run
from conftest import killed
from results import epochs
from runs import checkpoint, journal

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--samples', '200', '--nepochs', '2', '--device', 'cpu',
         '--approach', 'hat', '--net', 'nhid=100',
         '--tensorboard']


def events(output):
    """What TensorBoard reads of a run."""
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    found = accumulator.EventAccumulator(str(checkpoint.folder(output) / 'tensorboard'))
    found.Reload()
    return found


def test_tensorboard_has_every_epoch_once_also_of_a_run_that_was_killed(tmp_path, monkeypatch, capsys):
    pytest.importorskip('tensorboard')
    output = tmp_path / 'o.txt'
    killed(monkeypatch, [*SHORT, '--output', output, '--checkpoint-every', '0'], journal.Epochs, 'add', call=3, after=True)
    acc = run.main([*SHORT, '--output', str(output), '--resume'])
    found = events(output)
    tags = found.Tags()
    assert [s.step for s in found.Scalars('valid_loss/task 1 glyphs-6789AB')] == [3, 4]
    assert [s.step for s in found.Scalars('Reg/task 0 glyphs-012345')] == [1, 2]
    assert found.Scalars('average_accuracy')[-1].value == pytest.approx(acc[1].mean(), abs=1e-6)
    assert {'accuracy matrix', 'masks/fc1', 'masks/fc2'} <= set(tags['images']) and 'embeddings/fc1' in tags['distributions']
    assert any(t.startswith('final/average_accuracy') for t in tags['scalars'])
    lines = (checkpoint.folder(output) / 'epochs.csv').read_text().splitlines()
    assert len(lines) == 5 and lines[0].split(',')[:len(epochs.COLUMNS)] == list(epochs.COLUMNS)
    run.main([*SHORT, '--output', str(output), '--overwrite'])
    assert [s.step for s in events(output).Scalars('valid_loss/task 1 glyphs-6789AB')] == [3, 4]
    assert np.isfinite(acc).all()


def test_without_the_package_a_line_says_what_to_install(tmp_path, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    assert 'pip install tensorboard' in refused(run.main, [*SHORT, '--output', tmp_path / 'o.txt'])
