"""What is tried before the real thing: --dry-run, --debug, --profile, --overfit."""
import json
import shutil
import tempfile
from pathlib import Path

import pytest

import approaches
import run
from runs import checkpoint, saved, setup

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--device', 'cpu', '--net', 'nhid=100']


def left(output):
    """What there is of a run."""
    return output.exists() or output.with_suffix('.json').exists() or checkpoint.folder(output).exists()


@pytest.mark.parametrize('approach, more', [('hat', []), ('joint', []), ('pathnet', ['--generations', '4']), ('packnet', []), ('random', []),
                                            ('er', ['--iterations', '50', '--scenario', 'class'])])
def test_a_dry_run_says_what_is_to_come_and_leaves_nothing(approach, more, tmp_path, capsys):
    output = tmp_path / 'o.txt'
    more = more if '--iterations' in more else [*more, '--nepochs', '8']
    assert run.main([*SHORT, '--approach', approach, '--lr', '0.1', *more, '--dry-run', '--output', str(output)]) is None
    out = capsys.readouterr().out
    assert [line.split()[1:] for line in out.splitlines() if line.strip().startswith('lr ')] == [['0.1', '--lr']]
    assert [line.split()[1:] for line in out.splitlines() if line.strip().startswith('sbatch ')] == [['64', 'default']]
    rows = [line.split() for line in out.splitlines() if line.startswith('glyphs-')]
    assert [r[1] for r in rows] == (['1620', '3240'] if approach == 'joint' else ['1620', '1620'])
    epochs, steps = {'pathnet': (16, 416), 'packnet': (18, 468), 'random': (0, 0), 'er': (2, 50)}.get(approach, (8, 208))
    assert [r[2] for r in rows] == [str(epochs)] * 2 and rows[0][3] == str(steps)
    assert 'In all about' in out and 'Memory: about' in out and str(output) in out and 'Epoch' not in out
    assert not left(output)


@pytest.mark.parametrize('approach, more', [('hat', []), ('ewc', ['--scenario', 'class']), ('packnet', []), ('pathnet', []), ('random', []),
                                            ('icarl', ['--scenario', 'class']), ('dgr', ['--scenario', 'domain'])])
def test_debug_takes_every_task_through_everything(approach, more, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    output = tmp_path / 'o.txt'
    acc = run.main([*SHORT, '--approach', approach, *more, '--debug', '--output', str(output)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert acc.shape == (2, 2) and last.startswith('Debug: 2 tasks trained and tested') and 'the state saved and loaded' in last
    assert ('2 models saved and loaded' in last) == (approach != 'random')
    assert not left(output) and not list(tmp_path.iterdir()) and not list(checkpoint.folder(output).parent.glob('*'))


def test_debug_notices_what_is_not_saved(tmp_path, refused, monkeypatch):
    true = saved.Model.make

    def make(self, *args):
        appr = true(self, *args)
        for p in appr.model.parameters():
            p.data.zero_()
        return appr
    monkeypatch.setattr(saved.Model, 'make', make)
    line = refused(run.main, [*SHORT, '--approach', 'sgd', '--lr', '0.5', '--debug', '--output', tmp_path / 'o.txt'])
    assert 'when it is loaded' in line


def test_overfit_says_whether_the_samples_were_learnt(tmp_path, capsys, monkeypatch):
    nets, make = [], setup.Setup.make
    monkeypatch.setattr(setup.Setup, 'make', lambda self: (make(self), nets.append(self.net))[0])
    run.main([*SHORT, '--approach', 'sgd', '--overfit', '20', '--nepochs', '300', '--output', str(tmp_path / 'o.txt')])
    assert '20 of 20 samples right' in capsys.readouterr().out and all(layer.pdrop == 0 for layer in nets[0].layers)
    with pytest.raises(SystemExit) as e:
        run.main([*SHORT, '--approach', 'sgd', '--overfit', '20', '--nepochs', '1', '--output', str(tmp_path / 'o.txt')])
    assert e.value.code == 1 and ': not all' in capsys.readouterr().out and not left(tmp_path / 'o.txt')


def test_a_profile_is_a_table_and_a_trace(tmp_path, capsys):
    output = tmp_path / 'o.txt'
    run.main([*SHORT, '--approach', 'sgd', '--profile', '--output', str(output)])
    folder = checkpoint.folder(output)
    assert 'Self CPU' in capsys.readouterr().out and 'Self CPU' in (folder / 'profile.txt').read_text()
    assert len(json.loads((folder / 'trace.json').read_text())['traceEvents']) > 100 and not output.exists()
    shutil.rmtree(folder)


def test_only_one_of_them(refused):
    assert 'not allowed with' in refused(run.main, [*SHORT, '--approach', 'sgd', '--debug', '--dry-run'])
    assert 'a whole number' in refused(run.main, [*SHORT, '--approach', 'sgd', '--overfit', '0'])


def test_what_trains_nothing_is_refused_and_a_log_is_not_written(tmp_path, refused, capsys):
    for option in (['--profile'], ['--overfit', '5']):
        assert 'trains nothing' in refused(run.main, [*SHORT, '--approach', 'random', *option, '--output', tmp_path / 'o.txt'])
    capsys.readouterr()
    run.main([*SHORT, '--approach', 'hat-test', '--parameter', '0.75,400,%s' % (tmp_path / 'l.pkz'), '--debug', '--output', str(tmp_path / 'o.txt')])
    assert '2 models saved and loaded' in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_rerun_that_is_tried_compares_nothing(tmp_path, capsys):
    run.main([*SHORT, '--approach', 'random', '--output', str(tmp_path / 'o.txt')])
    capsys.readouterr()
    run.main(['--rerun', str(tmp_path / 'o.json'), '--dry-run'])
    out = capsys.readouterr().out
    assert 'In all about' in out and 'matrix is the same' not in out
    run.main([*SHORT, '--approach', 'random', '--output', str(tmp_path / 'o.txt'), '--dry-run', '--seed', '1'])
    assert 'would be refused' in capsys.readouterr().out


def test_debug_tries_a_class_with_a_loop_of_its_own_too(tmp_path, monkeypatch, capsys):
    (tmp_path / 'ours.py').write_text('class Appr:\n    def __init__(self, model, nepochs=1, lr=.1):\n        open("seen", "w").close()\n'
                                      '    def train(self, *data):\n        pass\n    def eval(self, t, x, y):\n        return 0., 1.\n')
    monkeypatch.setattr(approaches, '__path__', [*approaches.__path__, str(tmp_path)])
    output = tmp_path / 'o.txt'
    run.main([*SHORT, '--approach', 'ours', '--debug', '--output', str(output)])
    assert capsys.readouterr().out.splitlines()[-1] == 'Debug: 2 tasks trained and tested: all as it should be'
    assert not left(output) and not Path('seen').exists()
