"""--wandb and --mlflow, on packages of our own of those names."""
import json
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

import run
from conftest import killed
from runs import checkpoint, journal

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--samples', '200', '--nepochs', '3', '--device', 'cpu',
         '--approach', 'sgd', '--net', 'nhid=50']


class Client:
    """What MLflow's client is to the run: {id: [(name, value, step)]}."""

    runs, statuses = {}, {}

    def __init__(self, tracking_uri):
        assert tracking_uri.startswith('file:')

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return '7'

    def create_run(self, where, run_name):
        self.runs['r%d' % len(self.runs)] = []
        return SimpleNamespace(info=SimpleNamespace(run_id=list(self.runs)[-1]))

    def update_run(self, known, status):
        assert known in self.runs

    def log_param(self, known, name, value):
        assert isinstance(value, str)

    def log_metric(self, known, name, value, step):
        self.runs[known].append((name, value, step))

    def set_terminated(self, known, status):
        self.statuses[known] = status


class Run:
    """What a run of wandb is."""

    rows = {}

    def __init__(self, known):
        self.id = known or 'w%d' % len(self.rows)
        self.rows.setdefault(self.id, [])

    def log(self, values, step):
        self.rows[self.id].append((step, values))

    def finish(self, exit_code):
        self.rows[self.id].append(('end', exit_code))


@pytest.fixture
def packages(monkeypatch):
    """Both packages, empty."""
    for kind, name in ((Client, 'runs'), (Client, 'statuses'), (Run, 'rows')):
        monkeypatch.setattr(kind, name, {})
    wandb, mlflow = ModuleType('wandb'), ModuleType('mlflow')
    wandb.init = lambda project, name, group, config, id, resume: Run(id)
    mlflow.MlflowClient = Client
    for module in (wandb, mlflow):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ('WANDB_DIR', 'MLFLOW_TRACKING_URI', 'MLFLOW_ALLOW_FILE_STORE'):
        monkeypatch.delenv(name, raising=False)
    yield wandb
    for name in ('WANDB_DIR', 'MLFLOW_ALLOW_FILE_STORE'):
        os.environ.pop(name, None)


@pytest.mark.parametrize('every', ['0', '1e9'])
def test_a_resumed_run_goes_on_and_nothing_is_logged_twice(every, packages, tmp_path, monkeypatch, capsys):
    command = [*SHORT, '--wandb', '--mlflow', '--checkpoint-every', every, '--output', str(tmp_path / 'o.txt')]
    killed(monkeypatch, command, journal.Epochs, 'add', call=5)
    acc = run.main([*command, '--resume'])
    known = 'r0' if every == '0' else 'r1'  # without a state the run began anew, and so does what is logged
    logged = Client.runs[known]
    assert len(logged) == len({(n, step) for n, _, step in logged}) and Client.statuses[known] == 'FINISHED'
    assert [step for n, _, step in logged if n == 'task1/valid_loss'] == [4, 5, 6]
    assert [v for n, v, _ in logged if n == 'average_accuracy'][-1] == pytest.approx(acc[1].mean())
    rows = Run.rows['w0' if every == '0' else 'w1']
    assert [step for step, values in rows if step != 'end' and 'task1/valid_loss' in values] == [4, 5, 6] and rows[-1] == ('end', 0)
    assert json.loads((checkpoint.folder(tmp_path / 'o.txt') / 'mlflow.json').read_text()) == {'id': known, 'epochs': 6, 'tasks': 2}


@pytest.mark.parametrize('when', ['init', 'log'])
def test_a_failure_there_is_one_warning_and_the_run_goes_on(when, packages, tmp_path, monkeypatch, capsys):
    def fail(*args, **kwargs):
        raise ConnectionError('no\nnetwork')
    monkeypatch.setattr(packages if when == 'init' else Run, when, fail)
    acc = run.main([*SHORT, '--wandb', '--output', str(tmp_path / 'o.txt')])
    err = capsys.readouterr().err
    assert err.count('warning: --wandb: nothing is logged there from here on (ConnectionError: no network)') == 1
    assert (acc[1] > 0).all()


@pytest.mark.parametrize('name, package', [('wandb', 'wandb'), ('mlflow', 'mlflow-skinny')])
def test_without_the_package_a_line_says_what_to_install(name, package, tmp_path, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, name, None)
    assert 'pip install %s' % package in refused(run.main, [*SHORT, '--' + name, '--output', tmp_path / 'o.txt'])
