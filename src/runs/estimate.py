"""A dry run: what a run is going to be, and how long it may take, from a few steps of every task."""
import contextlib
import functools
import io
import math
import resource
import sys
import time

from dataloaders.images import WHOLE
from learning.fitting import batches
from results import records
from runs import checkpoint, options, trials
from runs.plan import clock
from utils import UserError

STEPS, TEST = 20, 512  # steps of an epoch, samples of a test
SPLITS = 'train', 'valid', 'test'


def chosen(args):
    """Return the function of the trial that the options ask for, which takes a setup.Setup and its
    command line; or None."""
    wanted = ((dry_run, args.dry_run), (trials.debug, args.debug), (trials.profile, args.profile),
              (trials.overfit, args.overfit))
    return next((trial for trial, asked in wanted if asked), None)


def watch(calls, what, name, size=lambda *args: 1):
    """Let calls[name] have (seconds, how much it did) of every call of a method; size(*its arguments) says
    how much that is."""
    method, calls[name] = getattr(what, name), []

    @functools.wraps(method)
    def watched(*args, **kwargs):
        tick = time.perf_counter()
        out = method(*args, **kwargs)
        calls[name].append((time.perf_counter() - tick, size(*args)))
        return out
    setattr(what, name, watched)


class Trial:
    """A run with a few samples of every task, of which each task's steps, passes and hooks are timed."""

    def __init__(self, ready):
        context, args, self.calls = ready.context, ready.args, {}
        self.full = context['data']
        trials.fewer(context, STEPS * args.sbatch, TEST)
        self.small, self.appr = context['data'], ready.make()
        counts = [self.samples(self.full, t, 'train') for t, _ in context['taskcla']]
        phases = range(self.appr.phases)
        self.epochs = [sum(self.appr.epochs(n, phase) for phase in phases) for n in counts]
        self.iterations, self.appr.logs = self.appr.recipe.iterations, None
        trials.shorten(self.appr, 2)
        self.tasks = trials.tasks(ready, self.appr)
        self.state = checkpoint.Checkpoint(args.output, ready.config, math.inf)
        watch(self.calls, self.appr, 'train_epoch', lambda t, x, y: len(batches(self.appr, len(y))))
        watch(self.calls, self.appr, 'eval', lambda t, x, y: len(y))
        for what, name in ((self.appr, 'begin_task'), (self.appr, 'end_task'), (self.tasks, 'training_data')):
            watch(self.calls, what, name)

    def spent(self, *names):
        """Return the seconds that all calls of some methods took."""
        return sum(seconds for name in names for seconds, _ in self.calls[name])

    def rate(self, name):
        """Return the seconds that the last call of a method took for each of what it did."""
        seconds, count = self.calls[name][-1] if self.calls[name] else (0., 1)
        return seconds / count

    def samples(self, data, t, split):
        """Return how many samples of a split task t is trained with."""
        if split == 'valid' and data[t]['valid'] is data[t]['train']:
            return 0
        return sum(len(data[u][split]['y']) for u in (range(t + 1) if self.appr.cumulative else [t]))

    def task(self, t):
        """Return (samples, epochs, steps, seconds a step, seconds) of task t, whose turn it is, in the real
        run."""
        for calls in self.calls.values():
            calls.clear()
        tick = time.perf_counter()
        self.tasks.learn(t)
        whole, n, full = time.perf_counter() - tick, self.samples(self.full, t, 'train'), self.full
        once, step = self.spent('begin_task', 'end_task', 'training_data'), self.rate('train_epoch')
        rest = whole - once - self.spent('train_epoch', 'eval')
        tick = time.perf_counter()
        self.state.take(self.appr, {})
        epoch = rest / max(1, len(self.calls['train_epoch'])) + time.perf_counter() - tick
        epoch += self.rate('eval') * (n + self.samples(full, t, 'valid'))
        tick = time.perf_counter()
        self.tasks.test(t)
        test = (time.perf_counter() - tick) / sum(len(self.small[u]['test']['y']) for u in range(t + 1))
        epochs = self.epochs[t] if step else 0
        steps = epochs * len(batches(self.appr, n)) if self.iterations is None else self.iterations
        seconds = (once * n / self.samples(self.small, t, 'train') + epochs * epoch + steps * step
                   + test * sum(len(full[u]['test']['y']) for u in range(t + 1)))
        return n, epochs, steps, step, seconds


def taken(values):
    """Return the bytes that a split of so many values takes: floats, or, where these are many, the data's own
    bytes."""
    return 4 * values if 4 * values <= WHOLE else values


def dry_run(ready, argv):
    """Print the settings with their origin, parameters, memory and the time each task may take."""
    args, data, names = ready.args, ready.context['data'], ready.config['tasks']
    print('Settings, and where they come from:')
    for name, value in options.settings(args).items():
        print('    %-16s %-30s %s' % (name, value, args.origin.get(name, '')))
    pixels = math.prod(ready.context['inputsize'])
    images = max(sum(taken(len(data[t][s]['y']) * pixels) for s in SPLITS) for t in range(len(names)))
    with contextlib.redirect_stdout(io.StringIO()):
        trial = Trial(ready)
    parameters = sum(p.numel() for p in ready.net.parameters())
    print('Network %s: %d parameters, %.1f MB, on %s' % (
        ready.config['network'], parameters, 4e-6 * parameters, args.device))
    print('%-24s%9s%9s%9s%12s%12s' % ('Task', 'samples', 'epochs', 'steps', 'ms a step', 'time'))
    total = 0
    for t, name in enumerate(names):
        with contextlib.redirect_stdout(io.StringIO()):
            n, epochs, steps, step, seconds = trial.task(t)
        total += seconds
        print('%-24s%9d%9d%9d%12.1f%12s' % (name[:23], n, epochs, steps, 1000 * step, clock(seconds)),
              flush=True)
    sooner = ', if no task ends sooner by patience' if trial.appr.recipe.patience else ''
    print('In all about %s%s' % (clock(total), sooner))
    print('Memory: about %d MB, of it %d MB images of the largest task' % (
        (peak(args.device) + images) / 1e6, images / 1e6))
    print('The results would be at %s' % args.output)
    try:
        records.check_output(args.output, ready.config, args.overwrite)
    except UserError as e:
        print('As it is, the run would be refused: %s' % e)


def peak(device):
    """Return the most memory that the process has had, on a GPU the GPU's."""
    if device.type == 'cuda':
        import torch
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)
