"""What is tried before the real thing: a debugging run of every task, a profile, fitting a few samples."""
import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import utils
from dataloaders import images
from results import records
from runs import checkpoint, foreign, place, saved, sequence
from utils import UserError


def shorten(appr, epochs):
    """Make tasks as short as they can be, with so many epochs, for a trial."""
    appr.nepochs, appr.recipe.iterations = epochs, None
    for h in appr.hyperparameters:
        if h.short is not None:
            setattr(appr, h.name, h.short)


def fewer(context, train, test):
    """Leave at most so many samples of each split in the data, spread over it."""
    def some(split, n):
        size = len(split['y'])
        return images.some(split, np.unique(np.linspace(0, size - 1, min(n, size)).astype(int)))
    context['data'] = data = dict(context['data'])
    for t, _ in context['taskcla']:
        task = data[t]
        out = {'train': some(task['train'], train), 'test': some(task['test'], test)}
        out['valid'] = out['train'] if task['valid'] is task['train'] else some(task['valid'], test)
        data[t] = {**task, **out}


def tasks(ready, appr):
    """Return the loop over the tasks of a trial."""
    record = {'device': str(ready.args.device), 'tasks': ready.config['tasks']}
    return sequence.Sequence(appr, ready.context, record, None, None)


def debug(ready, argv):
    """Take two batches of one epoch of every task through training, testing, saving and loading; print what
    was right. Return the accuracy matrix. Raises UserError where what is loaded says otherwise."""
    context, own = ready.context, foreign.is_foreign(ready.approach)
    n, ntasks = 2 * ready.args.sbatch, len(context['taskcla'])
    fewer(context, n, n)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        saves = not own and 'save' not in ready.approach.cannot
        ready.change(output=folder / 'debug.txt', keep_checkpoint=True, save=saves)
        if own:
            ready.change(nepochs=1)
        args, there = ready.args, place.Place(folder / 'debug.txt')
        stack.callback(shutil.rmtree, there.home.parent, ignore_errors=True)
        if own:
            stack.enter_context(foreign.working_in(there))
        ready.show()
        appr = ready.make()
        if records.has_log(appr):
            appr.logpath = str(folder / 'log.pkz')
        kept = None if own else checkpoint.Checkpoint(args.output, ready.config, args.checkpoint_every)
        if kept:
            shorten(appr, 1)
        acc = unstopped(sequence.Sequence(appr, context, ready.describe(argv), kept, there))
        done = ['%d tasks trained and tested' % ntasks]
        if args.save:
            done.append('%d models saved and loaded' % loaded(args, context, acc))
        if kept:
            other = ready.make()
            shorten(other, 1)
            kept.restore(kept.read(), other, ntasks)
            before = utils.get_model(appr.model)
            if any(not v.equal(before[name]) for name, v in utils.get_model(other.model).items()):
                raise UserError('--debug: the state that was saved is not the one that was loaded')
            done.append('the state saved and loaded')
    print('Debug: %s: all as it should be' % ', '.join(done))
    return acc


def unstopped(tasks):
    """Run a Sequence, of which nothing is kept if it is stopped; return the accuracy matrix."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tasks.run()
    except SystemExit:
        said = io.StringIO('run.py: --debug was stopped; nothing is left of it\n')
        sys.exit(130)
    finally:
        sys.stderr.write(said.getvalue())


def loaded(args, context, acc):
    """Load the model saved after every task and test it; return how many there are. Raises UserError where
    the accuracies differ."""
    for t in range(len(acc)):
        appr = saved.Model(args.output, t, str(args.device)).appr
        for u in range(t + 1):
            _, again = appr.eval(u, *(context['data'][u]['test'][k].to(appr.device) for k in 'xy'))
            if abs(again - acc[t, u]) > 1e-6:
                raise UserError('--debug: the model saved after task %d has %.4f on task %d when it is '
                                'loaded, not %.4f' % (t, again, u, acc[t, u]))
    return len(acc)


def profile(ready, argv):
    """Profile 20 steps of the first task with torch.profiler, after as many without it; print the table and
    write a trace."""
    os.environ.setdefault('KINETO_LOG_LEVEL', '99')  # it writes to stderr on machines without a GPU
    from torch.profiler import ProfilerActivity, profile as profiler
    args, context = ready.args, ready.context
    fewer(context, 20 * args.sbatch, 256)
    ready.show()
    appr = ready.make()
    appr.logs = None
    shorten(appr, 2)
    folder, train_epoch, found = checkpoint.folder(args.output), appr.train_epoch, []
    folder.mkdir(parents=True, exist_ok=True)

    def watched(*values):
        if not appr.at['epoch'] or found:
            return train_epoch(*values)
        kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (appr.device.type == 'cuda')
        with profiler(activities=kinds) as p:
            train_epoch(*values)
        found.append(p)
    appr.train_epoch = watched
    tasks(ready, appr).learn(0)
    key = 'self_cuda_time_total' if appr.device.type == 'cuda' else 'self_cpu_time_total'
    table = found[0].key_averages().table(sort_by=key, row_limit=20, max_name_column_width=50)
    print(table)
    with utils.replacing(folder / 'trace.json') as f:
        found[0].export_chrome_trace(str(f.name))
    with utils.replacing(folder / 'profile.txt') as f:
        f.write(table + '\n')
    print('Table at %s; trace at %s (for chrome://tracing or ui.perfetto.dev)' % (
        folder / 'profile.txt', folder / 'trace.json'))


def overfit(ready, argv):
    """Train on a few samples of the first task until all are right, for --nepochs epochs at most, without
    dropout; SystemExit(1) if they do not become so."""
    from networks.layers import without_dropout
    args, context = ready.args, ready.context
    ready.change(augment=None)
    fewer(context, args.overfit, 1)
    first = context['data'][0]
    first['valid'] = first['train']
    ready.show()
    appr, tick = ready.make(), time.monotonic()
    appr.logs = None
    without_dropout(ready.net)

    def look():
        if appr.fitting.numbers['train_accuracy'] == 1:
            appr.nepochs = appr.at['epoch']
    appr.fitting.on_epoch, appr.recipe.patience = look, False
    with contextlib.redirect_stdout(sys.stdout if sys.stdout.isatty() else io.StringIO()):
        tasks(ready, appr).learn(0)
    numbers, n = appr.fitting.numbers, len(first['train']['y'])
    right = round(numbers['train_accuracy'] * n)
    print('Overfit: %d of %d samples right after %d epochs (loss %.4f, %.1f s)%s' % (
        right, n, numbers['epoch'], numbers['train_loss'], time.monotonic() - tick, '' if right == n else
        ': not all; try a larger --nepochs or another --lr, or look for an error in the loss or the labels'))
    if right < n:
        sys.exit(1)
