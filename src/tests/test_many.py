"""Plans of many runs: run_multi.py, work.py, their failures, and a real Slurm where there is one."""
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import discovery
import dataloaders
import run
import run_multi
import work
from conftest import copying, words
from results import records
from runs import launch, plan, tuned
from runs import slurm as slurm_runs
from utils import ROOT, UserError

PASSED = ['--', '--nepochs', '1', '--tasks', '0', '--device', 'cpu']
SHAPES = 'split:shapes:2'


def multi(folder, *options, passed=PASSED, experiment='glyphs'):
    """Calls run_multi.py on random and sgd, two seeds, with results in a folder."""
    return run_multi.main(['--experiments', experiment, '--approaches', 'random,sgd', '--seeds', '0-1',
                           '--res_folder', str(folder), *options, *passed])


def test_without_execute_the_plan_is_only_shown(tmp_path, capsys):
    assert multi(tmp_path / 'res') == 0
    printed = capsys.readouterr().out
    assert printed.count('missing ') == 4 and 'time left unknown' in printed and '--execute' in printed
    assert not (tmp_path / 'res').exists()


def test_a_plan_does_what_is_missing(shapes, tmp_path, capsys):
    passed, outputs = ['--', *shapes], [tmp_path / ('split-shapes-2_sgd_%d.txt' % seed) for seed in (0, 1)]

    def again(*options, passed=passed):
        return multi(tmp_path, '--approaches', 'sgd', *options, passed=passed, experiment=SHAPES)
    run.main(['--experiment', SHAPES, *shapes, '--approach', 'sgd', '--output', str(outputs[0])])
    before = outputs[0].stat().st_mtime_ns
    capsys.readouterr()
    assert again() == 0
    printed = capsys.readouterr().out
    assert '1 finished, 1 missing; about ' in printed and 'unknown' not in printed
    assert again('--execute') == 0
    assert records.finished(outputs[1]) and outputs[0].stat().st_mtime_ns == before
    log = plan.Run(['--experiment', SHAPES, *shapes, '--approach', 'sgd', '--output', str(outputs[1])]).log
    assert log.is_relative_to(ROOT / 'logs') and '>>> Test on task' in log.read_text()
    shutil.rmtree(log.parent)
    with pytest.raises(UserError, match='another configuration'):
        again(passed=[*passed, '--nepochs', '2'])


def test_runs_that_fail_or_are_killed_are_named_and_the_others_carried_on(shapes, tmp_path, capfd,
                                                                          monkeypatch):
    def execute(*options):
        return multi(tmp_path, '--approaches', 'random', '--seeds', '0-2', *options, passed=['--', *shapes],
                     experiment=SHAPES)
    first = tmp_path / 'split-shapes-2_random_0.txt'
    first.mkdir()  # in the way
    with pytest.raises(UserError, match='in the way'):
        execute('--execute')
    first.rmdir()
    output = tmp_path / 'split-shapes-2_random_2.txt'
    argv = ['--experiment', SHAPES, *shapes, '--approach', 'random', '--seed', '2', '--output', str(output)]
    ends = [words('import sys; sys.exit("the loss became nan")'), words('import os; os.kill(os.getpid(), 9)'),
            copying(argv, tmp_path / 'made')]
    monkeypatch.setattr(plan.Run, 'command', property(lambda self: ends[self.args.seed]))
    assert execute('--execute') == 1
    out, err = capfd.readouterr()
    assert '1 runs finished, 2 failed' in out
    assert err.count('failed (exit status 1)') == err.count('failed (exit status -9)') == 1
    assert 'loss became' in err and '.log' in err and list(tmp_path.glob('*.txt')) == [output]
    assert execute() == 0 and '1 finished, 2 missing' in capfd.readouterr().out


def planned(capsys, *options, approaches='random,sgd,hat', experiments='glyphs', passed=()):
    """Return the calls that a plan shows, {approach: the words of the last}, and the lines on what is left out."""
    assert run_multi.main(['--experiments', experiments, '--approaches', approaches, '--seeds', '0', *options, '--', *passed]) == 0
    lines = capsys.readouterr().out.splitlines()
    calls = [line.split() for line in lines if 'src/run.py' in line]
    return {words[words.index('--approach') + 1]: words for words in calls}, [line for line in lines if line.startswith('Left out')]


def test_what_an_approach_cannot_take_is_left_out_of_its_runs_and_said(tmp_path, capsys):
    folder = '--res_folder', str(tmp_path)
    calls, said = planned(capsys, *folder, passed=['--save', '--optimizer', 'adam', '--weight-decay=0.1', '--nepochs', '2'])
    assert all({'--save', 'adam'} <= set(calls[a]) for a in ('sgd', 'hat'))
    assert not {'--save', '--optimizer', 'adam', '--weight-decay=0.1'} & set(calls['random']) and '2' in calls['random']
    assert [' random: ' in line for line in said] == [True] * 2 and any('--save' in line for line in said)
    calls, said = planned(capsys, *folder, passed=['--scenario', 'class', '--infer', 'energy', '--calibrate'])
    assert {'--infer', '--calibrate'} <= set(calls['hat']) and not {'--infer', '--calibrate'} & set(calls['sgd']) and len(said) == 2
    for passed, approaches, says in ((['--save'], 'random', 'has no model'), (['--lr', '1e-9'], 'random,sgd', 'below --lr-min'),
                                     (['--lamb', '1'], 'sgd,hat', 'is an option of')):
        with pytest.raises(UserError, match=says):  # nobody can take it, or it is not an approach that cannot
            planned(capsys, *folder, approaches=approaches, passed=passed)


def test_the_table_of_methods_has_what_their_classes_promise_and_the_certificate_found(monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location('methods', ROOT / 'scripts' / 'methods.py')
    methods = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(methods)
    plans, change = [], {'smnist': .5, 'smnist-class': 9, 'smnist-domain': 9}

    def found(experiment, approaches, folders, seeds):
        record = {'parameters': methods.parameters() + 250000, 'kept_megabytes': .5,
                  'largest_change': {'logits': [change[experiment], 0.]}}
        acc = np.float32([[1, 0], [.5, 1]])
        return {a: {s: {'acc': acc, 'seconds': 2., 'record': record} for s in seeds} for a in approaches}
    monkeypatch.setattr(methods.run_multi, 'main', plans.append)
    monkeypatch.setattr(methods.collect, 'collect', found)
    monkeypatch.setattr(sys, 'argv', ['methods.py', '--approaches', 'hat,icarl,er', '--seeds', '0-1'])
    methods.main()
    assert capsys.readouterr().out.splitlines()[2:] == [
        '| `hat` | isolation | inferred | 75.0, 50.0 | 75.0, 50.0 | 75.0, 50.0 | up to masks | 5e-01 | 2 | 1.5 |',
        '| `icarl` | replay | no |  | 75.0, 50.0 |  | no | 9e+00 | 2 | 1.5 |',
        '| `er` | replay | no | 75.0, 50.0 | 75.0, 50.0 | 75.0, 50.0 | no | 5e-01 | 2 | 1.5 |']
    assert [(p[3], p[p.index('--scenario') + 1], 'adam' in p) for p in plans] == [
        ('hat,er', 'task', False), ('hat,er', 'class', False), ('icarl', 'class', True), ('hat,er', 'domain', False)]


def test_a_plan_takes_settings_for_each_approach_and_names_of_run_py(tmp_path, capsys):
    file, folder = tmp_path / 'tuned.toml', ('--res_folder', str(tmp_path))
    file.write_text('[hat]\nlamb = 0.5\nlr = 0.1\n[ewc-online]\nlamb = 7\n')
    settings = '--settings', str(file)
    calls, _ = planned(capsys, *folder, *settings, experiments='glyphs,split:glyphs:6', passed=['--nepochs', '2'])
    assert {'--lamb=0.5', '--lr=0.1', '--nepochs'} <= set(calls['hat']) and 'split:glyphs:6' in calls['hat']
    assert not any(word.startswith(('--lamb', '--lr')) for word in calls['sgd'] + calls['random'])
    calls, _ = planned(capsys, *folder, *settings, passed=['--lr', '0.3'])
    assert {'--lamb=0.5', '--lr', '0.3'} <= set(calls['hat']) and '--lr=0.1' not in calls['hat']
    for text, says in (('lamb = 1\n', 'in no table'), ('[hut]\n', 'perhaps hat'), ('[hat]\nseed = 1\n', 'the plan sets it'),
                       ('[hat]\nlamda = 1\n', 'perhaps lamb'), ('[hat]\nlamb = true\n', 'expected a value'), ('[', 'not TOML'),
                       ('[hat]\nlamb = -1\n', '--lamb must be')):
        file.write_text(text)
        with pytest.raises(UserError, match=says):
            planned(capsys, *folder, *settings)


def test_a_python_that_reads_no_toml_is_told_so(tmp_path, monkeypatch, capsys):
    for name in ('tomllib', 'tomli'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match='--settings: this Python cannot read TOML'):
        planned(capsys, '--settings', str(tmp_path / 'a.toml'))
    tuned.keep(tmp_path / 'new.toml', 'hat', {'lamb': .5}, 'a note')  # needs none to be written
    assert (tmp_path / 'new.toml').read_text() == '[hat]\n# a note\nlamb = 0.5\n'


def test_the_kept_table_of_an_approach_takes_the_place_of_its_last_and_others_stay(tmp_path):
    file = tmp_path / 'a.toml'
    tuned.keep(file, 'hat', {'lamb': 1e-05, 'smax': 400}, 'one')
    tuned.keep(file, 'ewc-online', {'lamb': 7.}, 'two')
    file.write_text('# mine\n' + file.read_text() + 'gamma = 0.5  # mine too\n')
    tuned.keep(file, 'hat', {'lamb': 2.5}, 'three')
    text = file.read_text()
    assert tuned.read(file) == {'hat': {'lamb': 2.5}, 'ewc-online': {'lamb': 7., 'gamma': .5}}
    assert text.startswith('# mine\n[hat]\n# three\n') and '# mine too' in text and 'one' not in text.replace('-online', '')
    for text in ('hat = {lamb = 1}\n', '["h\\u0061t"]\nlamb = 1\n', '[sgd]\ntasks = [\n[1], [2]]\n[hat]\nnet = """\n[hat]\n"""\n'):
        file.write_text(text)
        with pytest.raises(UserError, match='give another file|in no table'):
            tuned.keep(file, 'hat', {'lamb': 3}, 'four')
        assert file.read_text() == text and list(tmp_path.iterdir()) == [file]


def test_a_search_keeps_the_best_of_the_first_tasks_for_a_plan(tmp_path, in_process, capsys):
    file = tmp_path / 'tuned.toml'
    command = ['cpu', 'glyphs', 'hat', str(tmp_path / 'grid'), '--grid', 'lamb=0.5,1', 'lr=0.1', '--tune-tasks', '2', '--keep', str(file),
               '--execute', '--', '--nepochs', '1', '--tasks', '3,0,1', '--device', 'cpu', '--net', 'nhid=20']
    assert work.main(command) == 0
    results = {v: tmp_path / 'grid' / ('glyphs_hat-%s-0.1_0.json' % v) for v in ('0.5', '1')}
    for value, valid in (('0.5', .2), ('1', .9)):
        record = json.loads(results[value].read_text())
        assert record['tasks'] == ['glyphs-IJKLMN', 'glyphs-012345'] and record['config']['lr'] == .1
        results[value].write_text(json.dumps({**record, 'valid_accuracy': [valid, valid]}))
    file.write_text('[sgd]\nlr = 0.2\n')
    assert work.main(command) == 0
    assert tuned.read(file) == {'sgd': {'lr': .2}, 'hat': {'lamb': 1., 'lr': .1}}
    assert '# best of 2 of 2 runs on glyphs by validation accuracy of tasks 3,0: 90.00 %' in file.read_text()
    assert '--lamb=1.0' in planned(capsys, '--settings', str(file))[0]['hat']


@pytest.mark.parametrize('experiment', ['pmnist', 'mnist2', 'glyphs', 'bare'])
def test_nothing_is_chosen_by_training_data(experiment, tmp_path, monkeypatch, capsys):
    (tmp_path / 'bare.py').write_text(
        'import torch\nnetwork = "mlp"\ndef get(seed=0):\n    x, y = torch.rand(8, 1, 4, 4), torch.arange(8) % 2\n    data = {0: {'
        '"name": "a", "ncla": 2, **{s: {"x": x, "y": y} for s in ("train", "valid", "test")}}}\n    return data, [(0, 2)], [1, 4, 4]\n')
    monkeypatch.setattr(dataloaders, '__path__', [*dataloaders.__path__, str(tmp_path)])
    command = ['cpu', experiment, 'hat', str(tmp_path / 'res'), '--grid', 'lamb=1', '--keep', str(tmp_path / 'a.toml'), '--']
    passed = ['--pc-valid', '0'] if experiment == 'glyphs' else []
    with pytest.raises(UserError, match='validates on its training data.*--pc-valid'):
        work.main([*command, *passed])
    if experiment != 'bare':
        assert work.main([*command, '--pc-valid', '0.1']) == 0
    assert work.main([word for word in command if word not in ('--keep', str(tmp_path / 'a.toml'))]) == 0  # which chooses nothing


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_stopping_the_plan_stops_its_workers(how, shapes, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(plan.Run, 'command', words('import time; time.sleep(60)'))
    started, start = [], subprocess.Popen

    def counted(*args, **more):
        started.append(start(*args, **more))
        if len(started) == 2:
            os.kill(os.getpid(), how)
        return started[-1]
    monkeypatch.setattr(subprocess, 'Popen', counted)
    # which a suite in the background is told to ignore
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as e:
            launch.script(lambda: multi(tmp_path, '--approaches', 'sgd', '--execute', '--nproc', '2', passed=['--', *shapes],
                                        experiment=SHAPES), 'run_multi.py')
    finally:
        signal.signal(signal.SIGINT, before)
    err = capfd.readouterr().err
    assert e.value.code == 130 and 'Traceback' not in err and 'interrupted' in err
    assert [worker.returncode for worker in started] == [-signal.SIGTERM] * 2


def test_work_walks_the_grid_and_judges_by_validation(tmp_path, in_process, capsys):
    command = ['cpu', 'glyphs', 'imm-mode', str(tmp_path), '--grid', 'lamb=1,0.01', '--execute', *PASSED, '--net', 'nhid=20']
    assert work.main(command) == 0
    assert sorted(f.name for f in tmp_path.glob('*.txt')) == ['glyphs_imm-mode-%s_0.txt' % v for v in ('0.01', '1')]
    for value, valid in (('1', 0.9), ('0.01', 0.1)):  # test accuracy must not count
        path = tmp_path / ('glyphs_imm-mode-%s_0.json' % value)
        record = json.loads(path.read_text())
        assert len(record['valid_accuracy']) == 1
        path.write_text(json.dumps({**record, 'valid_accuracy': [valid], 'accuracy': [[1 - valid]]}))
    capsys.readouterr()
    assert work.main(command) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == 'Best by validation accuracy: lamb=1' and printed[-3].split() == ['1', '90.00%', '10.00%', '-']


def test_grids_are_the_declared_ones_or_those_given():
    declared = discovery.load('approaches', 'hat').Appr.hyperparameters
    assert work.grid(declared)['smax'] == [25, 50, 100, 200, 400, 800] and len(work.grid(declared)['lamb']) == 8
    assert work.grid(declared, ['smax=100,400']) == {'smax': [100, 400]}
    points = work.sample(declared, work.grid(declared), 20, 0)
    assert points == work.sample(declared, work.grid(declared), 20, 0) and len(points) == 20
    assert all(0.1 <= p['lamb'] <= 4 and 25 <= p['smax'] <= 800 for p in points)


HEAD = ['--experiments', 'glyphs', '--approaches', 'sgd']


@pytest.mark.parametrize('module, argv, says', [
    (run_multi, ['--experiments', 'glyphs,zzz', '--approaches', 'sgd'], ['zzz', 'pmnist']),
    (run_multi, ['--experiments', 'glyphs', '--approaches', 'sgd,zzz'], ['zzz', 'hat']),
    (run_multi, [*HEAD, '--seeds', '5-1'], ['5-1', 'seeds']),
    (run_multi, [*HEAD, '--seeds', 'a'], ['0-9']),
    (run_multi, [*HEAD, '--seeds', '0', '--nruns', '3'], ['either']),
    (run_multi, [*HEAD, '--nproc', '0'], ['>= 1']),
    (run_multi, [*HEAD, '--ngpus', '99'], ['99', 'this machine has']),
    (run_multi, [*HEAD, '--', '--lr', '-1'], ['lr', '> 0']),
    (run_multi, [*HEAD, '--', '--seed', '3'], ['--seed', 'the plan sets it']),
    (work, ['cpu', 'glyphs', 'sgd', 'x'], ['no grid']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--grid', 'gamma=1'], ['gamma', 'lamb, smax']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--grid', 'lamb'], ['NAME=V']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--grid', 'lamb=1,x'], ['lamb', "'x'"]),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--search', 'random', '--grid', 'lamb=0,1'], ['> 0']),
    (work, ['cpu', 'zzz', 'hat', 'x'], ['zzz', 'glyphs']),
    (work, ['77', 'glyphs', 'hat', 'x'], ['77', 'cpu']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--tune-tasks', '7'], ['7', 'there are 6']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--keep', 'x.json'], ['.toml']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--keep', '/dev/null/x.toml', '--execute'], ['cannot be written']),
    (work, ['cpu', 'glyphs', 'hat', 'x', '--grid', 'lr=0.1', '--', '--lr', '0.2'], ['--lr', 'the plan sets it']),
])
def test_bad_plans_are_refused_in_one_line(module, argv, says, refused):
    line = refused(module.main, argv)
    assert all(word in line for word in says), line


SLURM = [shutil.which(c) for c in ('slurmctld', 'slurmd', 'munged', 'sbatch', 'squeue')]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm of one node on this machine, with its own key, sockets and folders, for the time of a test."""
    pytest.importorskip('submitit', reason='needs: pip install submitit')
    host = subprocess.run(['hostname', '-s'], capture_output=True, text=True).stdout.strip()
    key, socket = tmp_path / 'munge.key', tmp_path / 'munge.socket'
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600), tmp_path.chmod(0o755)
    (tmp_path / 'slurm.conf').write_text('\n'.join([
        'ClusterName=test', 'SlurmctldHost=%s(127.0.0.1)' % host, 'AuthType=auth/munge', 'AuthInfo=socket=%s' % socket,
        'ProctrackType=proctrack/linuxproc', 'TaskPlugin=task/none', 'SlurmUser=root', 'SlurmdUser=root',
        'SlurmctldPort=16817', 'SlurmdPort=16818', 'MpiDefault=none', 'ReturnToService=2',
        'StateSaveLocation=%s/state' % tmp_path, 'SlurmdSpoolDir=%s/spool' % tmp_path,
        'SlurmctldPidFile=%s/ctld.pid' % tmp_path, 'SlurmdPidFile=%s/d.pid' % tmp_path,
        'SlurmctldLogFile=%s/ctld.log' % tmp_path, 'SlurmdLogFile=%s/d.log' % tmp_path,
        'SelectType=select/cons_tres', 'SelectTypeParameters=CR_Core',
        'NodeName=%s NodeAddr=127.0.0.1 CPUs=%d RealMemory=2000 State=UNKNOWN' % (host, os.cpu_count()),
        'PartitionName=main Nodes=%s Default=YES MaxTime=INFINITE State=UP' % host, '']))
    monkeypatch.setenv('SLURM_CONF', str(tmp_path / 'slurm.conf'))
    (tmp_path / 'state').mkdir(), (tmp_path / 'spool').mkdir()
    daemons = [subprocess.Popen(['munged', '--foreground', '--force', '--key-file', str(key), '--socket', str(socket),
                                 '--pid-file', str(tmp_path / 'munged.pid'), '--log-file', str(tmp_path / 'munged.log'),
                                 '--seed-file', str(tmp_path / 'munged.seed')])]
    try:
        time.sleep(1)
        daemons += [subprocess.Popen(['slurmctld', '-D']), subprocess.Popen(['slurmd', '-D', '-N', host])]
        for _ in range(60):
            if 'idle' in subprocess.run(['sinfo', '-h', '-o', '%T'], capture_output=True, text=True).stdout:
                break
            time.sleep(0.5)
        else:
            pytest.skip('the one-node Slurm did not come up: ' + ' '.join(
                f.read_text()[-300:] for f in tmp_path.glob('*.log')))
        yield
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(10)


@pytest.mark.skipif(None in SLURM or os.getuid() != 0, reason='needs root and Debian\'s slurm-wlm and munge')
def test_slurm_carries_out_the_same_plan(slurm, tmp_path, capfd):
    options = '--execute', '--launcher', 'slurm', '--partition', 'main', '--timeout-min', '10'
    assert multi(tmp_path / 'res', *options) == 0
    out = capfd.readouterr().out
    assert 'Submitted 4 jobs' in out and '4 runs finished, 0 failed' in out
    for f in ('glyphs_sgd_1.txt', 'glyphs_sgd_1.json'):
        (tmp_path / 'res' / f).unlink()
    assert multi(tmp_path / 'res', *options, passed=PASSED) == 0
    assert 'Submitted 1 jobs' in capfd.readouterr().out
    assert records.read_record(tmp_path / 'res' / 'glyphs_sgd_1.txt')['status'] == 'finished'
    here = run.main(['--experiment', 'glyphs', '--approach', 'sgd', '--seed', '1', '--output', str(tmp_path / 'o.txt'),
                     *PASSED[1:]])
    assert abs(records.read_record(tmp_path / 'res' / 'glyphs_sgd_1.txt')['accuracy'][0][0] - here[0, 0]) < 0.02


def test_jobs_that_can_never_start_are_named_and_taken_out_of_the_queue(tmp_path, monkeypatch, capsys):
    for name, script in (('squeue', 'echo 7_0 PartitionConfig; echo 7_1 Priority; echo 7_2 None'), ('scancel', 'echo $* > %s/gone')):
        (tmp_path / name).write_text('#!/bin/sh\n' + script.replace('%s', str(tmp_path)) + '\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv('PATH', '%s:%s' % (tmp_path, os.environ['PATH']))
    assert slurm_runs.cancel_hopeless(slurm_runs.in_queue(), ['7_0', '7_1']) == {'7_1': 'Priority', '7_2': 'None'}
    assert (tmp_path / 'gone').read_text() == '7_0\n'
    assert '1 jobs can never start (PartitionConfig)' in capsys.readouterr().err


def test_a_job_that_is_stopped_goes_on_until_its_starts_get_nowhere(tmp_path):
    pytest.importorskip('submitit', reason='needs: pip install submitit')
    saved, job = tmp_path / 'checkpoint.pt', slurm_runs.Call()
    call = [], str(tmp_path / 'log'), str(saved)

    def stopped(progress):
        job.before, job.process = slurm_runs.changed(saved), subprocess.Popen(['sleep', '60'])
        if progress:
            saved.write_text('x'), os.utime(saved, ns=(progress, progress))
        return job.checkpoint(*call)
    for i in range(2 * slurm_runs.TRIES):  # as often as it takes
        assert stopped(i + 1).function is job
    for _ in range(slurm_runs.TRIES - 1):
        stopped(0)
    with pytest.raises(RuntimeError, match='before the end of an epoch'):
        stopped(0)
    assert 'timeout-min' in (tmp_path / 'log').read_text()
