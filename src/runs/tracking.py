"""--wandb and --mlflow: what a run logs elsewhere. A failure there is one warning and stops nothing.

A run that goes on logs nothing twice: what it had logged is in a file beside its checkpoint, and an exact
resumption would log the same again.
"""
import importlib
import json
import sys

import utils
from runs.listeners import Listener
from utils import ROOT, UserError

FOLDER = ROOT / 'logs'
PACKAGES = {'wandb': 'wandb', 'mlflow': 'mlflow-skinny'}  # what pip calls them


class Tracker(Listener):
    """Logs numbers to a package by three methods: open(known), with the id of a run to go on with or None,
    which returns the id; log(numbers, step); close(summary, finished)."""

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
        values = {'task%d/%s' % (numbers['task'], n): v for n, v in numbers.items() if n not in ('task', 'epoch')}
        self.once('epochs', step, values, step)

    def task(self, t):
        """Logs the accuracies on all tasks so far, and their mean."""
        acc = self.run.outcome.acc[t, :t + 1]
        values = {'test_accuracy/task%d' % u: float(a) for u, a in enumerate(acc)}
        self.once('tasks', t + 1, {**values, 'average_accuracy': float(acc.mean())}, self.run.epochs() or t + 1)

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


def chosen(args):
    """The kinds of trackers that the options name. Raises UserError for a package that is not there."""
    out = []
    for name in PACKAGES:
        if getattr(args, name, False):
            kind = importlib.import_module('runs.to_' + name).Log
            try:
                importlib.import_module(name)
            except ImportError:
                raise UserError('--%s needs a package that is not there: pip install %s' % (name, PACKAGES[name]))
            out.append(kind)
    return out
