"""run.py end to end, on the embedded glyphs."""
import json
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import compare
import run
import discovery
import utils
from results import records, unpickler
from runs import machine, network, options, sequence

SHORT = ['--experiment', 'glyphs', '--tasks', '0,glyphs-IJKLMN', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=50']


@pytest.mark.parametrize('approach', discovery.choices('approaches'))
def test_every_approach_leaves_a_matrix_and_a_record(approach, tmp_path, capsys):
    output = tmp_path / 'new' / 'out.txt'
    scenario = discovery.load('approaches', approach).Appr.scenarios[0]
    small = {'packnet': ['--retrain', '1'], 'gdumb': ['--passes', '2'], 'wa': ['--nepochs', '10'], 'online-meta': [
        '--net', 'nhid=50,nlayers=1', '--sbatch', '10', '--samples', '400']}.get(approach, [])  # a step per sample, one by one
    acc = run.main([*SHORT, '--samples', '400', '--approach', approach, '--scenario', scenario, *small, '--output', str(output)])
    assert acc.shape == (2, 2) and acc[0, 1] == 0 and np.diag(acc).min() > 0
    assert scenario != 'task' or acc[np.tril_indices(2)].min() > .08
    assert np.abs(np.loadtxt(output) - acc).max() < 1e-4
    record = json.loads((tmp_path / 'new' / 'out.json').read_text())
    assert record['status'] == 'finished' and record['tasks'] == ['glyphs-012345', 'glyphs-IJKLMN']
    assert np.allclose(record['accuracy'], acc, atol=1e-5)
    assert record['average_accuracy'] == pytest.approx(acc[1].mean(), abs=1e-5)
    assert record['forgetting'] == pytest.approx(acc[0, 0] - acc[1, 0], abs=1e-5)
    assert len(record['seconds_per_task']) == 2
    printed = capsys.readouterr().out
    assert printed.count('>>> Test on task') == 3 and 'Elapsed time' in printed


def test_same_command_same_numbers_and_hat_forgets_nothing(tmp_path, capsys):
    command = [*SHORT, '--approach', 'hat', '--lamb', '0.5', '--output', str(tmp_path / 'a.txt')]
    first, second = run.main(command), run.main(command)
    assert (first == second).all() and abs(first[0, 0] - first[1, 0]) < 0.005
    record = json.loads((tmp_path / 'a.json').read_text())
    assert (record['config']['lamb'], record['origin']['lamb']) == (0.5, '--lamb')
    assert (record['config']['smax'], record['origin']['smax']) == (400, 'default')
    other = run.main([*command[:-1], str(tmp_path / 'b.txt'), '--seed', '1'])
    assert (first != other).any()


def test_the_command_works_from_any_folder(shapes, tmp_path):
    script = str(utils.ROOT / 'src' / 'run.py')
    done = subprocess.run([sys.executable, script, '--experiment', 'split:shapes:2', *shapes, '--approach', 'random',
                           '--output', str(tmp_path / 'o.txt')], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == '' and (tmp_path / 'o.txt').exists()


def test_help_lists_what_the_approach_declares(capsys):
    for argv, has in ((['--help'], False), (['--approach', 'hat', '--help'], True)):
        with pytest.raises(SystemExit) as e:
            options.parse(argv)
        printed = capsys.readouterr().out
        assert e.value.code == 0 and ('--smax' in printed and '0.75' in printed and 'Section' in printed) == has


@pytest.mark.parametrize('argv, says', [
    (['--experiment', 'nope', '--approach', 'sgd'], ['nope', 'glyphs', 'pmnist']),
    (['--experiment', 'glyhps', '--approach', 'sgd'], ['perhaps glyphs']),
    (['--experiment', 'glyphs', '--approach', 'sgd-frosen'], ['perhaps sgd-frozen']),
    (['--experiment', 'glyphs', '--approach', 'nope'], ['nope', 'hat', 'sgd-frozen']),
    (['--experiment', 'glyphs'], ['--approach']),
    (SHORT[:2] + ['--approach', 'sgd', '--tasks', '0,zzz'], ['zzz', 'glyphs-012345']),
    (SHORT[:2] + ['--approach', 'sgd', '--tasks', '6'], ["'6'", '5 glyphs-UVWXYZ']),
    (SHORT[:2] + ['--approach', 'sgd', '--tasks', '1,1'], ['twice']),
    (SHORT + ['--approach', 'sgd', '--device', 'tpu'], ['tpu', 'cpu']),
    (SHORT + ['--approach', 'sgd', '--device', 'cuda:99'], ['cuda:99', 'cpu']),
    (SHORT + ['--approach', 'hat', '--parameter', '1'], ['lamb,smax', 'expected 2']),
    (SHORT + ['--approach', 'hat', '--parameter', '1,2,3'], ['lamb,smax', 'expected 2']),
    (SHORT + ['--approach', 'hat', '--parameter', '1,x'], ['smax', "'x'"]),
    (SHORT + ['--approach', 'hat', '--parameter', '-1,400'], ['lamb', '>= 0']),
    (SHORT + ['--approach', 'hat', '--smax', '1'], ['smax', '> 1']),
    (SHORT + ['--approach', 'lwf', '--T', '0'], ['T', '> 0']),
    (SHORT + ['--approach', 'ewc', '--lamb', '-1'], ['lamb', '>= 0']),
    (SHORT + ['--approach', 'ewc', '--parameter', '5000,20'], ['lamb', 'expected 1']),
    (SHORT + ['--approach', 'pathnet', '--generations', '0'], ['generations', '>= 1']),
    (SHORT + ['--approach', 'imm-mean', '--lamb', '1'], ['--lamb', 'imm-mode', '--regularizer']),
    (SHORT + ['--approach', 'hat-test', '--parameter', '1,x,400'], ['lamb,smax,logpath[,single_task]']),
    (SHORT + ['--approach', 'hat-test', '--parameter', '1,400,log,2'], ['single_task', '<= 1']),
    (SHORT + ['--approach', 'hat-test', '--logpath', '/dev/null/x'], ['/dev/null/x', 'cannot be written']),
    (SHORT + ['--approach', 'hat', '--smax', 'nan'], ['smax', 'nan']),
    (SHORT + ['--approach', 'hat', '--parameter', '1,400', '--lamb', '1'], ['either']),
    (SHORT + ['--approach', 'sgd', '--parameter', '1'], ['no hyper-parameters']),
    (SHORT + ['--approach', 'sgd', '--smax', '400'], ['--smax', 'hat']),
    (SHORT + ['--approach', 'sgd', '--nepoch', '3'], ['--nepoch', '--nepochs']),
    (SHORT + ['--approach', 'sgd', '--nepochs', '0'], ['nepochs', '>= 1']),
    (SHORT + ['--approach', 'sgd', '--sbatch', '1.5'], ['sbatch', 'whole']),
    (SHORT + ['--approach', 'sgd', '--lr', '0'], ['lr', '> 0']),
    (SHORT + ['--approach', 'sgd', '--lr', 'inf'], ['lr', 'inf']),
    (SHORT + ['--approach', 'sgd', '--seed', '-1'], ['seed', '>= 0']),
    (SHORT + ['--approach', 'sgd', '--pc-valid', '1'], ['[0,1)']),
    (SHORT + ['--approach', 'sgd', '--pc-valid', '0.0001'], ['no validation image']),
])
def test_bad_command_lines_are_refused_in_one_line(argv, says, refused, tmp_path):
    line = refused(run.main, [*argv, '--output', tmp_path / 'x' / 'o.txt'])
    assert all(word in line for word in says), line
    assert not (tmp_path / 'x').exists()


def test_outputs_that_cannot_be_written_are_refused_before_training(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(sequence, 'Sequence', None)
    (tmp_path / 'file').write_text('')
    for output, says in ((tmp_path / 'file' / 'o.txt', 'cannot be written'), (tmp_path, 'is a folder'),
                         (tmp_path / 'o.json', 'record')):
        assert says in refused(run.main, [*SHORT, '--approach', 'random', '--output', output])


def test_a_result_of_another_configuration_stays(refused, tmp_path, capsys):
    output = tmp_path / 'o.txt'
    run.main([*SHORT, '--approach', 'random', '--output', str(output)])
    before = output.read_text()
    line = refused(run.main, [*SHORT, '--approach', 'random', '--lr', '0.1', '--output', output])
    assert 'lr 0.05, now 0.1' in line and '--overwrite' in line and output.read_text() == before
    run.main([*SHORT, '--approach', 'random', '--lr', '0.1', '--output', str(output), '--overwrite'])
    records.record_path(output).unlink()
    assert 'no record' in refused(run.main, [*SHORT, '--approach', 'random', '--output', output])


def test_a_loss_that_is_not_finite_stops_the_run(refused, tmp_path, monkeypatch):
    sgd = discovery.load('approaches', 'sgd').Appr
    criterion = sgd.criterion
    monkeypatch.setattr(sgd, 'criterion', lambda self, output, y: criterion(self, output, y) * (
        float('nan') if self.at['task'] == 1 and self.model.training and self.progress > 0.5 else 1))
    line = refused(run.main, [*SHORT, '--approach', 'sgd', '--output', tmp_path / 'o.txt'])
    assert 'task 1 (glyphs-IJKLMN)' in line and 'batch 14 of 26' in line and 'nan' in line
    record = records.read_record(tmp_path / 'o.txt')
    assert record['status'].startswith('stopped') and np.array(record['accuracy']).shape == (1, 1)


def test_ctrl_c_ends_the_task_then_the_run(tmp_path, monkeypatch, capsys):
    sgd = discovery.load('approaches', 'sgd').Appr
    epochs, presses = [], {(0, 1), (1, 2)}

    def press(self, t, e, train, valid):
        epochs.append((t, e))
        if (t, e) in presses:
            raise KeyboardInterrupt
    monkeypatch.setattr(sgd, 'end_epoch', press)
    command = [*SHORT, '--approach', 'sgd', '--nepochs', '4', '--output', str(tmp_path / 'o.txt')]
    with pytest.raises(SystemExit) as e:
        run.main(command)
    assert e.value.code == 75 and epochs == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    printed = capsys.readouterr()
    assert 'training ends here' in printed.out and 'in task 1' in printed.err and 'Traceback' not in printed.err
    assert records.read_record(tmp_path / 'o.txt')['status'] == 'interrupted'


def test_hat_test_leaves_a_log_of_plain_arrays(tmp_path, capsys):
    log = tmp_path / 'logs' / 'glyphs.pkz'
    acc = run.main([*SHORT, '--approach', 'hat-test', '--parameter', '0.5,200,%s' % log, '--output',
                    str(tmp_path / 'o.txt')])
    logs = unpickler.load_log(log)
    assert logs['task_name'] == {0: 'glyphs-012345', 1: 'glyphs-IJKLMN'}
    assert np.allclose([logs['test_acc'][t] for t in (0, 1)], acc)
    assert logs['train_reg'][1].shape == (1,) and set(logs['mask'][1][0]) == {-1, 0}
    assert logs['mask'][0][1][0].shape == (1, 50) and (logs['mask_pre'][0][0] == 0).all()
    assert (logs['mask_pre'][1][0] >= logs['mask'][0][0][0] - 1e-6).all()


def test_an_approach_names_the_networks_that_it_can_use():
    class Experiment:
        network = 'resnet'
    with pytest.raises(utils.UserError, match='hat needs a network resnet_hat.*alexnet_hat, mlp_hat'):
        network.choose(Experiment, SimpleNamespace(approach='hat', network=None), discovery.load('approaches', 'hat').Appr)


def test_the_record_has_what_was_in_force_and_the_time_is_readable(tmp_path, capsys):
    run.main([*SHORT, '--approach', 'ewc', '--output', str(tmp_path / 'o.txt')])
    record = records.read_record(tmp_path / 'o.txt')
    assert (record['pc_valid'], record['clipgrad']) == (.1, 100) and ' min ' in capsys.readouterr().out.split('Elapsed time')[1].splitlines()[0]
    run.main([*SHORT, '--approach', 'sgd', '--pc-valid', '0.3', '--output', str(tmp_path / 'p.txt')])
    record = records.read_record(tmp_path / 'p.txt')
    assert (record['pc_valid'], record['clipgrad']) == (.3, 10000)


def test_without_the_packages_one_line_says_where_they_are():
    for script in ('run.py', 'run_multi.py', 'work.py', 'plot_results.py', 'compare.py'):
        done = subprocess.run([sys.executable, '-S', str(utils.ROOT / 'src' / script)], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count('\n') == 1 and 'source .venv/bin/activate' in done.stderr


def test_help_shows_no_empty_default(capsys):
    with pytest.raises(SystemExit):
        options.parse(['--approach', 'hat-test', '--help'])
    printed = ' '.join(capsys.readouterr().out.split())
    assert '--logpath' in printed and 'default )' not in printed and 'default ;' not in printed and '(default None' not in printed


def test_new_files_in_src_count_as_differing_from_the_commit(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(['git', '-C', str(tmp_path), '-c', 'user.name=n', '-c', 'user.email=e', *words], check=True, capture_output=True)
    (tmp_path / 'src').mkdir(), (tmp_path / 'src' / 'a.py').write_text('')
    git('init'), git('add', '.'), git('commit', '-m', 'm')
    monkeypatch.setattr(machine, 'ROOT', tmp_path)
    assert not machine.git_commit().endswith('+')
    (tmp_path / 'notes.txt').write_text('')
    assert not machine.git_commit().endswith('+')
    (tmp_path / 'src' / 'mine.py').write_text('')
    assert machine.git_commit().endswith('+')


def test_table_of_results(tmp_path, capsys, refused):
    for a in ('random', 'sgd'):
        run.main([*SHORT, '--approach', a, '--output', str(tmp_path / (a + '.txt'))])
    capsys.readouterr()
    compare.main([str(tmp_path / 'random.txt'), str(tmp_path / 'sgd.txt')])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ['random', 'sgd'] and lines[1].startswith('glyphs-012345')
    assert any(line.startswith('forgetting') for line in lines)
    assert compare.main([str(tmp_path / 'sgd.txt'), str(tmp_path / 'sgd.json')]) == 0
    assert 'sgd (%s)  ' % (tmp_path / 'sgd.txt') in capsys.readouterr().out
    run.main([*SHORT, '--approach', 'sgd', '--lr', '.1', '--seed', '1', '--output', str(tmp_path / 'other.txt')])
    capsys.readouterr()
    compare.main([str(tmp_path / f) for f in ('random.txt', 'sgd.txt', 'other.txt')])
    heads = re.split('  +', capsys.readouterr().out.splitlines()[0])
    assert heads[1:] == ['random', 'sgd, seed=0, lr=0.05', 'sgd, seed=1, lr=0.1']
    assert 'there is no record' in refused(compare.main, [tmp_path / 'none.txt'])
