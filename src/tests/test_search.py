"""work.py --search optuna: what it draws, gives up, remembers and refuses."""
import shutil
import signal
import sys

import pytest

import work
from results import records, surfaces
from runs import checkpoint, local, locking, plan, search, study
from utils import ROOT

FAKE = '''
import json, os, sys, time
words = dict(w.split('=', 1) if '=' in w else (w, v) for w, v in zip(sys.argv[1:], sys.argv[2:] + ['']) if w.startswith('--'))
lamb, name = float(words['--lamb']), words['--output']
open(name + '.starts', 'a').write('x')
if lamb > 3:
    sys.exit(2)
good = .9 - abs(lamb - 1) / 4
rows = [[good - .1 * t] * (t + 1) + [0.] * (2 - t) for t in range(3)]
for t, last in ((0, False), (1, False), (2, False), (2, True)):
    n = t + 1
    matrix = [r[:n] for r in rows[:n]]
    open(name, 'w').write('\\n'.join(' '.join('%.4f' % v for v in r + [0] * (3 - n)) for r in matrix + [[0] * n] * (3 - n)) + '\\n')
    record = {'status': 'finished' if last else 'running', 'command': ['src/run.py'] + [w for w in sys.argv[1:] if w != '--resume'],
              'config': {'experiment': 'glyphs', 'approach': 'hat', 'lamb': lamb}, 'tasks': list('abc'), 'seconds': 1,
              'accuracy': matrix, 'valid_matrix': matrix}
    if last:
        record['valid_accuracy'] = rows[2]
    open(name[:-3] + 'new', 'w').write(json.dumps(record))
    os.replace(name[:-3] + 'new', name[:-3] + 'json')
    time.sleep(0 if last else PAUSE)
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Runs that only pretend, for speed: best at lamb 1, failing above 3. Gives call(trials, ...), which searches with them, and the
    study's trials."""
    optuna = pytest.importorskip('optuna', reason='needs: pip install optuna')
    pause = [0.]

    def command(self):
        return [sys.executable, '-S', '-c', FAKE.replace('PAUSE', str(pause[0])), *self.argv]
    monkeypatch.setattr(plan.Run, 'command', property(command)), monkeypatch.setattr(search, 'EVERY', 0.02)

    def call(trials, *more, folder=tmp_path / 'res', grid=('lamb=0.1,2.9',), seconds=0., passed=PASSED):
        pause[0] = seconds
        return work.main(['cpu', 'glyphs', 'hat', str(folder), '--search', 'optuna', '--trials', str(trials), '--grid', *grid,
                          '--execute', *more, *passed])

    def trials(folder=tmp_path / 'res'):
        journal = optuna.storages.journal.JournalFileBackend(str(folder / study.FILE))
        return optuna.load_study(study_name='search', storage=optuna.storages.JournalStorage(journal)).get_trials()
    return call, trials


PASSED = ['--', '--nepochs', '1', '--device', 'cpu']


def starts(folder):
    """How often a run was started."""
    return sum(len(f.read_text()) for f in folder.glob('*.starts'))


def test_a_search_finds_the_optimum_gives_up_what_falls_behind_and_runs_nothing_twice(fake, tmp_path, capsys):
    call, trials = fake
    folder = tmp_path / 'res'
    assert call(14, '--nproc', '2', seconds=0.3) == 0
    printed, states = capsys.readouterr().out, [t.state.name for t in trials()]
    pruned = states.count('PRUNED')
    assert len(states) == 14 and 1 <= pruned <= 9 and states.count('COMPLETE') == 14 - pruned
    assert printed.count('pruned after task 1') == pruned and '%d runs finished, %d pruned, 0 failed' % (14 - pruned, pruned) in printed
    best = float(printed.rsplit('lamb=', 1)[1])
    assert abs(best - 1) < 0.35 and (folder / ('glyphs_hat-%g_0.txt' % best)).exists()
    for t in trials():  # what falls behind had fewer steps than the others, and each value is the mean of the tasks so far
        assert len(t.intermediate_values) == (2 if t.state.name == 'PRUNED' else 3)
        assert t.intermediate_values[0] == pytest.approx(.9 - abs(float('%.3g' % t.params['lamb']) - 1) / 4)
    drawn = surfaces.points(surfaces.grid('glyphs', ['hat'], [folder]), ['lamb'])
    assert drawn['which'] == 'validation' and len(drawn['points']) == 14 - pruned
    assert starts(folder) == 14 and call(14) == 0 and starts(folder) == 14
    again = capsys.readouterr().out
    assert '0 missing' in again and again.count('pruned after task 1') == pruned and 'lamb=%g' % best in again
    assert call(15) == 0 and starts(folder) == 15 and len(trials()) == 15


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(fake, tmp_path, monkeypatch):
    call, trials = fake
    assert call(6, folder=tmp_path / 'whole') == 0

    def killed(self):
        if sum(t.state.name == 'COMPLETE' for t in trials()) == 3:
            raise MemoryError
        return carry_out(self)
    carry_out = search.Trial.carry_out
    monkeypatch.setattr(search.Trial, 'carry_out', killed)
    with pytest.raises(MemoryError):
        call(6)
    monkeypatch.setattr(search.Trial, 'carry_out', carry_out)
    assert [t.state.name for t in trials()] == ['COMPLETE'] * 3 + ['RUNNING']
    with open(tmp_path / 'res' / study.FILE, 'a') as f:
        f.write('{"half a li')
    assert call(6) == 0
    points = [[t.params for t in trials(folder) if t.state.name == 'COMPLETE'] for folder in (tmp_path / 'whole', tmp_path / 'res')]
    assert points[0] == points[1] and len(points[0]) == 6 and starts(tmp_path / 'res') == 6


def test_failed_trials_are_told_as_such_and_replaced_by_the_next_start(fake, tmp_path, capfd):
    call, trials = fake
    assert call(6, grid=['lamb=0.1,40']) == 1
    states, out = [t.state.name for t in trials()], capfd.readouterr()
    failed = states.count('FAIL')
    assert 1 <= failed == out.err.count('failed (exit status 2)') and len(states) == 6 and '%d failed' % failed in out.out
    call(6, grid=['lamb=0.1,40'])
    assert len({str(t.params) for t in trials()}) == len(trials()) == 6 + failed


def test_a_run_stopped_by_others_is_tried_again(fake, tmp_path, monkeypatch):
    call, trials = fake
    with monkeypatch.context() as m:
        m.setattr(plan.Run, 'command', [sys.executable, '-S', '-c', 'import sys; sys.exit(75)'])
        assert call(1) == 1 and [t.state.name for t in trials()] == ['RUNNING']
    assert call(1) == 0
    first, second = trials()
    assert (first.state.name, second.state.name) == ('FAIL', 'COMPLETE') and first.params == second.params


def test_nothing_is_given_up_after_the_last_task(fake, monkeypatch):
    call, trials = fake
    monkeypatch.setattr('optuna.trial.Trial.should_prune', lambda self: 2 in trials()[self.number].intermediate_values)
    assert call(1, seconds=0.3) == 0 and trials()[0].state.name == 'COMPLETE'


def test_values_that_span_no_range_are_categories_and_a_point_is_run_once(fake, tmp_path):
    call, trials = fake
    assert call(6, '--nproc', '2', grid=['lamb=0,1,2']) == 0
    assert {t.params['lamb'] for t in trials()} <= {0, 1, 2} and len(trials()) == 6
    assert starts(tmp_path / 'res') == len({t.params['lamb'] for t in trials()})


def test_a_trial_is_judged_by_its_last_value_not_its_best():
    optuna = pytest.importorskip('optuna', reason='needs: pip install optuna')
    of = study.pruner(optuna)
    past = optuna.create_study(direction='maximize', pruner=of)
    for i in range(study.STARTUP):
        past.add_trial(optuna.create_trial(value=.7, intermediate_values={0: .9, 1: .8 + i / 100, 2: .7}))

    def judged(*values):
        trial = past.ask()
        for t, v in enumerate(values):
            trial.report(v, t)
        return trial.should_prune()
    assert judged(.99, .81) and not judged(.99, .83)  # forgetting, which the first task's accuracy hides
    assert not judged(.1) and judged(.1, .1)
    past.pruner = optuna.pruners.MedianPruner()
    assert not judged(.99, .81)


def searched(folder, *options, passed=PASSED):
    """A command line."""
    return ['cpu', 'glyphs', 'hat', str(folder), '--search', 'optuna', *options, *passed]


def test_without_optuna_the_command_that_installs_it_is_named(tmp_path, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, 'optuna', None)
    assert 'pip install -U optuna' in refused(work.main, searched(tmp_path))
    assert work.main(['cpu', 'glyphs', 'hat', str(tmp_path), *PASSED]) == 0


def test_what_cannot_be_searched_is_refused_by_name(fake, tmp_path, refused, capsys):
    call, trials = fake
    folder, grid = tmp_path / 'res', ['--grid', 'lamb=0.1,2.9']
    assert work.main(searched(folder, *grid)) == 0 and not folder.exists()  # only shown
    printed = capsys.readouterr().out
    assert '0.1 to 2.9' in printed and '10 missing' in printed and 'add --execute' in printed
    call(1)
    assert 'array' in refused(work.main, searched(folder, '--launcher', 'slurm'))
    assert 'lamb [0.1, 2.9], now [0.1, 4.0]' in refused(work.main, searched(folder, '--grid', 'lamb=0.1,4'))
    assert 'nepochs 1, now 2' in refused(work.main, searched(folder, *grid, passed=['--', '--nepochs', '2']))
    assert 'seed 0, now 1' in refused(work.main, searched(folder, *grid, '--seed', '1'))
    other = searched(folder, '--grid', 'lamb=0.1,2.9')
    other[2] = 'ewc'
    assert 'approach hat, now ewc' in refused(work.main, other)
    with locking.lock(folder / study.FILE):
        assert 'another search' in refused(work.main, searched(folder, *grid, '--execute'))
    journal = (folder / study.FILE).read_text()
    for text in ('hello\n', '{}\n' + journal, journal[len(journal) // 2:], '[1]\n' * 3, '{"op_code": 99}\n'):
        (folder / study.FILE).write_text(text)
        assert 'not the file of a search, or broken' in refused(work.main, searched(folder, *grid))


def test_any_error_of_one_stops_the_workers():
    class Sleep:
        command, log, output = ['sleep', '60'], ROOT / 'logs' / 'test_search.log', ROOT / 'res' / 'test_search.txt'
    workers, worker = local.Workers(2, 2), []

    def work(item):
        if item:
            while not workers.running:
                pass
            worker.extend(workers.running)
            raise OSError('no space')
        assert workers.carry_out(Sleep()) is None
    try:
        with pytest.raises(OSError, match='no space'):
            workers.each(work, [0, 1])
    finally:
        Sleep.log.unlink()
    assert worker[0].returncode == -signal.SIGTERM and not workers.failed


def test_real_runs_are_given_up_between_tasks_with_their_state_saved(tmp_path, monkeypatch, capfd):
    optuna = pytest.importorskip('optuna', reason='needs: pip install optuna')
    monkeypatch.setattr(search, 'EVERY', 0.02)
    monkeypatch.setattr(optuna.trial.Trial, 'should_prune', lambda self: self.number == 1)
    command = searched(tmp_path, '--trials', '2', '--grid', 'lamb=0.1,4', '--nproc', '2', '--execute',
                       passed=['--', '--nepochs', '9', '--tasks', '0,1', '--net', 'nhid=50', '--device', 'cpu'])
    assert work.main(command) == 0
    out, err = capfd.readouterr()
    assert '1 runs finished, 1 pruned, 0 failed' in out and 'pruned after task 0' in out and not err
    found = [records.read_record(f) for f in tmp_path.glob('*.json')]
    gone, = [r for r in found if r['status'] == 'pruned after task 0']
    whole, = [r for r in found if r['status'] == 'finished']
    assert whole['valid_matrix'][-1] == whole['valid_accuracy'] and len(gone['valid_matrix']) == 1
    output = tmp_path / ('glyphs_hat-%g_0.txt' % gone['config']['lamb'])
    assert (checkpoint.folder(output) / 'checkpoint.pt').exists()  # --resume goes on from it
    times = {f: f.stat().st_mtime_ns for f in tmp_path.glob('*.txt')}
    monkeypatch.setattr(local.subprocess, 'Popen', None)  # nothing is to run
    assert work.main(command) == 0 and times == {f: f.stat().st_mtime_ns for f in tmp_path.glob('*.txt')}
    again = capfd.readouterr().out
    assert '1 finished, 1 pruned, 0 missing' in again and 'pruned after task 0' in again
    shutil.rmtree(checkpoint.folder(output).parent)
