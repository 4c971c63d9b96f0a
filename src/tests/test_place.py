"""Results and their ends: a finished one stays until its successor has finished, a started one can be resumed or is not there."""
import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import run
import run_multi
import discovery
import utils
from conftest import Killed, copying, killed
from results import collect, records
from runs import checkpoint, locking, place, plan, sequence
from utils import ROOT

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=40,nlayers=1',
         '--samples', '200']


def files(output):
    """The names of what is left in the folder of a run's logs."""
    folder = place.folder(output)
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def command(tmp_path):
    """A short run and its result."""
    return [*SHORT, '--approach', 'sgd', '--output', str(tmp_path / 'o.txt')], tmp_path / 'o.txt'


@pytest.mark.parametrize('call', [1, 2])
def test_a_first_result_killed_between_its_two_files_is_resumed(call, command, monkeypatch, capsys):
    argv, output = command
    whole = run.main([*argv[:-1], str(output.with_name('whole.txt'))])
    killed(monkeypatch, [*argv, '--checkpoint-every', '0'], records.np, 'savetxt', call=call)
    # savetxt fills a text in memory: what comes next are the two files, of which the second is still missing
    with monkeypatch.context() as m, pytest.raises(Killed):
        true = utils.replacing
        m.setattr(utils, 'replacing', lambda path, *mode: (_ for _ in ()).throw(Killed()) if path == output else true(path, *mode))
        run.main([*argv, '--resume', '--checkpoint-every', '0'])
    assert output.exists() == (call == 2) and records.record_path(output).exists() and not records.finished(output)
    assert plan.Run(argv).status() == 'unfinished'
    assert (run.main([*argv, '--resume']) == whole).all() and 'Resuming in task' in capsys.readouterr().out
    assert records.finished(output) and files(output) == ['epochs.csv', 'run.log']


def test_a_result_on_another_file_system_is_replaced(command, monkeypatch):
    argv, output = command
    run.main([*argv, '--save'])

    def elsewhere(true):
        def move(source, target, **more):
            if str(source).startswith(str(ROOT / 'logs')) != str(target).startswith(str(ROOT / 'logs')):
                raise OSError(errno.EXDEV, 'Invalid cross-device link')
            return true(source, target, **more)
        return move
    for name in ('rename', 'replace', 'link'):
        monkeypatch.setattr(os, name, elsewhere(getattr(os, name)))
    run.main([*argv, '--save', '--overwrite', '--seed', '1'])
    assert records.read_record(output)['config']['seed'] == 1 and records.finished(output)
    assert files(output) == ['epochs.csv', 'run.log', 'task0.pt', 'task1.pt']


BROKEN = 'from approaches import base\nclass Appr(base.Appr):\n    def criterion(self, output, targets):\n        return output.nothing\n'


@pytest.mark.parametrize('folder, name, source', [
    ('approaches', 'broken', BROKEN),
    ('networks', 'broken', 'from networks import mlp\nclass Net(mlp.Net):\n    def heads(self):\n        return self.heads_of\n'),
    ('dataloaders', 'broken', 'from dataloaders import glyphs\ndef get(seed=0):\n    return glyphs.get(seed).nothing\n')])
def test_an_error_in_ones_own_file_leaves_the_result_and_is_in_the_log(folder, name, source, command, tmp_path, monkeypatch, capsys):
    argv, output = command
    run.main(argv)
    before, record = output.read_text(), records.record_path(output).read_text()
    (tmp_path / folder).mkdir()
    (tmp_path / folder / 'broken.py').write_text(source)
    package = utils.importlib.import_module(folder)
    monkeypatch.setattr(package, '__path__', [*package.__path__, str(tmp_path / folder)])
    more = {'approaches': ['--approach', 'broken'], 'networks': ['--network', 'broken', '--approach', 'sgd-frozen'],
            'dataloaders': ['--experiment', 'broken', '--network', 'mlp']}[folder]
    with pytest.raises(SystemExit) as e:
        run.main([*argv, *more, '--overwrite'])
    err = capsys.readouterr().err
    assert e.value.code == 1 and 'AttributeError' in err.splitlines()[-1] and 'variants' not in err and 'cumulative' not in err
    assert output.read_text() == before and records.record_path(output).read_text() == record and records.finished(output)
    if folder == 'approaches':
        log = (place.folder(output) / 'next' / 'run.log').read_text()
        assert 'Traceback' in log and 'return output.nothing' in log
    run.main([*argv, '--overwrite'])
    assert files(output) == ['epochs.csv', 'run.log']


@pytest.mark.parametrize('where', [(place.Place, 'take_over'), (place.Place, 'clear'), (place.os, 'rename'), (place, 'copy')])
@pytest.mark.parametrize('after', [False, True])
def test_a_finished_successor_is_the_result_whatever_comes_next(where, after, command, monkeypatch, capsys, refused):
    argv, output = command
    run.main([*argv, '--save'])
    new = [*argv, '--seed', '1', '--save', '--overwrite']
    whole = run.main([*new[:-1], '--output', str(output.with_name('whole.txt'))])
    killed(monkeypatch, new, *where, after=after, call=2 if where[1] == 'clear' else 1)
    refused(run.main, [*argv, '--overwrite', '--lr', '1e30'])
    assert records.finished(output) and np.array_equal(records.matrix(output), whole.round(6))
    assert (run.main([*argv, '--seed', '1', '--save', '--resume']) == records.matrix(output)).all()
    assert 'Finished already' in capsys.readouterr().out and files(output) == ['epochs.csv', 'run.log', 'task0.pt', 'task1.pt']


def test_an_overwrite_of_another_configuration_is_resumed_from_its_beginning_on(command, monkeypatch, capsys, refused):
    argv, output = command
    run.main([*argv, '--save'])
    before, models = output.read_text(), files(output)
    killed(monkeypatch, [*argv, '--lr', '0.02', '--overwrite'], place.Place, 'begin', after=True)
    assert output.read_text() == before and records.finished(output) and files(output) == sorted([*models, 'next'])
    assert 'another configuration (--lr 0.05, now 0.3' in refused(run.main, [*argv, '--lr', '0.3', '--resume'])
    run.main([*argv, '--lr', '0.02', '--resume'])
    assert records.read_record(output)['config']['lr'] == 0.02 and files(output) == ['epochs.csv', 'run.log']


def test_resume_with_overwrite_goes_on_where_it_can(command, monkeypatch, capsys):
    argv, output = command
    again = [*argv, '--checkpoint-every', '0', '--overwrite', '--resume']
    killed(monkeypatch, again, sequence.Sequence, 'test', call=2)
    run.main(again)
    assert 'Resuming in task 1' in capsys.readouterr().out
    run.main(again)
    assert 'Finished already' in capsys.readouterr().out
    killed(monkeypatch, [*again, '--lr', '0.02'], sequence.Sequence, 'test', call=2)
    run.main([*again, '--lr', '0.02'])
    assert 'Resuming in task 1' in capsys.readouterr().out and records.read_record(output)['config']['lr'] == 0.02
    killed(monkeypatch, [*again, '--lr', '0.03'], sequence.Sequence, 'test', call=2)
    run.main([*again, '--lr', '0.04'])  # neither what is there nor what was begun
    assert records.read_record(output)['config']['lr'] == 0.04 and files(output) == ['epochs.csv', 'run.log']
    commands = [plan.Run([*argv, *more]).command for more in ([], ['--overwrite'])]
    assert all('--resume' in c for c in commands)


@pytest.mark.parametrize('wanted, file', [('--save', 'task1.pt'), ('--keep-checkpoint', 'checkpoint.pt')])
def test_what_a_killed_successor_was_to_leave_is_there_in_the_end(wanted, file, command, monkeypatch, capsys):
    argv, output = command
    run.main(argv)
    killed(monkeypatch, [*argv, wanted, '--overwrite'], place.Place, 'begin', after=True)
    run.main([*argv, wanted, '--resume'])
    assert file in files(output) and records.finished(output)
    run.main([*argv, wanted, '--resume'])
    assert 'Finished already' in capsys.readouterr().out


@pytest.mark.parametrize('before', [False, True])
def test_a_task_cut_short_is_done_again_also_where_the_state_is_kept(before, command, monkeypatch, capsys):
    argv, output = [*command[0], '--checkpoint-every', '0', '--keep-checkpoint'], command[1]
    whole = run.main([*argv[:-1], '--output', str(output.with_name('whole.txt'))])
    if before:
        run.main([*argv, '--lr', '0.02'])
    sgd = discovery.load('approaches', 'sgd').Appr
    with monkeypatch.context() as m:
        m.setattr(sgd, 'end_epoch', lambda self, t, *rest: (_ for _ in ()).throw(KeyboardInterrupt()) if t == 1 else None)
        run.main([*argv, '--overwrite'])
    assert records.finished(output) == before and ('A task was cut short' in capsys.readouterr().out) == before
    assert (run.main([*argv, '--resume', '--overwrite']) == whole).all() and records.finished(output)
    assert files(output) == ['checkpoint.pt', 'epochs.csv', 'run.log']


def test_a_kept_state_that_cannot_be_read_leaves_its_result_until_there_is_another(command, monkeypatch):
    argv, output = [*command[0], '--keep-checkpoint', '--save'], command[1]
    run.main(argv)
    (place.folder(output) / 'checkpoint.pt').write_text('hello')
    before = {p.name: p.read_bytes() for p in place.folder(output).iterdir()}
    killed(monkeypatch, [*argv, '--overwrite', '--resume', '--final-valid'], sequence.Sequence, 'test', call=2)
    assert records.finished(output)
    assert {p.name: p.read_bytes() for p in place.folder(output).iterdir() if p.is_file()} == before
    run.main([*argv, '--overwrite', '--resume', '--final-valid'])
    assert records.finished(output, valid=True) and files(output) == sorted(before)


def test_a_state_without_a_result_stays_until_its_successor_has_finished(command, monkeypatch, capsys, refused):
    argv, output = [*command[0], '--checkpoint-every', '0'], command[1]
    whole = run.main([*argv[:-3], str(output.with_name('whole.txt')), *argv[-2:]])
    killed(monkeypatch, argv, sequence.Sequence, 'test', call=1)
    killed(monkeypatch, [*argv, '--seed', '3', '--overwrite'], place.Place, 'begin', after=True)
    assert 'another configuration' not in capsys.readouterr().err
    assert (run.main([*argv, '--resume']) == whole).all() and 'Resuming' in capsys.readouterr().out
    assert files(output) == ['epochs.csv', 'run.log']
    killed(monkeypatch, [*argv, '--seed', '3', '--overwrite'], sequence.Sequence, 'test', call=1)
    assert 'another configuration (--seed 3, now 4)' in refused(run.main, [*argv, '--seed', '4', '--resume'])
    run.main([*argv, '--seed', '3', '--resume'])
    assert records.read_record(output)['config']['seed'] == 3


@pytest.mark.parametrize('name', ['...txt', '..txt', 'link.txt'])
def test_names_that_would_mean_other_files_are_refused(name, tmp_path, refused):
    (tmp_path / 'link.txt').symlink_to(tmp_path / 'o.txt')
    assert name in refused(run.main, [*SHORT, '--approach', 'sgd', '--output', str(tmp_path) + '/' + name])


@pytest.mark.parametrize('record', ['{', None, '{"status": 3}'])
def test_a_plan_that_may_overwrite_is_not_stopped_by_what_has_no_sound_record(record, command):
    argv, output = command
    output.write_text('0.5 0\n0.5 0.5\n')
    if record:
        records.record_path(output).write_text(record)
    assert plan.Run(argv).status() == 'other' and plan.Run([*argv, '--overwrite']).status() == 'missing'
    run.main([*argv, '--overwrite', '--resume'])
    assert plan.Run([*argv, '--overwrite']).status() == 'finished'


def test_what_is_in_the_way_within_the_logs_is_of_nobody(command, monkeypatch, capsys):
    argv, output = command
    run.main(argv)
    home = place.folder(output)
    (home / 'next').write_text('x'), (home / 'done').write_text('x')
    run.main([*argv, '--overwrite'])
    killed(monkeypatch, [*argv, '--seed', '1', '--overwrite', '--checkpoint-every', '0'], sequence.Sequence, 'test', call=2)
    (home / 'next' / 'result.json').write_text('{')
    run.main([*argv, '--seed', '1', '--resume'])
    assert 'Resuming in task 1' in capsys.readouterr().out and files(output) == ['epochs.csv', 'run.log']
    killed(monkeypatch, [*argv, '--overwrite'], place, 'copy')
    for path in output.parent.glob('o.*'):
        path.unlink()
    output.parent.rmdir()
    run.main([*argv, '--resume'])
    assert records.finished(output) and files(output) == ['epochs.csv', 'run.log']


@pytest.mark.parametrize('where', [(place, 'copy', 1), (place, 'copy', 3), (place.os, 'rename', 2), (records, 'save_logs', 1)])
def test_the_log_of_an_approach_is_replaced_with_its_result(where, tmp_path, monkeypatch, refused):
    output, log = tmp_path / 'o.txt', tmp_path / 'l.pkz'
    argv = [*SHORT, '--approach', 'hat-test', '--logpath', str(log), '--output', str(output)]
    run.main(argv)
    before = log.read_bytes()
    killed(monkeypatch, [*argv, '--lamb', '2', '--overwrite'], *where[:2], call=where[2])
    assert where[1] != 'save_logs' or log.read_bytes() == before
    run.main([*argv, '--lamb', '2', '--resume'])
    assert log.read_bytes() != before and sorted(p.name for p in tmp_path.iterdir()) == ['l.pkz', 'o.json', 'o.txt']
    assert files(output) == ['epochs.csv', 'run.log'] and not list(place.folder(log.with_name('l.pkz.log.txt')).glob('*'))
    other = [*argv[:-1], str(tmp_path / 'p.txt'), '--seed', '3']
    assert 'log of another configuration' in refused(run.main, other) and not place.folder(tmp_path / 'p.txt').exists()
    run.main([*other, '--overwrite'])
    assert 'log of another configuration' in refused(run.main, [*argv, '--lamb', '2'])  # would be staged


def test_a_clock_that_is_set_back_does_not_matter(command, monkeypatch):
    argv, output = command
    now = [1e9]

    def clock():
        now[0] -= 1000
        return now[0]
    monkeypatch.setattr(time, 'time', clock)
    run.main(argv)
    record = records.read_record(output)
    assert 0 < record['seconds'] < 1000 and all(s >= 0 for s in record['seconds_per_task'])
    assert collect.read(output) is not None


def test_nothing_of_killed_writers_is_left(command, monkeypatch, capsys):
    argv, output = command
    folder = place.folder(output)
    folder.mkdir(parents=True)
    rubbish = [output.with_name(n) for n in ('o.txt.5.tmp', 'o.json.6.tmp')] + [
        folder / n for n in ('checkpoint.pt.7.tmp', 'task3.pt.8.tmp', 'epochs.csv.9.tmp')]
    others = [output.with_name('p.txt.123.tmp'), output.with_name('o.txt.mine.tmp')]
    for path in rubbish + others:
        path.write_text('x')
    killed(monkeypatch, [*argv, '--checkpoint-every', '0'], checkpoint.Checkpoint, 'remove')
    assert files(output)[:1] == ['checkpoint.pt'] and records.finished(output)
    run.main([*argv, '--resume'])
    assert 'Finished already' in capsys.readouterr().out and files(output) == ['epochs.csv', 'run.log']
    assert sorted(p for p in output.parent.iterdir() if p.is_file()) == sorted([*others, output, output.with_suffix('.json')])


def test_folders_of_logs_never_meet():
    names = ['a.txt', 'a/tensorboard.txt', 'a/lock.txt', 'a/next.txt', 'a/next/result.txt', 'a/done.txt', 'a/task0.pt.txt', 'a/run.log.txt',
             'a/epochs.csv/b.txt', 'a.log.txt', 'slurm.txt', '+/tmp/x.txt', '++/tmp/x.txt', '/tmp/x.txt', 'a/+lock.txt', 'a/Lock.txt']
    folders = [place.folder(n if n[0] == '/' else 'res/' + n) for n in names]
    assert len(set(folders)) == len(names)
    for name, f in zip(names, folders):
        inside = [g.relative_to(f).parts[0] for g in folders if f in g.parents]
        assert not any(place.TAKEN.fullmatch(part) and part[0] != '+' for part in inside), (name, inside)
    assert place.folder('res/a/b-c_0.5.txt') == ROOT / 'logs' / 'a' / 'b-c_0.5' and plan.Run([
        *SHORT, '--approach', 'sgd', '--output', 'res/a.txt']).log not in folders


def test_a_result_called_like_a_part_of_another_ones_logs_is_left_alone(tmp_path):
    for name in ('b/tensorboard.txt', 'b/lock.txt', 'b.txt'):
        run.main([*SHORT, '--approach', 'sgd', '--save', '--output', str(tmp_path / name)])
    for name in ('b/tensorboard.txt', 'b/lock.txt', 'b.txt'):
        assert [n for n in files(tmp_path / name) if n[0] != '+'] == ['epochs.csv', 'run.log', 'task0.pt', 'task1.pt']


def test_a_plan_leaves_to_others_what_they_are_doing_and_ends_well(shapes, tmp_path, monkeypatch, capsys):
    command = ['--experiments', 'split:shapes:2', '--approaches', 'sgd', '--seeds', '0-1', '--res_folder', str(tmp_path), '--execute',
               '--', *shapes]
    outputs = [tmp_path / ('split-shapes-2_sgd_%d.txt' % s) for s in range(2)]
    argv = ['--experiment', 'split:shapes:2', *shapes, '--approach', 'sgd', '--seed', '1', '--output', str(outputs[1])]
    monkeypatch.setattr(plan.Run, 'command', copying(argv, tmp_path / 'made'))
    capsys.readouterr()
    with locking.lock(outputs[0]):
        assert locking.busy(outputs[0]) and not locking.busy(outputs[1])
        assert run_multi.main(command) == 0 and [records.finished(o) for o in outputs] == [False, True]
    assert '1 runs finished, 0 failed\n1 are being done by another process\n    %s\n' % outputs[0] in capsys.readouterr().out


def test_some_of_all_moments_at_which_a_run_can_end():
    """scripts/kill_test.sh --every tries them all."""
    done = subprocess.run([sys.executable, str(ROOT / 'scripts' / 'kill_test.py'), '--every', '83', '--cases', 'overwrite-other',
                           '--folder', 'kill_test-%d' % os.getpid()], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count(' 0 wrong') == 2, done.stdout + done.stderr
