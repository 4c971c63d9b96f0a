"""What a search with optuna remembers: a study in a file beside the results, which draws new points where
earlier ones were good (tree-structured Parzen estimators: Bergstra et al., NeurIPS 2011)."""
import json
import warnings

import numpy as np

import utils
from results.records import differences
from utils import UserError

FILE = 'optuna.journal'  # in the folder of the results
STARTUP = 5  # trials that finish before others are judged by them
# the first task after which a trial can be given up: before the second is learnt nothing is forgotten
WARMUP = 1


def imported():
    """Return optuna, silent but for warnings. Raises UserError if it is missing."""
    try:
        import optuna.storages.journal
    except ImportError:
        raise UserError('--search optuna needs optuna, 4.0 or later: pip install -U optuna')
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings('ignore', category=optuna.exceptions.ExperimentalWarning)
    return optuna


def pruner(optuna):
    """Return what gives trials up: a value below the median of the finished trials' after the same task.
    optuna's own MedianPruner looks at a trial's best value so far, which with forgetting is that after the
    first task."""
    class Median(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            step, complete = trial.last_step, [optuna.trial.TrialState.COMPLETE]
            finished = study.get_trials(deepcopy=False, states=complete)
            others = [t.intermediate_values[step] for t in finished if step in t.intermediate_values]
            judged = step >= WARMUP and len(others) >= STARTUP
            return judged and bool(trial.intermediate_values[step] < np.median(others))
    return Median()


def spread(values):
    """Return whether values are searched log-uniformly, from the smallest to the largest; otherwise they are
    categories."""
    return all(v > 0 for v in values)


def rounded(kind, v, values):
    """Return a number drawn from the range of some values: with three digits or, of the type int, whole."""
    return min(max(kind(float('%.3g' % v) if kind is float else round(v)), min(values)), max(values))


class Study:
    """The trials of a search. path: the study's file; values: {name: values whose range, or which, are
    searched}; kinds: {name: int or float}; settings: those of a run, which all trials share but for the names
    in values. Raises UserError if the file is of another search or broken."""

    def __init__(self, path, values, kinds, settings, seed):
        self.optuna, self.path, self.values, self.kinds, self.seed = imported(), path, values, kinds, seed
        self.settings, self.study = {**settings, **values}, None
        self.open()

    def open(self, begin=False):
        """Open the file if there is one. begin: make it otherwise, and mend it; while no other process
        searches there."""
        optuna, mine = self.optuna, json.loads(json.dumps(self.settings))
        if begin:
            mend(self.path)
        elif not (self.path.exists() and self.path.stat().st_size):
            return
        try:
            journal = optuna.storages.journal
            storage = optuna.storages.JournalStorage(journal.JournalFileBackend(
                str(self.path), lock_obj=journal.JournalFileOpenLock(str(self.path))))
            if not self.path.stat().st_size:
                optuna.create_study(study_name='search', storage=storage, direction='maximize')
            self.study = optuna.load_study(study_name='search', storage=storage, pruner=pruner(optuna))
            recorded = dict(self.study.user_attrs['settings']) if self.trials() else mine
            if begin and not self.trials():
                self.study.set_user_attr('settings', mine)
        except OSError:
            raise
        except Exception as e:  # anything may be in somebody's file
            raise UserError('%s is not the file of a search, or broken (%s): choose another folder, or '
                            'remove it to begin anew (finished results stay)' % (self.path, type(e).__name__))
        differ = differences(recorded, mine)
        if differ:
            raise UserError('%s is of another search (%s): choose another folder' % (self.path, differ))

    def space(self):
        """Return optuna's description of what is searched."""
        of = self.optuna.distributions
        out = {n: of.CategoricalDistribution(vs) for n, vs in self.values.items()}
        for n, vs in self.values.items():
            if spread(vs):
                kind = of.FloatDistribution if self.kinds[n] is float else of.IntDistribution
                out[n] = kind(min(vs), max(vs), log=True)
        return out

    def trials(self, *states):
        """Return the trials in some states, such as 'COMPLETE'; without one, all."""
        states = [self.optuna.trial.TrialState[s] for s in states] or None
        return self.study.get_trials(deepcopy=False, states=states) if self.study else []

    def point(self, trial):
        """Return what a trial tries, {name: value}."""
        ranges = {n: vs for n, vs in self.values.items() if spread(vs)}
        found = {n: rounded(self.kinds[n], trial.params[n], vs) for n, vs in ranges.items()}
        return {n: found.get(n, trial.params[n]) for n in self.values}

    def again(self):
        """Put the trials that a killed search has left in the middle up to be tried next."""
        known = [t.user_attrs.get('again') for t in self.trials()]
        for trial in self.trials('RUNNING'):
            if trial.number not in known:
                self.study.enqueue_trial(trial.params, user_attrs={'again': trial.number})
            self.tell(trial, 'FAIL')

    def ask(self):
        """Return the next trial. What it draws depends on the seed and the trials before, not on how often
        the search was started."""
        number = sum('again' not in t.user_attrs for t in self.trials())
        self.study.sampler = self.optuna.samplers.TPESampler(
            seed=int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]), constant_liar=True)
        return self.study.ask(self.space())

    def tell(self, trial, state, value=None):
        """Say how a trial ended: 'COMPLETE' with its value, 'PRUNED' or 'FAIL'."""
        self.study.tell(trial.number, value, state=self.optuna.trial.TrialState[state])


def mend(path):
    """Take away the line that a killed writer has left half-written at the end of a file."""
    whole = path.read_bytes() if path.exists() else b''
    if whole and not whole.endswith(b'\n'):
        with utils.replacing(path, 'wb') as f:
            f.write(whole[:whole.rfind(b'\n') + 1])
