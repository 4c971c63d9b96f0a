"""The state of a run on disk: saved after epochs and tasks, read back to go on exactly where it was."""
import contextlib
import io
import os
import random
import time
import zipfile
from pathlib import Path

import numpy as np
import torch

import utils
from results.records import differences
from runs import state
from runs.place import STATE, finished, folder
from utils import UserError


PATIENCE = 0.5  # seconds that a lock is waited for: somebody may only look whether it is held


def load(path):
    """What torch.save wrote to a file. Raises anything for one that is broken or holds more than plain data."""
    with zipfile.ZipFile(path) as z:  # stored, so that nothing grows, and with checksums
        if any(i.compress_type != zipfile.ZIP_STORED for i in z.infolist()) or z.testzip():
            raise ValueError('a part of it is broken')
    return torch.load(path, map_location='cpu', weights_only=True)


def save(value, path):
    """Writes a file for load(), whole or not at all; returns its size in MB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = io.BytesIO()  # torch.save would turn a full disk into an error of its own
    torch.save(value, whole)
    with utils.replacing(path, 'wb') as f:
        f.write(whole.getbuffer())
    return whole.tell() / 1e6


class Checkpoint:
    """A run's checkpoint.pt, in the folder of its result or another one. take() holds the state in memory and
    writes it when `every` seconds have passed since the last time; write() does so at once. A new one takes the old one's place only when it is whole."""

    def __init__(self, output, config, every=60., where=None):
        self.path, self.config, self.every = (where or folder(output)) / STATE, config, every
        self.pending, self.written = None, time.monotonic()

    def take(self, appr, progress):
        """Notes the state of an approach and a run's progress, a dictionary of plain values and arrays."""
        name, keys, *rest = np.random.get_state()
        self.pending = {
            'config': state.encode(self.config, 'the configuration'), 'progress': state.encode(progress, 'the progress'),
            'model': utils.get_model(appr.model), 'trained': [n for n, p in appr.model.named_parameters() if p.requires_grad],
            'approach': {n: state.encode(getattr(appr, n), 'self.%s, which is in `state`,' % n) for n in appr.state},
            'position': state.encode(appr.at, 'the position'), 'numpy': [name, state.encode(keys.astype(np.int64), ''), *rest],
            'python': state.encode(random.getstate(), ''), 'torch': torch.get_rng_state(),
            'cuda': torch.cuda.get_rng_state(appr.device) if appr.device.type == 'cuda' else None}
        if time.monotonic() - self.written >= self.every:
            self.write()

    def write(self):
        """Writes the state last noted, unless that is on disk already."""
        if self.pending is not None:
            save(self.pending, self.path)
            self.pending, self.written = None, time.monotonic()

    def read(self, overwrite=False):
        """The state on disk, None if there is none. One that cannot be read or is of another configuration is as
        good as none if it may be overwritten; otherwise raises UserError, saying what differs."""
        if not self.path.exists():
            return None
        try:
            found = load(self.path)
            differ = differences(state.decode(found['config']), self.config)
        except Exception as e:  # a malformed file can raise anything
            differ, what = True, 'not a checkpoint of this version, or broken (%s)' % type(e).__name__
        else:
            what = 'of another configuration (%s)' % differ
        if differ and not overwrite:
            raise UserError('%s is %s; --overwrite starts anew' % (self.path, what))
        return None if differ else found

    @staticmethod
    def restore(found, appr, ntasks):
        """Puts a state that read() returned into a newly made approach and the random generators; returns the progress. Raises
        UserError, and changes nothing, if it does not fit."""
        state.check(found, appr, ntasks)
        utils.set_model_(appr.model, found['model'])
        for n, p in appr.model.named_parameters():
            p.requires_grad_(n in found['trained'])
        for n, value in found['approach'].items():
            setattr(appr, n, state.to_device(state.decode(value, appr.model), appr.device))
        appr.configure(at=state.to_device(state.decode(found['position'], appr.model), appr.device))
        name, keys, *rest = found['numpy']
        np.random.set_state((name, state.decode(keys).astype(np.uint32), *rest))
        random.setstate(state.python(found['python']))
        torch.set_rng_state(found['torch'])
        if found['cuda'] is not None and appr.device.type == 'cuda':
            torch.cuda.set_rng_state(found['cuda'], appr.device)
        return state.decode(found['progress'])

    def remove(self):
        """Removes the checkpoint."""
        self.path.unlink(missing_ok=True)
        self.pending = None


def chosen(place, config, args):
    """(the Checkpoint of a run at a place.Place, the state to go on from or None). Beside a finished result that
    is the final state or none: nothing else may replace it before its time."""
    saved = Checkpoint(place.final, config, args.checkpoint_every, place.folder)
    state = saved.read(args.overwrite) if args.resume else None
    final = is_final(state, len(config['tasks'])) and place.complete(config, models=args.save)
    if place.staged or final or not finished(place.final):
        return saved, state
    place.staged = True
    return Checkpoint(place.final, config, args.checkpoint_every, place.folder), None


def is_final(found, ntasks):
    """Whether a state that read() returned is of a run that has learnt all tasks."""
    with contextlib.suppress(Exception):  # a malformed file can raise anything
        return found is not None and state.decode(found['progress'])['done'] == ntasks
    return False


@contextlib.contextmanager
def lock(output, more=''):
    """Keeps other runs from the same output, or other kind of file as `more` says, until the block, or the process, ends.
    Raises UserError if one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder(Path(output).with_name(Path(output).name + more + '.txt')) / 'lock' if more else folder(output) / 'lock'
    end = time.monotonic() + PATIENCE
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            f = open(path, 'a')
        except (FileNotFoundError, FileExistsError):  # somebody else removes or makes the folder
            if time.monotonic() < end:
                continue
            raise
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            f.close()
            if time.monotonic() < end:
                time.sleep(PATIENCE / 20)
                continue
            raise UserError('another run is writing %s: wait for it, or give another --output' % output)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(f.fileno()), os.stat(path)):
                break
        f.close()  # the holder before removed the file: try the new one
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        f.close()
        with contextlib.suppress(OSError):  # not empty: there is a checkpoint
            path.parent.rmdir()


def busy(output):
    """Whether another process is writing an output."""
    try:
        import fcntl
        with open(folder(output) / 'lock') as f:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):  # Windows, or there is no lock
        pass
    return False
