"""--wandb and --mlflow: what a run logs elsewhere. A failure there is one warning and stops nothing.

A run that goes on logs nothing twice: what it had logged is in a file beside its checkpoint, and an exact
resumption would log the same again.
"""
import importlib
import json
import os
import sys

import utils
from runs.listeners import Listener
from utils import ROOT, UserError

FOLDER = ROOT / 'logs'
# What an option needs: what is imported, and what pip calls it.
PACKAGES = {'tensorboard': ('torch.utils.tensorboard', 'tensorboard'), 'wandb': ('wandb', 'wandb'),
            'mlflow': ('mlflow', 'mlflow-skinny')}


class Tracker(Listener):
    """Logs numbers to a package by three methods: open(known), with the id of a run to go on with or None,
    which returns the id; log(numbers, step); close(finished)."""

    package = ''  # what is imported

    def __init__(self, run):
        super().__init__(run)
        self.path, self.alive = run.place.folder / (self.package + '.json'), True
        self.logged = {'id': None, 'epochs': 0, 'tasks': 0}

    def begin(self, resumed):
        if resumed and self.path.is_file():
            self.guarded(lambda: self.logged.update(json.loads(self.path.read_text('utf-8'))))
        self.guarded(lambda: self.logged.update(id=self.open(self.logged['id'])))
        self.guarded(self.note)

    def epoch(self, numbers):
        """Logs task<t>/<name>, as epochs.csv has them."""
        step = self.run.epochs()
        own = {n: v for n, v in numbers.items() if n not in ('task', 'epoch')}
        self.once('epochs', step, {'task%d/%s' % (numbers['task'], n): v for n, v in own.items()}, step)

    def task(self, t):
        acc = self.run.outcome.acc[t, :t + 1]
        values = {'test_accuracy/task%d' % u: float(a) for u, a in enumerate(acc)}
        values['average_accuracy'] = float(acc.mean())
        self.once('tasks', t + 1, values, self.run.epochs() or t + 1)

    def once(self, what, number, values, step):
        """Logs values unless they have been logged before."""
        if number > self.logged[what]:
            self.guarded(self.log, values, step)
            self.logged[what] = number
            self.guarded(self.note)

    def note(self):
        """Keeps what has been logged."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with utils.replacing(self.path) as f:
            json.dump(self.logged, f)

    def stop(self, why):
        self.guarded(self.close, False)

    def settle(self):
        self.guarded(self.close, True)

    def guarded(self, what, *values):
        """Calls what may fail; after a failure nothing is logged any more."""
        if not self.alive:
            return
        try:
            what(*values)
        except Exception as e:  # whatever the package or the network does
            self.alive = False
            print('warning: --%s: nothing is logged there from here on (%s: %s)' % (
                self.package, type(e).__name__, ' '.join(str(e).split())[:200]), file=sys.stderr)


class Wandb(Tracker):
    """Weights & Biases, by its own settings (WANDB_PROJECT, WANDB_MODE=offline, ...); files in logs/wandb.

    A run of the project of that name, 'hat' if there is none, in the group of its experiment and approach.
    """

    package = 'wandb'

    def open(self, known):
        import wandb
        os.environ.setdefault('WANDB_DIR', str(FOLDER))
        config, project = self.run.record['config'], os.environ.get('WANDB_PROJECT', 'hat')
        group = '%s %s' % (config['experiment'], config['approach'])
        self.log_to = wandb.init(project=project, name=self.run.place.final.stem, group=group, config=config,
                                 id=known, resume='allow')
        return self.log_to.id

    def log(self, values, step):
        self.log_to.log(values, step=step)

    def close(self, finished):
        self.log_to.finish(exit_code=0 if finished else 1)


class Mlflow(Tracker):
    """MLflow, at MLFLOW_TRACKING_URI or in the local store logs/mlruns: a run of the experiment of the run's
    name."""

    package = 'mlflow'

    def open(self, known):
        os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
        import mlflow
        uri = os.environ.get('MLFLOW_TRACKING_URI') or (FOLDER / 'mlruns').as_uri()
        self.client, self.id, config = mlflow.MlflowClient(tracking_uri=uri), known, self.run.record['config']
        if known:
            self.client.update_run(known, status='RUNNING')
            return known
        found = self.client.get_experiment_by_name(config['experiment'])
        where = found.experiment_id if found else self.client.create_experiment(config['experiment'])
        self.id = self.client.create_run(where, run_name=self.run.place.final.stem).info.run_id
        for name, value in config.items():
            self.client.log_param(self.id, name, str(value)[:500])
        return self.id

    def log(self, values, step):
        for name, value in values.items():
            self.client.log_metric(self.id, name, value, step=step)

    def close(self, finished):
        self.client.set_terminated(self.id, status='FINISHED' if finished else 'KILLED')


def check(args):
    """Raises UserError for an option that needs a package which is not there."""
    for name, (module, package) in PACKAGES.items():
        try:
            if getattr(args, name):
                importlib.import_module(module)
        except ImportError:
            raise UserError('--%s needs a package that is not there: pip install %s' % (name, package))
