"""The state of a run on disk: saved after epochs and tasks, read back to go on exactly where it was."""
import contextlib
import io
import os
import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch

import utils
from utils import ROOT, UserError


def folder(output):
    """The folder of a run's checkpoint and lock: logs/ and the result's name, without its suffix and leading res/."""
    output = Path(output)
    try:
        parts = output.relative_to(ROOT).parts
    except ValueError:  # a result outside the project
        parts = output.absolute().parts[1:]
    return ROOT.joinpath('logs', *parts[parts[0] == 'res':]).with_suffix('')


def encode(value):
    """A value as tensors, numbers, texts and containers alone, which torch.load(weights_only=True) admits."""
    if isinstance(value, np.ndarray):
        return {'numpy': torch.from_numpy(np.ascontiguousarray(value)).clone()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.nn.Module):
        return {'module': utils.get_model(value)}
    if isinstance(value, dict):
        return {'dict': [(k, encode(v)) for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    return value


def decode(value, model):
    """What encode() was given (tuples as lists, a module as a frozen copy of the model)."""
    if isinstance(value, list):
        return [decode(v, model) for v in value]
    if not isinstance(value, dict):
        return value
    if 'numpy' in value:
        return value['numpy'].numpy()
    if 'module' in value:
        copy = deepcopy(model).eval()
        utils.freeze_model(copy)
        utils.set_model_(copy, value['module'])
        return copy
    return {k: decode(v, model) for k, v in value['dict']}


class Checkpoint:
    """A run's checkpoint.pt. take() holds the state in memory and writes it when `every` seconds have passed since the
    last time; write() does so at once. A new one takes the old one's place only when it is whole."""

    def __init__(self, output, config, every=60.):
        self.path, self.config, self.every = folder(output) / 'checkpoint.pt', config, every
        self.pending, self.written = None, time.monotonic()

    def take(self, appr, progress):
        """Notes the state of an approach and a run's progress, a dictionary of plain values and arrays."""
        name, keys, *rest = np.random.get_state()
        self.pending = {
            'config': encode(self.config), 'progress': encode(progress), 'model': utils.get_model(appr.model),
            'trained': [n for n, p in appr.model.named_parameters() if p.requires_grad],
            'approach': {n: encode(getattr(appr, n)) for n in getattr(appr, 'state', ())},
            'position': encode(getattr(appr, 'position', None)),
            'numpy': [name, encode(keys.astype(np.int64)), *rest], 'torch': torch.get_rng_state(),
            'cuda': torch.cuda.get_rng_state(appr.device) if appr.device.type == 'cuda' else None}
        if time.monotonic() - self.written >= self.every:
            self.write()

    def write(self):
        """Writes the state last noted, unless that is on disk already."""
        if self.pending is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            whole = io.BytesIO()  # torch.save would turn a full disk into an error of its own
            torch.save(self.pending, whole)
            with utils.replacing(self.path, 'wb') as f:
                f.write(whole.getbuffer())
            self.pending, self.written = None, time.monotonic()

    def read(self):
        """The state on disk, None if there is none. Raises UserError if it cannot be read or is of another
        configuration, saying what differs."""
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location='cpu', weights_only=True)
            config = decode(state['config'], None)
        except Exception as e:  # a malformed file can raise anything
            raise UserError('%s is not a checkpoint of this version (%s); --overwrite starts anew' % (
                self.path, type(e).__name__))
        differ = sorted(k for k in {*config, *self.config} if config.get(k) != self.config.get(k))
        if differ:
            raise UserError('%s is of another configuration (%s); --overwrite starts anew' % (
                self.path, ', '.join('%s %s, now %s' % (k, config.get(k), self.config.get(k)) for k in differ)))
        return state

    @staticmethod
    def restore(state, appr):
        """Puts a state into a newly made approach and the random generators; returns the progress."""
        utils.set_model_(appr.model, state['model'])
        for n, p in appr.model.named_parameters():
            p.requires_grad_(n in state['trained'])
        for n, value in state['approach'].items():
            setattr(appr, n, to_device(decode(value, appr.model), appr))
        appr.position = to_device(decode(state['position'], appr.model), appr)
        name, keys, *rest = state['numpy']
        np.random.set_state((name, decode(keys, None).astype(np.uint32), *rest))
        torch.set_rng_state(state['torch'])
        if state['cuda'] is not None and appr.device.type == 'cuda':
            torch.cuda.set_rng_state(state['cuda'], appr.device)
        return decode(state['progress'], None)

    def remove_stale(self, ntasks):
        """Removes the state of a run that has finished since, as one that is killed at its very end leaves; not that of a
        run which kept its final state."""
        state = self.read()
        if state is not None and decode(state['progress'], None)['done'] < ntasks:
            self.remove()

    def remove(self):
        """Removes the checkpoint."""
        self.path.unlink(missing_ok=True)
        self.pending = None


def to_device(value, appr):
    """A value with its tensors moved to the approach's device."""
    if isinstance(value, torch.Tensor):
        return value.to(appr.device)
    if isinstance(value, dict):
        return {k: to_device(v, appr) for k, v in value.items()}
    if isinstance(value, list):
        return [to_device(v, appr) for v in value]
    return value


@contextlib.contextmanager
def lock(output):
    """Keeps other runs from the same output until the block, or the process, ends. Raises UserError if one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = folder(output) / 'lock'
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        f = open(path, 'a')
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            f.close()
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
