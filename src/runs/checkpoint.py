"""The state of a run on disk: saved after epochs and tasks, read back to go on exactly where it was."""
import contextlib
import io
import random
import sys
import time
import zipfile

import numpy as np
import torch

import utils
from learning.fitting import IDLE
from results.records import differences
from runs import snapshot
from runs.nodes import Reader, Writer
from runs.outcome import Outcome
from runs.snapshot import like
from runs.place import STATE, finished, folder
from utils import UserError


def load(path):
    """What torch.save wrote to a file. Raises anything for one that is broken or holds more than plain
    data."""
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
    writes it when `every` seconds have passed since the last time; write() does so at once. A new one takes
    the old one's place only when it is whole. data(): {name: value} of what it need not hold."""

    data = dict

    def __init__(self, output, config, every=60., where=None):
        self.path, self.config, self.every = (where or folder(output)) / STATE, config, every
        self.pending, self.written, self.named = None, time.monotonic(), set()

    def take(self, appr, progress):
        """Notes the state of an approach and a run's progress, a dictionary of plain values and arrays."""
        attributes, unwritten = snapshot.write(appr, self.data())
        for place, what in unwritten.items():
            if place not in self.named:
                kind = type(appr)
                print('%s.%s: %s is %s, which no checkpoint keeps: --resume has it as __init__ makes it' % (
                    kind.__module__, kind.__name__, place, what), file=sys.stderr)
        self.named.update(unwritten)
        writer, net = Writer(), appr.model
        plain = {'config': self.config, 'progress': progress, 'optimizer': snapshot.remembered(appr),
                 'position': appr.at, 'numpy': np.random.get_state(legacy=False), 'python': random.getstate()}
        self.pending = {
            **{name: writer.node(value, name) for name, value in plain.items()}, 'approach': attributes,
            'model': utils.get_model(net), 'torch': torch.get_rng_state(),
            'trained': [n for n, p in net.named_parameters() if p.requires_grad],
            'cuda': torch.cuda.get_rng_state(appr.device) if appr.device.type == 'cuda' else None,
            'augment': appr.recipe.augment.state if appr.recipe.augment else None}
        if time.monotonic() - self.written >= self.every:
            self.write()

    def write(self):
        """Writes the state last noted, unless that is on disk already."""
        if self.pending is not None:
            save(self.pending, self.path)
            self.pending, self.written = None, time.monotonic()

    def read(self, overwrite=False):
        """The state on disk, None if there is none. One that cannot be read or is of another configuration is
        as good as none if it may be overwritten; otherwise raises UserError, saying what differs."""
        if not self.path.exists():
            return None
        try:
            found = load(self.path)
            differ = differences(Reader().value(found['config'], 'config'), self.config)
        except Exception as e:  # a malformed file can raise anything
            differ, what = True, 'not a checkpoint of this version, or broken (%s)' % type(e).__name__
        else:
            what = 'of another configuration (%s)' % differ
        if differ and not overwrite:
            raise UserError('%s is %s; --overwrite starts anew' % (self.path, what))
        return None if differ else found

    def restore(self, found, appr, ntasks):
        """Puts a state that read() returned into a newly made approach and the random generators; returns the
        progress. Raises UserError if it does not fit."""
        try:
            return self.put(found, appr, ntasks)
        except Exception as e:  # anything may be in somebody's file
            raise UserError('the checkpoint does not fit this run (%s: %s)' % (
                type(e).__name__, ' '.join(str(e).split())[:200]))

    def put(self, found, appr, ntasks):
        """As restore; raises anything, but before the approach and torch's generator have changed."""
        reader, augment = Reader(device=appr.device), appr.recipe.augment
        progress, at, memory, numpy, python = (reader.value(found[k], k) for k in (
            'progress', 'position', 'optimizer', 'numpy', 'python'))
        done = progress['done']
        if not 0 <= done <= ntasks:
            raise ValueError('the number of tasks learnt')
        wanted = {**Outcome(ntasks).state, 'seconds': [0.] * done, 'cut': False, 'elapsed': 0.}
        like({k: progress[k] for k in wanted}, wanted, 'the progress')
        if at != IDLE:
            like(at, appr.fitting.start(done), 'the position within the task')
            if at['task'] != done or not appr.fitting.possible(at):
                raise ValueError('the position within the task')
        like(found['model'], utils.get_model(appr.model), 'the weights')
        if set(found['trained']) - set(appr.params()):
            raise ValueError('the names of trained weights')
        memory = snapshot.memory(appr, memory)
        values = snapshot.values(appr, found['approach'], self.data())
        np.random.set_state(numpy)
        random.setstate(python)
        if augment:
            augment.state = found.get('augment')  # which older files have not
        if appr.device.type == 'cuda' and found['cuda'] is not None:
            torch.cuda.set_rng_state(found['cuda'], appr.device)
        torch.set_rng_state(found['torch'])
        utils.set_model_(appr.model, found['model'])
        for n, p in appr.model.named_parameters():
            p.requires_grad_(n in found['trained'])
        snapshot.put(appr, values)
        if memory:
            appr.optimizer.state.update(memory)
        appr.configure(at=at)
        return progress

    def remove(self):
        """Removes the checkpoint."""
        self.path.unlink(missing_ok=True)
        self.pending = None


def chosen(place, config, args):
    """(the Checkpoint of a run at a place.Place, the state to go on from or None). Beside a finished result
    that is the final state or none: nothing else may replace it before its time."""
    saved = Checkpoint(place.final, config, args.checkpoint_every, place.folder)
    state = saved.read(args.overwrite) if args.resume else None
    final = is_final(state, len(config['tasks'])) and place.complete(config, models=args.save)
    if not (place.staged or final) and finished(place.final):
        place.staged, state = True, None
        saved.path = place.folder / STATE
    return saved, state


def is_final(found, ntasks):
    """Whether a state that read() returned is of a run that has learnt all tasks."""
    with contextlib.suppress(Exception):  # a malformed file can raise anything
        return found is not None and Reader().value(found['progress'], 'progress')['done'] == ntasks
    return False
