"""Interrupted runs: exact resumption of every approach, locks, full disks, signals, refused checkpoints, reruns."""
import argparse
import csv
import json
import os
import resource
import shutil
import signal

import numpy as np
import pytest
import torch

import run
import discovery
import utils
from conftest import Killed, killed
from results import epochs, records
from runs import checkpoint, journal, locking, nodes, stopping
from synthetic import goes_on, progress, tasks

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '2', '--device', 'cpu', '--net', 'nhid=30', '--samples', '200']
DATA, TASKCLA, SIZE = tasks('mlp', 160)
FEW = tasks('mlp', 40)[0]


def make(approach):
    """An approach on its multi-layer perceptron, from one seed."""
    utils.seed_everything(0)
    module = discovery.load('approaches', approach).Appr
    there = discovery.choices('networks')
    network = next('mlp' + v for v in module.variants if 'mlp' + v.replace('_', '-') in there)
    parameter = {'pathnet': '3', 'hat-test': 'unused.pkz'}.get(approach, '')
    small = {'nlayers': 1, 'nhid': 20} if approach == 'online-meta' else {'nlayers': 2, 'nhid': 100}  # a step per sample, one by one
    net = discovery.load('networks', network).Net(SIZE, TASKCLA, **small)
    more = {'packnet': {'retrain': 2}, 'gdumb': {'passes': 4}}.get(approach, {})
    return module(net, nepochs=2 if approach == 'online-meta' else 3, lr=0.1, lr_patience=1, args=argparse.Namespace(parameter=parameter), **more)


@pytest.mark.parametrize('approach', discovery.choices('approaches'))
def test_every_approach_goes_on_bit_for_bit_from_any_epoch(approach, capsys):
    def points(n):
        assert capsys.readouterr().err == '' and n >= (3 if approach == 'random' else 9)  # everything can be kept
        return 1, n // 2, n - 3  # mostly within a task
    data = FEW if approach in ('online-meta', 'dgr', 'gdumb', 'bic') else DATA
    appr, other = goes_on(lambda: make(approach), data, points)
    if approach == 'hat-test':
        assert other.logs['mask'][1].keys() == appr.logs['mask'][1].keys()
        assert (other.logs['valid_loss'][0] == appr.logs['valid_loss'][0]).all()


def clean(output):
    """Removes what a run left in logs/."""
    shutil.rmtree(checkpoint.folder(output), ignore_errors=True)


@pytest.mark.parametrize('how', [[signal.SIGTERM], [signal.SIGUSR1], [signal.SIGUSR2, signal.SIGTERM]])  # as submitit and Slurm send
def test_a_signal_saves_the_state_and_exits_with_a_status_of_its_own(how, tmp_path, monkeypatch, refused,
                                                                     capsys):
    output = tmp_path / 'o.txt'
    command = [*SHORT, '--approach', 'sgd', '--output', str(output)]  # no checkpoint is due yet

    def send(self, t, e, train, valid):
        for number in how * (e == 1):
            os.kill(os.getpid(), number)
    with monkeypatch.context() as m, pytest.raises(SystemExit) as stop:
        m.setattr(discovery.load('approaches', 'sgd').Appr, 'end_epoch', send)
        run.main(command)
    err = capsys.readouterr().err
    assert stop.value.code == 75 and '--resume goes on' in err and err.count('\n') == 1
    assert (checkpoint.folder(output) / 'checkpoint.pt').exists()
    assert '--resume goes on' in refused(run.main, command)
    assert 'another configuration (--lr 0.05, now 0.02)' in refused(run.main, [*command, '--lr', '0.02', '--resume'])
    (checkpoint.folder(output) / 'checkpoint.pt').write_bytes(b'hello')
    assert 'not a checkpoint' in refused(run.main, [*command, '--resume'])
    clean(output)


def test_two_runs_of_one_output_exclude_each_other(tmp_path, refused):
    output, (read, write) = tmp_path / 'o.txt', os.pipe()
    command = [*SHORT, '--approach', 'random', '--output', str(output), '--overwrite']
    other = os.fork()
    if not other:
        with locking.lock(output):
            os.write(write, b'held')
            signal.pause()
    os.read(read, 4)
    line = refused(run.main, command)
    os.kill(other, signal.SIGKILL), os.waitpid(other, 0)
    assert 'another run is writing' in line
    run.main(command)  # the lock died with its process
    assert records.finished(output)


def test_a_disk_that_fills_up_ends_the_run_in_one_line(tmp_path, refused):
    output, before = tmp_path / 'o.txt', resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 ** 20, before[1]))
    try:
        line = refused(run.main, [*SHORT, '--approach', 'sgd', '--net', 'nhid=500', '--checkpoint-every', '0', '--output', output])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert 'too large' in line.lower()
    assert not output.exists() and not list(checkpoint.folder(output).glob('*.[pt]*'))
    clean(output)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    output = tmp_path / 'o.txt'
    saved = checkpoint.Checkpoint(output, {'a': 1}, every=0)
    appr = make('sgd')
    saved.take(appr, progress(1, len(TASKCLA)))
    before = saved.path.read_bytes()
    def full(f):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError):
        saved.take(appr, progress(2, len(TASKCLA)))
    assert saved.path.read_bytes() == before and [f.name for f in saved.path.parent.iterdir()] == ['checkpoint.pt']
    clean(output)


@pytest.mark.parametrize('after', [False, True])
@pytest.mark.parametrize('owner, name, keep', [(records, 'save', False), (records, 'save', True), (checkpoint.Checkpoint, 'write', True),
                                               (checkpoint.Checkpoint, 'remove', False)])
def test_a_run_killed_at_its_very_end_is_completed(owner, name, keep, after, tmp_path, monkeypatch, capsys):
    """Before or after the last call of something that writes: the matrix, the record and the kept model come out the same."""
    def command(output):
        return [*SHORT, '--tasks', '0', '--approach', 'sgd', '--nepochs', '1', '--final-valid', '--output', str(tmp_path / output)] + [
            '--keep-checkpoint'] * keep

    calls, true = [], getattr(owner, name)
    with monkeypatch.context() as m:
        m.setattr(owner, name, lambda *args: calls.append(args) or true(*args))
        whole = run.main(command('a.txt'))
    killed(monkeypatch, command('c.txt'), owner, name, call=len(calls), after=after)
    acc = run.main([*command('c.txt'), '--resume'])
    assert np.allclose(acc, whole, atol=1e-6) and records.finished(tmp_path / 'c.txt', valid=True)
    record, other = (records.read_record(tmp_path / f) for f in ('a.txt', 'c.txt'))
    assert all(record[k] == other[k] for k in ('valid_accuracy', 'valid_matrix', 'accuracy'))
    folders = [checkpoint.folder(tmp_path / f) for f in ('a.txt', 'c.txt')]
    if keep:
        one, two = (torch.load(f / 'checkpoint.pt', weights_only=True) for f in folders)
        assert all(torch.equal(w, two['model'][n]) for n, w in one['model'].items())
        assert nodes.Reader().value(two['progress'], '')['done'] == 1
    else:
        assert not any((f / 'checkpoint.pt').exists() for f in folders)
    clean(tmp_path / 'a.txt'), clean(tmp_path / 'c.txt')


def test_a_finished_result_is_validated_later_and_a_kept_model_stays(tmp_path, capsys):
    command = [*SHORT, '--approach', 'sgd', '--nepochs', '1', '--output', str(tmp_path / 'o.txt')]
    acc = run.main([*command, '--keep-checkpoint'])
    assert (run.main([*command, '--resume', '--final-valid', '--keep-checkpoint']) == acc).all()
    assert '| Epoch' not in capsys.readouterr().out.split('Resuming')[1]  # from the final state
    assert records.finished(tmp_path / 'o.txt', valid=True)
    run.main([*command, '--resume'])
    assert (checkpoint.folder(tmp_path / 'o.txt') / 'checkpoint.pt').exists()
    clean(tmp_path / 'o.txt')


def test_a_task_cut_short_stays_so_after_a_resumption(tmp_path, monkeypatch, capsys):
    def press(self, t, e, train, valid):
        if t == 0 or not self.resumed:
            raise KeyboardInterrupt
    sgd = discovery.load('approaches', 'sgd').Appr
    monkeypatch.setattr(sgd, 'end_epoch', press), monkeypatch.setattr(sgd, 'resumed', False, raising=False)
    command = [*SHORT, '--approach', 'sgd', '--output', str(tmp_path / 'o.txt')]
    with pytest.raises(SystemExit):
        run.main(command)
    monkeypatch.setattr(sgd, 'resumed', True)
    run.main([*command, '--resume'])
    assert records.read_record(tmp_path / 'o.txt')['status'] == 'interrupted'


def test_what_hat_leaves_within_a_task_is_a_record_of_the_tasks_before(tmp_path, monkeypatch):
    def stop(self, t, e, train, valid):
        if t == 1:
            raise stopping.Stop(signal.SIGTERM)
    output = tmp_path / 'o.txt'
    command = [*SHORT, '--approach', 'hat', '--nepochs', '1', '--final-valid', '--output', str(output)]
    with monkeypatch.context() as m, pytest.raises(SystemExit):
        m.setattr(discovery.load('approaches', 'hat').Appr, 'end_epoch', stop)
        run.main(command)
    first = records.read_record(output)
    assert first['status'] == 'interrupted' and len(first['ledger']) == len(first['valid_matrix']) == 1
    run.main([*command, '--resume'])
    record = records.read_record(output)
    assert record['ledger'][:1] == first['ledger'] and record['valid_matrix'][0][:1] == first['valid_matrix'][0]
    assert record['valid_matrix'][1] == record['valid_accuracy'] and len(record['ledger']) == 2


@pytest.mark.parametrize('approach', ['random', 'hat'])
def test_validation_after_each_task_changes_no_number(approach, tmp_path):
    command = [*SHORT, '--approach', approach, '--nepochs', '1', '--output']
    run.main([*command, str(tmp_path / 'a.txt')]), run.main([*command, str(tmp_path / 'b.txt'), '--final-valid'])
    one, two = (records.read_record(tmp_path / f) for f in ('a.txt', 'b.txt'))
    assert one['accuracy'] == two['accuracy'] and one['loss'] == two['loss'] and 'valid_matrix' not in one
    assert ('valid_matrix' in two) == (approach == 'hat') and len(two['valid_accuracy']) == 2  # random draws when it is tested


def test_rerun_says_whether_the_matrix_is_the_same(tmp_path, capsys):
    output = tmp_path / 'o.txt'
    acc = run.main([*SHORT, '--approach', 'hat', '--parameter', '0.5,100', '--output', str(output)])
    again = run.main(['--rerun', str(tmp_path / 'o.json')])
    assert (acc == again).all() and 'The accuracy matrix is the same' in capsys.readouterr().out
    record = json.loads((tmp_path / 'o.json').read_text())
    record['accuracy'][1][0] += 0.25
    (tmp_path / 'o.json').write_text(json.dumps(record))
    with pytest.raises(SystemExit) as e:
        run.main(['--rerun', str(tmp_path / 'o.json')])
    assert e.value.code == 1 and 'by 0.2500 at most, on task 0 after task 1' in capsys.readouterr().out


def test_the_record_tells_data_apart(data_dir, tmp_path, refused):
    command = ['--experiment', 'mnist2', '--approach', 'random', '--data-dir', str(data_dir), '--output',
               str(tmp_path / 'o.txt')]
    run.main(command)
    one = records.read_record(tmp_path / 'o.txt')['config']['data']['mnist']
    arrays = dict(np.load(data_dir / 'mnist.npz'))
    arrays['x_train'][5, 5, 5] ^= 1
    np.savez(data_dir / 'mnist.npz', **arrays)
    assert len(one) == 64 and 'data' in refused(run.main, command)


def lines(output):
    """The lines of a run's epochs.csv, without the seconds."""
    with open(checkpoint.folder(output) / 'epochs.csv', newline='') as f:
        return [{k: v for k, v in row.items() if k != 'seconds'} for row in csv.DictReader(f)]


@pytest.mark.parametrize('approach, every', [('hat', '0'), ('packnet', '0'), ('pathnet', '0.5'), ('sgd', '1e9')])
def test_every_epoch_has_one_line_whenever_the_run_was_killed(approach, every, tmp_path, monkeypatch, capsys):
    command = [*SHORT, '--approach', approach, '--net', 'nhid=100', '--checkpoint-every', every, *{'pathnet': ['--generations', '2'], 'packnet': [
        '--retrain', '2']}.get(approach, []), '--output']
    run.main([*command, str(tmp_path / 'a.txt')])
    whole, add = lines(tmp_path / 'a.txt'), journal.Epochs.add
    assert len(whole) == len({tuple(row.items()) for row in whole}) == {'hat': 4, 'packnet': 8, 'pathnet': 8, 'sgd': 4}[approach]
    assert [row['task'] for row in whole] == sorted(row['task'] for row in whole) and set(whole[0]) >= set(epochs.COLUMNS) - {'seconds'}

    def kill(self, numbers):
        """After the line, before the state: torn, as if the last letters had not reached the disk."""
        add(self, numbers)
        if self.count == len(whole) - 1:
            self.path.write_text(self.path.read_text()[:-3])
            raise Killed
    monkeypatch.setattr(journal.Epochs, 'add', kill)
    with pytest.raises(Killed):
        run.main([*command, str(tmp_path / 'b.txt')])
    monkeypatch.setattr(journal.Epochs, 'add', add)
    text = (checkpoint.folder(tmp_path / 'b.txt') / 'run.log').read_text()
    run.main([*command, str(tmp_path / 'b.txt'), '--resume'])
    assert lines(tmp_path / 'b.txt') == whole
    log = (checkpoint.folder(tmp_path / 'b.txt') / 'run.log').read_text()
    resumed = 'Resuming' in log  # else the state was not written in time, and the run began anew
    assert log.count('Arguments =') == 1 + resumed and (not resumed or log.startswith(text)) and 'Done!' in log
    assert resumed == (every == '0') or every == '0.5'
    assert capsys.readouterr().out.endswith(log[-500:])
    clean(tmp_path / 'a.txt'), clean(tmp_path / 'b.txt')


def test_the_log_has_what_went_wrong(tmp_path, refused):
    line = refused(run.main, [*SHORT, '--approach', 'sgd', '--lr', '1e30', '--output', tmp_path / 'o.txt'])
    assert (checkpoint.folder(tmp_path / 'o.txt') / 'run.log').read_text().endswith(line)
    clean(tmp_path / 'o.txt')


@pytest.mark.parametrize('options', [['--overwrite', '--lr', '1e30'], ['--overwrite', '--pc-valid', '0.5', '--lr', '1e30'], []])
def test_a_finished_result_keeps_its_logs_and_models_until_there_is_a_new_one(options, tmp_path, monkeypatch, capsys):
    output = tmp_path / 'o.txt'
    folder, command = checkpoint.folder(output), [*SHORT, '--approach', 'sgd', '--net', 'nhid=100', '--save', '--output', str(output)]
    run.main(command)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    assert set(before) == {'epochs.csv', 'run.log', 'task0.pt', 'task1.pt'}
    if not options:  # the same again, stopped in the middle: resumed, it takes the place of the old one at its end
        true, calls = journal.Epochs.add, []

        def stop(self, numbers):
            true(self, numbers)
            calls.append(numbers)
            if len(calls) == 3:
                raise stopping.Stop(signal.SIGTERM)
        monkeypatch.setattr(journal.Epochs, 'add', stop)
    with pytest.raises(SystemExit):
        run.main(command + options)
    after = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    assert records.finished(output) and after == before and (folder / 'next').exists() == (not options)
    monkeypatch.undo()
    if not options:
        assert 'goes on' in capsys.readouterr().err
        run.main(command + ['--resume'])
        assert 'Resuming in task 1' in capsys.readouterr().out and {p.name for p in folder.iterdir()} == set(before)
    run.main(command + ['--overwrite'])
    assert len(lines(output)) == 4 and {p.name for p in folder.iterdir()} == set(before)
    clean(output)


@pytest.mark.parametrize('damage, left', [(b'\xff\xfe', 0), (b'x,y\n1,2\n3,4\n5,6\n', 0), (None, 0), ('torn', 1)])
def test_a_damaged_table_of_epochs_does_not_stop_a_resumption(damage, left, tmp_path, monkeypatch, capsys):
    output = tmp_path / 'o.txt'
    command = [*SHORT, '--approach', 'sgd', '--checkpoint-every', '0', '--output', str(output)]
    killed(monkeypatch, command, journal.Epochs, 'add', call=3, after=True)
    path = checkpoint.folder(output) / 'epochs.csv'
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().split(b'\n1,')[0][:-3] if damage == 'torn' else damage)
    run.main([*command, '--resume'])
    assert 'has lost lines: it has %d of 2' % left in capsys.readouterr().out and [row['epoch'] for row in lines(output)] == [
        '1', '1', '2'][1 - left:]
    clean(output)
