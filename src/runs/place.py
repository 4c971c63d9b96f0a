"""Where a run's files are. A result that is there, with all that belongs to it, stays until the one that
takes its place has finished: until then that one is in a folder of its own.

    logs/<run>/             checkpoint.pt, epochs.csv, steps.csv, run.log, tensorboard/, files/,
                            task<t>.pt, lock
    logs/<run>/next/        the same of a run that is to replace a result, with its matrix and its record
    logs/<run>/done/        the same once it has finished, while its files are moved to where they belong

Whatever moment a process ends at, the next start finds out by these names alone what is left to do
(Place.settle).
"""
import contextlib
import json
import os
import re
import shutil
from pathlib import Path

import utils
from results import records
from utils import ROOT, UserError

STATE = 'checkpoint.pt'
FILES = ('epochs.csv', 'steps.csv', 'run.log', 'wandb.json', 'mlflow.json', 'tensorboard', 'files',
         'task[0-9]*.pt', STATE)  # what a run leaves
TAKEN = re.compile(r'\+.*|next|done|lock|slurm|files|tensorboard|wandb|mlruns|'
                   r'.*\.(csv|json|log|pt|tmp|txt)', re.IGNORECASE)


def folder(output):
    """The folder of a run's checkpoint and logs, one for each result, by whatever path it is called: logs/
    and the result's name in res/, or logs/+/ and its whole path, without the suffix. A name that files in
    such folders have gets a + before it."""
    output = (ROOT / output).resolve()
    output = output.with_name(output.stem)
    try:
        first, parts = (), output.relative_to((ROOT / 'res').resolve()).parts
    except ValueError:
        first, parts = ('+',), output.parts[1:]
    return ROOT.joinpath('logs', *first, *('+' * bool(TAKEN.fullmatch(p)) + p for p in parts))


def model(t):
    """The name of the file of the model after task t."""
    return 'task%d.pt' % t


def copy(source, target):
    """Puts a copy of a file, if it is there, in the place of another, which may be on another file system."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        utils.remove_leftovers(target)
        with utils.replacing(target, 'wb') as f:
            f.write(source.read_bytes())


def finished(output):
    """Whether there is a finished result, of which the record is sound."""
    with contextlib.suppress(UserError):
        return records.finished(output)
    return False


def keeps_state(output):
    """Whether the run of a result was told to keep its final state."""
    with contextlib.suppress(UserError):
        return '--keep-checkpoint' in records.read_record(output)['command']
    return False


class Place:
    """The place of a run whose result is to be `final`, a Path; to be used by whoever has its lock.

    staged: whether the run replaces a result; folder: where its logs, models and checkpoint are; output: its
    matrix, beside which is the record; refusable: whether it has not begun to train.
    """

    refusable = True

    def __init__(self, final):
        self.final, self.home, self.staged = Path(final), folder(final), False
        self.next, self.done = self.home / 'next', self.home / 'done'
        self.settle()

    @property
    def folder(self):
        """The folder of logs, models and checkpoint."""
        return self.next if self.staged else self.home

    @property
    def output(self):
        """The file of the matrix."""
        return self.next / 'result.txt' if self.staged else self.final

    def log(self, path):
        """Where what is to become an approach's own log, at a path, is written."""
        if not self.staged:
            return path
        self.write({**self.about(), 'log': str(path)})
        return self.next / 'log.pkz'

    def settle(self):
        """Completes, or does away with, what a process that was killed has left half done, and a state that
        nobody needs."""
        for path in (self.final, records.record_path(self.final)):
            utils.remove_leftovers(path)
        for path in (self.next, self.done, *self.home.glob('*.tmp'), *self.next.glob('*.tmp')):
            if path.is_file():  # of nobody
                utils.remove(path)
        if self.done.exists() or finished(self.next / 'result.txt'):
            self.take_over()
        elif self.next.exists() and self.begun() is None:
            self.drop()
        if finished(self.final) and not keeps_state(self.final):
            utils.remove(self.home / STATE)

    def about(self):
        """What is known of the run in next/, a dictionary, empty if there is none."""
        for where in (self.next, self.done):
            with contextlib.suppress(OSError, ValueError, RecursionError):
                found = json.loads((where / 'config.json').read_text('utf-8'))
                return found if isinstance(found, dict) else {}
        return {}

    def begun(self):
        """The configuration of the run in next/, None if there is none."""
        found = self.about().get('config')
        return found if isinstance(found, dict) else None

    def write(self, about):
        """Says of the run in next/ what it is."""
        self.next.mkdir(parents=True, exist_ok=True)
        with utils.replacing(self.next / 'config.json') as f:
            json.dump(about, f)

    def enter(self, config, resume=False, overwrite=False, **wanted):
        """Chooses where a run of this configuration goes; returns whether it has finished already, with all
        that is wanted (complete). Raises UserError if something else is there, or may be gone on with, and
        the options do not say what is to become of it."""
        there = self.final.exists() or records.record_path(self.final).exists()
        begun, here, refusal = self.begun(), self.home / STATE, None
        try:
            records.check_output(self.final, config)
        except UserError as e:  # what is there is of another configuration
            refusal = e
        complete = there and not refusal and self.complete(config, **wanted)
        going = (self.next / STATE).exists()  # there is a successor that can be gone on with
        stale = begun is not None and not going and not (resume and begun == config and not complete)
        begun = None if stale else begun
        if resume and begun == config:
            self.staged = True
        elif resume and complete:
            if stale:
                self.drop()
            return True
        elif overwrite and not (resume and not refusal and begun is None and here.exists()):
            self.drop()
            self.staged = there or here.exists()
        elif begun is not None:
            differ = records.differences(begun, config)
            interrupted(self.next / STATE, differ and ' of another configuration (%s)' % differ,
                        'with its options ' * bool(differ))
        elif refusal:
            raise refusal
        elif here.exists() and not resume:
            interrupted(here)
        else:
            self.staged = records.finished(self.final) and not here.exists()
        if stale:
            self.drop()
        return False

    def complete(self, config, valid=False, models=False, state=False):
        """Whether the result is finished and there is what else is wanted: its validation, all models, the
        final state."""
        names = [model(t) for t in range(len(config['tasks']) * models)] + [STATE] * state
        return records.finished(self.final, valid) and all((self.home / name).exists() for name in names)

    def begin(self, config, overwrite):
        """Makes the place ready for a run; overwrite: whether it may replace what is of another one."""
        if self.staged and self.begun() != config:
            self.write({'config': config, 'overwrite': overwrite})
        self.clear(self.folder)

    @contextlib.contextmanager
    def anew(self, config, overwrite):
        """Within it, a run starts anew, of which a refusal leaves nothing, unless it comes from training that
        replaces nothing."""
        self.begin(config, overwrite)
        try:
            yield
        except UserError:
            if self.staged:
                self.drop()
            elif self.refusable:
                self.clear(self.home)
            raise

    def left(self):
        """The names of what the run has left in its folder so far, task<t>.pt for all models."""
        return [p.replace('[0-9]*', '<t>') for p in FILES if any(self.folder.glob(p))]

    def clear(self, folder):
        """Removes what a run has left in a folder, first its state, without which the rest is of no run that
        can be resumed."""
        for pattern in reversed(FILES):
            for path in folder.glob(pattern):
                utils.remove(path)

    def drop(self):
        """Does away with the run in next/."""
        (self.next / 'config.json').unlink(missing_ok=True)  # first: what is left without it is of no run
        shutil.rmtree(self.next, ignore_errors=True)

    def take_over(self):
        """Puts the run that has finished in next/ in the place of the result that it replaces."""
        if not self.done.exists():
            self.clear(self.home)
            os.rename(self.next, self.done)
        if not keeps_state(self.done / 'result.txt'):
            utils.remove(self.done / STATE)
        copy(self.done / 'result.json', records.record_path(self.final))
        copy(self.done / 'result.txt', self.final)
        if isinstance(self.about().get('log'), str):
            copy(self.done / 'log.pkz', Path(self.about()['log']))
        utils.remove(self.done / 'log.pkz')
        for pattern in FILES:
            for path in list(self.done.glob(pattern)):
                os.rename(path, self.home / path.name)
        shutil.rmtree(self.done)
        self.staged = False


def interrupted(path, which='', how=''):
    """Raises UserError for a state that may be gone on with, of a run which the options may not mean."""
    raise UserError('%s is of a run%s that was interrupted: %s--resume goes on from it, --overwrite starts '
                    'anew' % (path, which, how))
