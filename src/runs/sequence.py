"""The loop over the tasks, with what it leaves as it goes: matrices, record, log and checkpoint."""
import json
import signal
import sys
import time

import numpy as np

from learning import evaluation
from results import measures, records
from runs import board, certificate, foreign, journal, ledgers
from runs.place import finished, model
from runs.stopping import STOPPED, Stop, stopping
from utils import UserError


def images(split):
    """The images of a split as our own code takes them: bytes where they are, else a float tensor."""
    return split.images if hasattr(split, 'images') else split['x']


class Sequence:
    """One approach learning the tasks of one experiment.

    there: {'data', 'taskcla', 'inputsize', 'device', 'args', ...}, which train() and eval() get by name as far as they take it;
    checkpoint: where the state goes after every epoch and task, or None; record: what the run's record begins with; place: the
    runs.place.Place of all that the run leaves.
    """

    def __init__(self, appr, there, record, checkpoint, place):
        self.appr, self.there, self.data, self.device, self.args = appr, there, there['data'], there['device'], there['args']
        self.ntasks = len(there['taskcla'])
        self.record, self.checkpoint, self.place, self.start = record, checkpoint, place, time.monotonic()
        self.acc, self.lss, self.inferred = np.zeros((3, self.ntasks, self.ntasks), dtype=np.float32)  # row: after task; on task
        self.ahead = np.zeros((2, self.ntasks), dtype=np.float32)  # accuracy of the untrained network, and just before learning
        self.valid = np.full((self.ntasks, self.ntasks), np.nan)  # accuracy as acc, on validation sets; nan where it was not asked for
        self.foreign = foreign.is_foreign(type(appr))
        self.done, self.seconds, self.before = 0, [], 0.  # tasks learnt, seconds of each, seconds of earlier starts
        self.devices = [record['device']]  # of all starts
        self.cut = False  # whether Ctrl-C ended a task of an earlier start
        self.certificate = certificate.Certificate(appr, self.data)
        self.epochs = None
        self.tick, self.board = time.monotonic(), None
        if checkpoint:
            self.epochs = journal.Epochs(checkpoint.path.parent, record['tasks'])

    def run(self, state=None):
        """Learns the tasks, from a checkpoint's state if given; returns the accuracy matrix. Raises UserError for a loss
        that is not finite; SystemExit(75) if stopped by Ctrl-C or a signal, with the state saved, or (130 or 128 + the
        signal's number) where there is no checkpoint."""
        if state is not None:
            self.resume(self.checkpoint.restore(state, self.appr, self.ntasks))
        elif self.epochs:
            self.epochs.start()
        if self.args.tensorboard:
            self.board = board.Board(self.place.folder, self.record['tasks'], self.step())
        if self.checkpoint:
            self.appr.fitting.on_epoch = self.end_epoch
        with stopping():
            try:
                for t in range(self.done, self.ntasks):
                    self.learn(t)
                    self.test(t)
                    if self.args.final_valid and 'validation' not in getattr(self.appr, 'cannot', ('validation',)):
                        self.validate(t)
                    if self.checkpoint:
                        self.certificate.note(t)
                        lines = ledgers.report(self.appr)
                        print('\n'.join(lines), end='\n' * bool(lines))
                    self.done = t + 1
                    if self.args.save:
                        self.save_model(t)
                    self.note()
                    if self.done < self.ntasks:
                        self.save('running')
                self.finish()
            except UserError as e:
                self.save('stopped: %s' % e)
                kept = '%s stays as it was' % self.place.final if self.place.staged else self.kept()
                self.place.drop()  # better an old result than half a new one
                raise UserError('task %d (%s): %s; %s' % (self.done, self.data[self.done]['name'], e, kept))
            except (KeyboardInterrupt, Stop) as e:
                if self.checkpoint:
                    self.checkpoint.write()
                self.save('interrupted')
                resumable = '; --resume goes on' if self.checkpoint and self.checkpoint.path.exists() else ''
                print('run.py: stopped by %s in task %d; %s%s' % (str(e) or 'Ctrl-C', self.done, self.kept(), resumable),
                      file=sys.stderr)
                sys.exit(STOPPED if self.checkpoint else 128 + getattr(e, 'number', signal.SIGINT))
        self.settle()
        return self.acc

    def finish(self):
        """Writes what is final, in an order that can be resumed from every moment of it: first the state, if it is to be kept,
        then the result."""
        if self.keeps_state():
            self.checkpoint.write()
        if self.args.final_valid:
            if np.isnan(self.valid[-1, 0]):
                self.validate(self.ntasks - 1)
            self.record['valid_accuracy'] = self.valid[-1].tolist()
        self.save('finished')

    def settle(self):
        """Puts a finished result where it belongs; only now goes a state that nobody needs any more."""
        if self.board:
            self.board.end(self.record['config'], measures.summary(self.acc))
        if self.checkpoint and not self.keeps_state():
            self.checkpoint.remove()
        if self.place.staged and not self.is_cut():
            self.place.take_over()
        elif self.place.staged:
            print('A task was cut short: %s stays as it was; what came out is in %s' % (self.place.final, self.place.folder))

    def learn(self, t):
        """Trains task t."""
        print('*' * 100)
        print('Task {:2d} ({:s})'.format(t, self.data[t]['name']))
        print('*' * 100)
        self.tick = time.monotonic()
        if self.args.forward_transfer and self.appr.at['task'] is None:
            self.look_ahead(t)
        self.appr.train(*self.training_data(t), **foreign.extras(self.appr.train, self.there))
        print('-' * 100)

    def look_ahead(self, t):
        """Tests task t before it is learnt, and before the first all tasks, by the untrained network."""
        for u in range(self.ntasks) if t == 0 else [t]:
            accuracy = evaluation.guess(self.appr, u, images(self.data[u]['test']), self.data[u]['test']['y'])
            self.ahead[1, u] = accuracy
            if t == 0:
                self.ahead[0, u] = accuracy
        print('Before learning it: accuracy on task {:2d} {:5.1f}%'.format(t, 100 * self.ahead[1, t]))

    def test(self, t):
        """Tests on all tasks so far."""
        for u in range(t + 1):
            self.lss[t, u], self.acc[t, u] = self.evaluate(u, 'test')
            note = ''
            if self.infers():
                self.inferred[t, u] = self.appr.scenario.right
                note = ', task right={:5.1f}%'.format(100 * self.inferred[t, u])
            print('>>> Test on task {:2d} - {:15s}: loss={:.3f}, acc={:5.1f}%{} <<<'.format(
                u, self.data[u]['name'], self.lss[t, u], 100 * self.acc[t, u], note))
        if t in measures.diverged(self.lss[:t + 1, :t + 1]):
            print('warning: task %d has diverged: its loss is %.3g, that of guessing below 5; a lower --lr may help' % (
                t, self.lss[t, t]), file=sys.stderr)
        self.seconds.append(round(time.monotonic() - self.tick, 2))
        if self.board:
            self.board.task(t, self.acc, self.appr)

    def validate(self, t):
        """Notes the accuracy on the validation sets of all tasks so far."""
        self.valid[t] = [round(self.evaluate(u, 'valid')[1], 6) if u <= t else 0. for u in range(self.ntasks)]

    def save_model(self, t):
        """Keeps the model after task t."""
        from runs import saved
        path = self.place.folder / model(t)
        size = saved.save(path, t, self.appr, self.there, {**self.there['about'], 'config': self.record['config']})
        print('Model at %s (%.1f MB)' % (path, size))

    def evaluate(self, u, split):
        """(loss, accuracy) on a split of task u."""
        found = self.data[u][split]
        x, y = found['x'] if self.foreign else images(found), found['y'].to(self.device)
        loss, acc = self.appr.eval(u, x.to(self.device), y, **foreign.extras(self.appr.eval, self.there))
        return [float(v.detach() if hasattr(v, 'detach') else v) for v in (loss, acc)]

    def training_data(self, t):
        """What train() takes for task t: (t, xtrain, ytrain, xvalid, yvalid) on the device. For an approach that trains on all
        tasks so far, all their images, on the CPU, one task after another (dataloaders.images.Joined); for one with a loop of
        its own as tensors, and instead of t [tasks of training samples, of validation samples]. A validation set that is the
        training set stays the same."""
        import torch
        from dataloaders.joined import Joined
        everything = getattr(self.appr, 'cumulative', self.args.approach == 'joint')
        tasks, sets = range(t + 1) if everything else [t], []
        same = all(self.data[u]['valid'] is self.data[u]['train'] for u in tasks)
        for s in ('train',) if same else ('train', 'valid'):
            splits = [self.data[u][s] for u in tasks]
            ys = [split['y'] for split in splits]
            if not everything:
                x = splits[0]['x'] if self.foreign else images(splits[0])
                sets.append((x.to(self.device), ys[0].to(self.device)))
            elif self.foreign:
                sets.append((torch.cat([split['x'] for split in splits]), torch.cat(ys)))
            else:
                sets.append((Joined([(u, images(split)) for u, split in zip(tasks, splits)]), torch.cat(ys)))
        (xtrain, ytrain), (xvalid, yvalid) = sets[0], sets[-1]
        if everything and self.foreign:
            ids = [torch.cat([torch.full_like(self.data[u][s]['y'], u) for u in tasks]) for s in ('train', 'valid')]
            t = [ids[0]] * 2 if same else ids
        return t, xtrain, ytrain, xvalid, yvalid

    def end_epoch(self):
        """Notes the numbers of an epoch, and the state."""
        numbers = self.appr.fitting.numbers
        self.epochs.add(numbers)
        if self.board:
            self.board.epoch(self.step(), numbers)
        self.note()

    def infers(self):
        """Whether the approach infers tasks at test."""
        return not self.foreign and self.appr.scenario.infers

    def step(self):
        """The epochs so far, of all tasks."""
        return self.epochs.count if self.epochs else 0

    def note(self):
        """Notes the state for the checkpoint."""
        if self.checkpoint:
            self.checkpoint.take(self.appr, {
                'done': self.done, 'acc': self.acc, 'lss': self.lss, 'inferred': self.inferred, 'ahead': self.ahead, 'valid': self.valid,
                'seconds': self.seconds, 'epochs': self.epochs.count, 'cut': self.is_cut(), 'elapsed': self.elapsed(),
                'devices': self.devices, 'certificate': self.certificate.state})

    def resume(self, progress):
        """Takes up a checkpoint's progress."""
        self.appr.configure(seen=progress['done'])
        for name in ('done', 'acc', 'lss', 'inferred', 'ahead', 'valid'):
            setattr(self, name, progress[name])
        self.certificate.state = progress['certificate']
        self.epochs.resume(progress['epochs'])
        self.seconds, self.before, self.cut = progress['seconds'], progress['elapsed'], progress['cut']
        self.devices = list(dict.fromkeys(progress['devices'] + self.devices))
        self.record.update(resumed=True, devices=self.devices)
        print('Resuming in task %d' % self.done)

    def keeps_state(self):
        """Whether the final state is kept: not that of a run which --resume is to do again."""
        return bool(self.checkpoint and self.args.keep_checkpoint and not self.is_cut())

    def is_cut(self):
        """Whether Ctrl-C ended a task early: then the matrix, even if complete, is not that of the settings."""
        return bool(self.cut or getattr(getattr(self.appr, 'fitting', None), 'interrupted', False))

    def elapsed(self):
        """Seconds of work so far, of all starts."""
        return self.before + time.monotonic() - self.start

    def save(self, status):
        """Writes the matrix, the record and the approach's log of the tasks learnt, if there are any."""
        n, record = self.done, self.record
        if status == 'finished' and self.is_cut():
            status = 'interrupted'
        if n and (status == 'finished' or not finished(self.place.output)):  # which stays until there is a new one
            acc, lss = self.acc[:n, :n], self.lss[:n, :n]
            ahead = dict(zip(('untrained', 'before_learning'), self.ahead[:, :n].round(6).tolist()))
            ahead = ahead if self.args.forward_transfer else {}
            record.update(**ahead, **measures.summary(acc, ahead.get('before_learning'), ahead.get('untrained')), status=status,
                          seconds=round(self.elapsed(), 2), seconds_per_task=self.seconds,
                          accuracy=acc.round(6).tolist(), loss=lss.round(6).tolist())
            record['diverged'] = measures.diverged(lss)
            record.update({**ledgers.account(self.appr, n), **self.certificate.account()} if self.checkpoint else {})
            if self.args.final_valid and not np.isnan(self.valid[:n]).any():
                record['valid_matrix'] = self.valid[:n, :n].tolist()
            if self.infers():
                record['task_inferred'] = self.inferred[:n, :n].round(6).tolist()
            if records.has_log(self.appr):
                connections = getattr(getattr(self.appr, 'model', None), 'connections', None)
                records.save_logs(self.appr.logpath, self.appr.logs, record['tasks'][:n], self.acc[:n], self.lss[:n],
                                  config=json.dumps(record['config'], sort_keys=True),
                                  **({'layers': connections()} if connections else {}))
            print('Save at %s' % self.place.output, flush=True)
            shown = self.acc.copy()
            shown[n:] = 0
            records.save(self.place.output, shown, record)

    def kept(self):
        """Where the results of a stopped run are."""
        return 'the results of %d finished task%s are in %s' % (
            self.done, 's' * (self.done != 1), self.place.output) if self.done else 'no task was finished'
