"""Carrying a search out: trials side by side, each a run of run.py that is given up once it falls behind the
others."""
import contextlib
import subprocess
import threading

import numpy as np

from results import records
from runs import local, locking, plan, stopping, study
from utils import UserError

EVERY = 0.5  # seconds between two looks at a run


class Search:
    """A search in a folder. values: {name: values whose range, or which, are searched}; kinds: {name: int or
    float}; make(point): the plan's run of a point {name: value}. Raises UserError for a folder with another
    search."""

    def __init__(self, folder, values, kinds, make, seed):
        self.folder, self.values, self.make, self.workers = folder, values, make, None
        self.any = make({n: vs[0] for n, vs in values.items()})
        self.study = study.Study(folder / study.FILE, values, kinds, {
            n: v for n, v in self.any.settings.items() if n not in values}, seed)
        self.lock, self.busy = threading.Lock(), {}  # of the study, and of every result

    def missing(self, trials):
        """Return how many of so many trials there are not yet."""
        return max(0, trials - len(self.study.trials('COMPLETE', 'PRUNED')))

    def show(self, trials, nproc):
        """Print what is searched, how much of it is done, and how long the rest may take."""
        for n, vs in self.values.items():
            listed = 'one of ' + ', '.join('%g' % v for v in vs)
            print('%-10s %s' % (n, '%g to %g' % (min(vs), max(vs)) if study.spread(vs) else listed))
        todo, seconds = self.missing(trials), plan.estimate([self.any], self.folder)[0]
        left = 'time left unknown'
        if seconds is not None:
            left = 'at most about %s left' % plan.clock(todo * seconds / min(nproc, todo or 1))
        counts = [len(self.study.trials(state)) for state in ('COMPLETE', 'PRUNED')]
        print('%d trials: %d finished, %d pruned, %d missing%s' % (
            trials, *counts, todo, '; ' + left if todo else ''))

    def execute(self, trials, nproc=1, gpus=(), verbose=False):
        """Carry out what is missing of so many trials, side by side as local.Workers does. Return the
        failed runs. Raises UserError if another process searches there."""
        with contextlib.ExitStack() as locks:
            try:
                locks.enter_context(locking.lock(self.study.path))
            except UserError:
                raise UserError('another search is going on in %s: wait for it, or choose another folder'
                                % self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.study.open(begin=True)
            self.study.again()
            todo = self.missing(trials)
            self.workers = local.Workers(todo, nproc, gpus, verbose)
            self.workers.each(lambda _: self.trial(), range(todo))
            return self.workers.failed

    def runs(self):
        """Return the runs of all trials, each once."""
        trials = [t for t in self.study.trials() if t.params.keys() == self.values.keys()]
        found = [self.make(self.study.point(t)) for t in trials]
        return list({run.output: run for run in found}.values())

    def trial(self):
        """Carry the next trial out. One that comes out at an earlier one's point takes its result."""
        with self.lock:
            trial = self.study.ask()
            run = self.make(self.study.point(trial))
            mine = self.busy.setdefault(run.output, threading.Lock())
        with mine:
            self.wait_for_others(run)
            Trial(self, trial, run).carry_out()

    def wait_for_others(self, run):
        """Wait while another process writes a result: the worker of a search that was killed may go on."""
        while not self.workers.stop.is_set():
            try:
                with locking.lock(run.output):
                    return
            except UserError:
                self.workers.stop.wait(EVERY)


class Trial:
    """A trial of a search and its run."""

    def __init__(self, search, trial, run):
        self.search, self.trial, self.run, self.seen = search, trial, run, -1

    def carry_out(self):
        """Carry the run out as far as that is worth it, and say how it ended. What was stopped otherwise
        is left for another start."""
        status = 0
        if self.run.status() not in ('finished', 'pruned') and not self.given_up():
            status = self.search.workers.carry_out(self.run, self.follow)
        state = self.run.status()
        if state in ('finished', 'pruned'):
            self.report()
        with self.search.lock:
            if state == 'finished':
                accuracies = records.read_record(self.run.output)['valid_accuracy']
                self.search.study.tell(self.trial, 'COMPLETE', float(np.mean(accuracies)))
            elif state == 'pruned':
                self.search.study.tell(self.trial, 'PRUNED')
            elif status not in (None, stopping.STOPPED):
                self.search.study.tell(self.trial, 'FAIL')

    def follow(self, worker):
        """Wait for a worker, or stop it; return its exit status, of one that was given up 0."""
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return worker.wait(EVERY)
            if self.given_up(worker):
                return 0

    def given_up(self, worker=None):
        """Return whether the run is hopeless: then its worker, if it has one, is stopped and its record says
        so."""
        task = self.report(judge=True) if self.run.status() == 'unfinished' else None
        if task is not None and worker:
            worker.terminate()  # which saves the state
            local.end(worker, 60)
        if task is not None and self.run.status() == 'unfinished':
            records.mark(self.run.output, status='pruned after task %d' % task)
        return task is not None

    def report(self, judge=False):
        """Report the mean validation accuracy of the tasks so far after every task since the last time.
        Return the task after which, if they are to be judged, the trial should end; not the last one."""
        try:
            record = records.read_record(self.run.output)
        except UserError:  # there is none yet
            return None
        rows = record.get('valid_matrix', ())
        values = {t: float(np.mean(row[:t + 1])) for t, row in enumerate(rows)}
        if record['status'] == 'finished':
            values[len(record['tasks']) - 1] = float(np.mean(record['valid_accuracy']))
        for t in sorted(v for v in values if v > self.seen):
            self.trial.report(values[t], t)
            self.seen = t
            if judge and t < len(record['tasks']) - 1 and self.trial.should_prune():
                return t
        return None
