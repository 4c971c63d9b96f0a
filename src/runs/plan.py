"""A plan of many runs of run.py: which are done, and how long the others may take."""
import collections
import statistics
import sys
from pathlib import Path

from results import collect, records
from runs import advice, checkpoint, conflicts, foreign, options
from runs.advice import flag
from utils import ROOT, UserError

OWN = 'experiment', 'approach', 'seed', 'output', 'resume', 'rerun', 'help'  # options that a plan sets


class Run:
    """One call of run.py: its options, checked by the parser, --output among them or name(parsed options).
    Raises UserError for bad ones."""

    def __init__(self, argv, name=None):
        try:
            self.args, self.approach = options.parse(argv)
        except UserError as e:
            raise UserError('%s: %s' % (' '.join(argv), e))
        except SystemExit:
            raise UserError('--help is an option of run.py, not of a plan')
        output = name(self.args) if name else self.args.output
        self.argv = [*argv, '--output', output] if name else argv
        self.settings, self.output = options.settings(self.args), ROOT / output

    @property
    def command(self):
        """Return the call as a list of words."""
        resume = not foreign.is_foreign(self.approach)
        return [sys.executable, str(ROOT / 'src' / 'run.py'), *self.argv] + ['--resume'] * resume

    @property
    def log(self):
        """Return where the call's output goes."""
        folder = checkpoint.folder(self.output)
        return folder.with_name(folder.name + '.log')

    def status(self):
        """Return 'finished', 'unfinished', 'pruned' (unfinished: a search has given it up), 'missing', or
        'other': there is a result of another configuration."""
        if not (self.output.exists() or records.record_path(self.output).exists()):
            started = (checkpoint.folder(self.output) / 'checkpoint.pt').exists()
            return 'unfinished' if started else 'missing'
        try:
            record = records.read_record(self.output)
            same = options.settings(options.parse(record['command'][1:])[0]) == self.settings
            if self.output.exists():  # else the record came first, and the run was killed
                collect.read(self.output)
        except (UserError, SystemExit):
            same = False
        if not same:
            return 'missing' if self.args.overwrite else 'other'
        if record['status'].startswith('pruned'):
            return 'pruned'
        return 'finished' if records.finished(self.output, self.args.final_valid) else 'unfinished'


def fitted(argv):
    """Return (a command line without the options that its approach cannot take, {each of them: why})."""
    left = {}
    while True:
        try:
            options.parse(argv)
        except conflicts.Unfit as e:
            flags = [flag(name) for name in e.names if flag(name) in options.given(argv)]
            if flags:
                left.update(dict.fromkeys(flags, str(e)))
                argv = options.without(argv, *flags)
                continue
        except (UserError, SystemExit):  # which the run itself will say
            pass
        return argv, left


def estimate(runs, folder):
    """Return the seconds that each run may take, from the finished results in a folder: of the same settings
    but for the seed, or else of the same experiment and approach, in proportion to the epochs; None where
    there is none."""
    known = []
    for path in sorted(Path(folder).glob('*.json')):
        try:
            record = records.read_record(path)
            if record['status'] == 'finished':
                args, _ = options.parse(advice.still(record['command'][1:]))
                known.append((options.settings(args), record['seconds']))
        except (UserError, SystemExit):
            continue

    def guess(run):
        like = [s for settings, s in known if {**settings, 'seed': 0} == {**run.settings, 'seed': 0}]
        like = like or [s * run.settings['nepochs'] / settings['nepochs'] for settings, s in known
                        if all(settings[k] == run.settings[k] for k in ('experiment', 'approach', 'tasks'))]
        return statistics.mean(like) if like else None
    return [guess(run) for run in runs]


def show(runs, folder, nproc):
    """Print every call and whether its result exists, and the time that may be left. Return the runs still
    to do."""
    for what, names in (('result', [str(run.output) for run in runs]),
                        ('log', [run.settings['logpath'] for run in runs if run.settings.get('logpath')])):
        twice = sorted(n for n, count in collections.Counter(names).items() if count > 1)
        if twice:
            raise UserError('several runs would write the same %s: %s' % (what, ', '.join(twice[:3])))
    states = [run.status() for run in runs]
    todo = [run for run, state in zip(runs, states) if state != 'finished']
    for run, state in zip(runs, states):
        print('%-10s python src/run.py %s' % (state, ' '.join(run.argv)))
    seconds, nproc = estimate(todo, folder), max(1, min(nproc, len(todo)))
    known, unknown = [s for s in seconds if s is not None], seconds.count(None)
    left = 'about %s left' % clock(sum(known) / nproc) if known else 'time left unknown'
    if known and unknown:
        left += ', and %d of unknown length' % unknown
    counts = ', '.join('%d %s' % (states.count(s), s) for s in sorted(set(states)))
    print('%d runs: %s%s' % (len(runs), counts, '; %s with %d at a time' % (left, nproc) if todo else ''))
    other = [str(run.output) for run, state in zip(runs, states) if state == 'other']
    if other:
        raise UserError('results of another configuration (or without a record) are in the way: %s; choose '
                        'another folder, or pass -- --overwrite' % ', '.join(other))
    return todo


def clock(seconds):
    """Return '1 h 7 min' for 4000 seconds."""
    if seconds < 100:
        return '%d s' % round(seconds)
    return ('%d h ' % (seconds // 3600) if seconds >= 3600 else '') + '%d min' % round(seconds % 3600 / 60)


def failure(run, why):
    """Return what to say of a run that failed: why, and the last lines of its log."""
    try:
        last = run.log.read_text(encoding='utf-8', errors='replace').strip().splitlines()[-5:]
    except OSError:
        last = []
    first = 'failed (%s): run.py %s; log %s' % (why, ' '.join(run.argv), run.log)
    return '\n    '.join([first, *last])
