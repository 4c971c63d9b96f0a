"""Ends short runs before each single thing that they do to files, or lets the disk be full from there on,
resumes them, and compares what they leave with what an undisturbed run does. Called by kill_test.py --every.

Runs are forked from one process that has imported everything: a run takes a fraction of a second. What they
do to files is seen by an audit hook (opening for writing, renaming, removing, making and removing folders)
and, for a full disk, by a stand-in for what open() returns (the first write to a file, every WRITES-th
further one, and closing it).
"""
import builtins
import csv
import errno
import json
import os
import pickle
import shutil
import signal
import sys
import time
from pathlib import Path

from results import unpickler

WRITES = 16
EVENTS = 'open', 'os.rename', 'os.remove', 'os.mkdir', 'os.rmdir'
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '2', '--device', 'cpu', '--checkpoint-every', '0',
         '--net', 'nhid=40,nlayers=1']
APART = 'seconds', 'seconds_per_task', 'date', 'resumed', 'devices', 'command'  # of a record, what may differ
CASES = {  # name: (options of the run, those of the run whose result it replaces or None)
    'sgd': (['--approach', 'sgd'], None),
    'hat': (['--approach', 'hat', '--save'], None),
    'er': (['--approach', 'er', '--scenario', 'class', '--buffer-size', '50', '--keep-checkpoint'], None),
    'overwrite-same': (['--approach', 'sgd', '--save', '--overwrite'], ['--approach', 'sgd', '--save']),
    'overwrite-other': (['--approach', 'hat', '--save', '--overwrite'], ['--approach', 'sgd', '--save', '--seed', '3']),
    'overwrite-log': (['--approach', 'hat-test', '--lamb', '2', '--overwrite'], ['--approach', 'hat-test'])}  # with --logpath


class Fault:
    """Counts what this process does to the files in some folders, and at the k-th time acts: how is 'kill' or
    'full', a disk that is full from then on. k None: only counts."""

    def __init__(self, folders, k=None, how='kill'):
        self.folders, self.k, self.how, self.count = tuple(str(f) + os.sep for f in folders), k, how, 0
        self.open = builtins.open
        if how == 'full':
            builtins.open = self.opened
        sys.addaudithook(self.audit)

    def mine(self, path):
        """Whether a path is in one of the folders."""
        return (os.path.abspath(path) + os.sep).startswith(self.folders)

    def audit(self, event, args):
        """The audit hook."""
        if event not in EVENTS or not isinstance(args[0], (str, Path)):
            return
        if event == 'open' and not args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        if self.mine(within(args)):
            self.happens(event in ('open', 'os.mkdir'))

    def happens(self, grows):
        """Notes one thing; grows: whether it needs space."""
        self.count += 1
        if self.k is None or self.count < self.k:
            return
        if self.how == 'kill':
            os.kill(os.getpid(), signal.SIGKILL)
        if grows:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(self, file, mode='r', *args, **kwargs):
        """Instead of open()."""
        f = self.open(file, mode, *args, **kwargs)
        writes = set(mode) & set('wax+') and isinstance(file, (str, Path))
        return Written(f, self) if writes and self.mine(file) else f


def within(args):
    """The path of an event, also where it is relative to a folder that is open."""
    path, folder = args[0], args[-1]
    if type(folder) is not int or folder <= 2 or os.path.isabs(path):
        return path
    return os.path.join(os.readlink('/proc/self/fd/%d' % folder), path)


class Written:
    """A file that is being written, which tells a Fault of writes and of its closing."""

    def __init__(self, file, fault):
        self.file, self.fault, self.count = file, fault, 0

    def write(self, text):
        """Writes."""
        if self.count % WRITES == 0:
            self.fault.happens(True)
        self.count += 1
        return self.file.write(text)

    def writelines(self, lines):
        """Writes several lines."""
        for line in lines:
            self.write(line)

    def close(self):
        """Closes."""
        if not self.file.closed:
            self.file.close()
            self.fault.happens(True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


def forked(argv, folders, log, k=None, how='kill'):
    """Runs run.py in a process of its own; returns (exit status, minus the signal's number if that ended it,
    number of events)."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 70
        try:
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = (os.fdopen(n, 'w', buffering=1) for n in (1, 2))
            import run
            fault = Fault(folders, k, how)
            status = 0
            try:
                run.main(argv)
            except SystemExit as e:
                status = e.code
            os.write(writing, b'%d' % fault.count)
        finally:
            os._exit(status)
    os.close(writing)
    _, ended = os.waitpid(child, 0)
    count = os.read(reading, 20)
    os.close(reading)
    return os.waitstatus_to_exitcode(ended), int(count or 0)


def left(folders):
    """{name: contents that may not differ} of all files in some folders."""
    out = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob('*') if p.is_file()):
            out[path.name if path.parent == folder else str(path.relative_to(folder))] = contents(path)
    return out


def contents(path):
    """What of a file may not differ from run to run."""
    if path.name == 'run.log':
        return None
    if path.suffix == '.json':
        found = json.loads(path.read_text())
        return json.dumps({k: v for k, v in found.items() if k not in APART}, sort_keys=True)
    if path.suffix == '.pkz':
        return pickle.dumps(unpickler.load_log(path))
    if path.suffix == '.csv':
        with open(path, newline='') as f:
            return [{k: v for k, v in row.items() if k != 'seconds'} for row in csv.DictReader(f)]
    return model(path) if path.suffix == '.pt' else path.read_bytes()


def model(path):
    """A model's or a checkpoint's tensors and what is said of it, as one text."""
    import torch
    from runs import nodes

    def plain(value):
        if isinstance(value, torch.Tensor):
            return value.flatten().tolist()
        if isinstance(value, dict):
            return {str(k): plain(v) for k, v in value.items() if k not in (*APART, 'elapsed', 'seconds', 'python')}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
    found = torch.load(path, weights_only=True)
    for name in ('about', 'progress'):
        if name in found:
            found[name] = nodes.Reader().value(found[name], name)
    return repr(plain({k: v for k, v in found.items() if k != 'cuda'}))


class Trial:
    """A case in a folder of its own. totals: {what happened: how often}; wrong: lines of what should not be."""

    def __init__(self, name, folder, log):
        from runs.place import folder as logs
        options, before = CASES[name]
        self.name, self.log = name, log
        self.output = folder / name / 'o.txt'
        more = ['--logpath', str(self.output.with_name('l.pkz'))] if 'hat-test' in options else []
        self.argv = [*SHORT, *options, *more, '--output', str(self.output)]
        self.before = before and [*SHORT, *before, *more, '--output', str(self.output)]
        self.folders, self.kept = (self.output.parent, logs(self.output).parent), folder / (name + '-before')
        self.totals, self.wrong = {'events': 0, 'not begun': 0, 'resumed': 0, 'begun anew': 0, 'as before': 0}, []

    def reset(self, new=False):
        """Puts the files where they were before the run."""
        for i, f in enumerate(self.folders):
            shutil.rmtree(f, ignore_errors=True)
            if self.before and not new:
                shutil.copytree(self.kept / str(i), f)

    def run(self, more=(), k=None, how='kill'):
        """Runs the case's command."""
        return forked([*self.argv, *more], self.folders, self.log, k, how)

    def every(self, step, how):
        """Tries every step-th event."""
        self.prepare()
        self.reset()
        self.old = left(self.folders)
        status, count = self.run(how=how, k=10 ** 9)
        assert status == 0, self.log.read_text()[-500:]
        self.whole = left(self.folders)
        for k in range(1, count + 1, step):
            self.reset()
            status, _ = self.run(k=k, how=how)
            said = self.log.read_text()
            self.totals['events'] += 1
            if how == 'full' and status and (status != 2 or 'Traceback' in said):
                self.wrong.append('%s, %s, event %d: status %d: %s' % (self.name, how, k, status, said.strip()[-300:]))
            self.resume(k, how)

    def resume(self, k, how):
        """Resumes, and compares. Where the run had not yet said that it replaces a result of another
        configuration, that is still whole, and it takes --overwrite again."""
        status, _ = forked([w for w in self.argv if w != '--overwrite'] + ['--resume'], self.folders, self.log)
        said = self.log.read_text()
        if status == 2 and 'exists with another configuration' in said and left(self.folders) == self.old:
            self.totals['not begun'] += 1
            status, _ = self.run(['--resume'])
            said = self.log.read_text()
        what = 'resumed' if 'Resuming in' in said else 'begun anew'
        what = 'as before' if 'Finished already' in said else what
        self.totals[what] += 1
        found = left(self.folders) if status == 0 else {}
        wrong = [n for n in {*found, *self.whole} if found.get(n, 0) != self.whole.get(n, 0)]
        if status or wrong:
            self.wrong.append('%s, %s, event %d: resumed with status %d, %s differ: %s' % (
                self.name, how, k, status, ', '.join(sorted(wrong)), said.strip()[-200:] if status else ''))

    def prepare(self):
        """Makes the result that is to be replaced, if there is to be one."""
        self.reset(new=True)
        if self.before:
            status, _ = forked(self.before, self.folders, self.log)
            assert status == 0, self.log.read_text()[-500:]
            for i, f in enumerate(self.folders):
                shutil.copytree(f, self.kept / str(i))


def main(folder, cases, step):
    """Tries the cases, printing a line for each; returns the exit status."""
    from dataloaders import glyphset
    from runs import checkpoint, place, sequence, setup  # so that the forks need not
    import torch
    import torch._dynamo  # which an optimizer imports when it is first made
    glyphset.make()
    folder.mkdir(parents=True)
    status = 0
    for name in cases:
        for how in ('kill', 'full'):
            tick, trial = time.monotonic(), Trial(name, folder, folder / (name + '.log'))
            trial.every(step, how)
            totals = ', '.join('%d %s' % (n, what) for what, n in trial.totals.items())
            print('%-16s %-5s %s, %d wrong, %.0f s' % (
                name, how, totals, len(trial.wrong), time.monotonic() - tick), flush=True)
            print('\n'.join(trial.wrong), end='\n' * bool(trial.wrong), flush=True)
            status = status or int(bool(trial.wrong))
            trial.reset(new=True)
            shutil.rmtree(trial.kept, ignore_errors=True)
    return status
