"""--eval-every: what happens to the accuracies on all tasks so far within a task, as steps.csv and in the
record."""
import pickle
import random

import numpy as np
import torch

from dataloaders import images
from learning import evaluation
from results import measures
from results.steps import ACCURACY, COLUMNS
from runs.journal import Lines
from utils import UserError


class Steps(Lines):
    """Tests before a task's first step and every so many steps later, and when it is learnt, with the
    weights that are kept and all that the method does at its end; step: of the task, how many are behind.

    lowest, last: accuracies [T,T], while and after task t is learnt (results.measures). A checkpoint is
    written between epochs, and what has been tested since goes with its lines when the run is resumed.
    """

    name, needed = 'steps', COLUMNS

    def __init__(self, run):
        super().__init__(run)
        self.step, self.tests = 0, []
        self.lowest, self.last = np.full((2, run.ntasks, run.ntasks), np.nan)
        self.columns += [ACCURACY % u for u in range(run.ntasks)]

    @property
    def state(self):
        """What a checkpoint keeps."""
        return {'count': self.count, 'step': self.step,
                'lowest': self.lowest.copy(), 'last': self.last.copy()}

    @state.setter
    def state(self, found):
        vars(self).update(found)

    def begin(self, resumed):
        super().begin(resumed)
        run = self.run
        for t in range(run.ntasks):
            split = run.data[t]['test']
            rows = spread(split['y'], run.args.eval_samples)
            self.tests.append({'x': images.part(images.of(split), rows), 'y': split['y'][rows]})
        run.appr.fitting.on_step = self.before

    def before(self):
        """Before a step of training."""
        if self.step % self.run.args.eval_every == 0:
            self.look(self.run.appr.at['task'])
        self.step += 1

    def task(self, t):
        self.look(t)
        self.step = 0

    def look(self, t):
        """Tests the tasks up to t. Raises UserError where that draws random numbers."""
        run, before = self.run, generators(self.run.device)
        with evaluation.amid(run.appr):
            found = [run.evaluate(u, self.tests[u])[1] for u in range(t + 1)]
        if generators(run.device) != before:
            raise UserError('--eval-every: not for %s, whose tests draw random numbers' % run.args.approach)
        self.last[t, :t + 1] = found
        self.lowest[t, :t + 1] = np.fmin(self.lowest[t, :t + 1], found)
        self.add({'task': t, 'step': self.step, **{ACCURACY % u: a for u, a in enumerate(found)}})

    def account(self, n):
        return measures.stability(self.lowest[:n, :n], self.last[:n, :n])


def spread(y, n):
    """The places of at most n of the labels y [N], int64, in order and drawn by nothing: of each class as
    large a share as of all."""
    n = min(n, len(y))
    return y.argsort(stable=True)[torch.arange(n) * len(y) // n].sort().values


def generators(device):
    """What the random generators are at, as bytes."""
    states = [torch.get_rng_state()]
    if device.type == 'cuda':
        states.append(torch.cuda.get_rng_state(device))
    return pickle.dumps((random.getstate(), np.random.get_state(), [s.numpy().tobytes() for s in states]))
