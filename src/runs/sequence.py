"""The loop over the tasks: learn, test, tell. What a run leaves is the business of its listeners."""
import signal
import sys
import time
from functools import partial

import torch

from dataloaders import images
from dataloaders.joined import Joined
from learning import evaluation
from results import measures
from runs import foreign, listeners
from runs.outcome import Outcome
from runs.stopping import STOPPED, Stop, stopping
from utils import UserError

LINE = '*' * 100


def known(data):
    """Return {name: tensor or images} of what a run's data are made of, which no checkpoint needs to hold.
    Images that nobody holds are made anew: whoever kept them would keep the floats of all tasks."""
    out = {}
    for t in (k for k in data if isinstance(k, int)):
        for split in ('train', 'valid', 'test'):
            found, name = data[t][split], 'data %d %s ' % (t, split)
            x = images.of(found)
            out.update({name + 'x': x, name + 'y': found['y'], name + 'source': getattr(x, 'source', x)})
    return out


class Sequence:
    """One approach learning the tasks of one experiment.

    there: {'data', 'taskcla', 'inputsize', 'device', 'args', ...}, which train() and eval() get by name as
    far as they take it; checkpoint: where the state goes after every epoch and task, or None; record: what
    the run's record begins with; place: the runs.place.Place of all that the run leaves, None for a trial.
    """

    def __init__(self, appr, there, record, checkpoint, place):
        self.appr, self.there, self.data, self.args = appr, there, there['data'], there['args']
        self.device, self.ntasks = there['device'], len(there['taskcla'])
        self.foreign = foreign.is_foreign(type(appr))
        self.record, self.checkpoint, self.place = record, checkpoint, place
        self.outcome, self.done, self.devices = Outcome(self.ntasks), 0, [record['device']]  # of all starts
        self.start = self.tick = time.monotonic()
        self.before, self.cut = 0., False  # seconds of work, and whether a task was cut, before
        self.listeners = listeners.of(self)

    def run(self, state=None):
        """Learns the tasks, from a checkpoint's state if given; returns the accuracy matrix. Raises UserError
        for a loss that is not finite; SystemExit(75) if stopped by Ctrl-C or a signal, with the state saved,
        or (130 or 128 + the signal's number) where there is no checkpoint."""
        if self.checkpoint:
            self.checkpoint.data = partial(known, self.data)
        if state is not None:
            self.resume(self.checkpoint.restore(state, self.appr, self.ntasks))
        if self.checkpoint:
            self.appr.fitting.on_epoch = self.epoch
        self.tell('begin', state is not None)
        with stopping():
            try:
                for t in range(self.done, self.ntasks):
                    self.learn(t)
                    self.test(t)
                    self.done = t + 1
                    self.tell('task', t)
                self.tell('end')
            except UserError as e:
                self.fail(e)
            except (KeyboardInterrupt, Stop) as e:
                self.interrupt(e)
        self.tell('settle')
        if self.place.staged and self.is_cut():
            print('A task was cut short: %s stays as it was; what came out is in %s' % (
                self.place.final, self.place.folder))
        elif self.place.staged:
            self.place.take_over()
        return self.outcome.acc

    def learn(self, t):
        """Trains task t."""
        print('%s\nTask %2d (%s)\n%s' % (LINE, t, self.data[t]['name'], LINE))
        self.tick = time.monotonic()
        if self.args.forward_transfer and self.appr.at['task'] is None:
            self.look_ahead(t)
        foreign.call(self.appr.train, *self.training_data(t), there=self.there)
        print('-' * 100)

    def look_ahead(self, t):
        """Tests task t before it is learnt, and before the first all tasks, by the untrained network."""
        ahead = self.outcome.ahead
        for u in range(self.ntasks) if t == 0 else [t]:
            test = self.data[u]['test']
            ahead[1, u] = evaluation.guess(self.appr, u, images.of(test), test['y'])
        if t == 0:
            ahead[0] = ahead[1]
        print('Before learning it: accuracy on task {:2d} {:5.1f}%'.format(t, 100 * ahead[1, t]))

    def test(self, t):
        """Tests on all tasks so far."""
        out = self.outcome
        for u in range(t + 1):
            out.lss[t, u], out.acc[t, u] = self.evaluate(u, 'test')
            note = ''
            if self.infers():
                out.inferred[t, u] = self.appr.scenario.right
                note = ', task right={:5.1f}%'.format(100 * out.inferred[t, u])
            print('>>> Test on task {:2d} - {:15s}: loss={:.3f}, acc={:5.1f}%{} <<<'.format(
                u, self.data[u]['name'], out.lss[t, u], 100 * out.acc[t, u], note))
        if t in measures.diverged(out.lss[:t + 1, :t + 1]):
            appr = self.appr
            held = t and getattr(appr, 'first_norms', False) and 'norm' in getattr(appr.model, 'choices', {})
            print('warning: task %d has diverged: its loss is %.3g, that of guessing below 5; a lower --lr%s '
                  'may help' % (t, out.lss[t, t], ' or --net norm=task' * bool(held)), file=sys.stderr)
        out.seconds.append(round(time.monotonic() - self.tick, 2))

    def validate(self, t):
        """Notes the accuracy on the validation sets of all tasks so far."""
        self.outcome.valid[t] = 0.
        for u in range(t + 1):
            self.outcome.valid[t, u] = round(self.evaluate(u, 'valid')[1], 6)

    def evaluate(self, u, split):
        """(loss, accuracy) on a split of task u, or one of its splits by name."""
        x, y = self.samples(self.data[u][split] if isinstance(split, str) else split)
        return foreign.measured(self.appr, foreign.call(self.appr.eval, u, x, y, there=self.there))

    def samples(self, split):
        """(x, y) of a split on the device."""
        x = split['x'] if self.foreign else images.of(split)
        return x.to(self.device), split['y'].to(self.device)

    def training_data(self, t):
        """What train() takes for task t: (t, xtrain, ytrain, xvalid, yvalid) on the device. For an approach
        that trains on all tasks so far, all their images, one task after another (dataloaders.joined); for
        one with a loop of its own as tensors, and instead of t [tasks of training samples, of validation
        samples]. A validation set that is the training set stays the same."""
        if not getattr(self.appr, 'cumulative', self.args.approach == 'joint'):
            task = self.data[t]
            train = self.samples(task['train'])
            return t, *train, *(train if task['valid'] is task['train'] else self.samples(task['valid']))
        same = all(self.data[u]['valid'] is self.data[u]['train'] for u in range(t + 1))
        first, *train = self.joined(t, 'train')
        second, *valid = (first, *train) if same else self.joined(t, 'valid')
        return [first, second] if self.foreign else t, *train, *valid

    def joined(self, t, split):
        """(the task of each sample, int64 [N], x, y) of a split of the tasks up to t."""
        splits = [self.data[u][split] for u in range(t + 1)]
        y = torch.cat([s['y'] for s in splits])
        of = [torch.full_like(s['y'], u) for u, s in enumerate(splits)]
        if self.foreign:
            return torch.cat(of), torch.cat([s['x'] for s in splits]), y
        return torch.cat(of), Joined(list(enumerate(map(images.of, splits)))), y

    # What it tells and is asked
    def tell(self, event, *values):
        """Tells the listeners in their order."""
        for listener in self.listeners:
            getattr(listener, event)(*values)

    def epochs(self):
        """The epochs so far, of all tasks; 0 where nobody counts them."""
        return next((one.count for one in self.listeners if one.name == 'epochs'), 0)

    def epoch(self):
        """Called after every epoch."""
        self.tell('epoch', self.appr.fitting.numbers)

    def infers(self):
        """Whether the approach infers tasks at test."""
        return not self.foreign and self.appr.scenario.infers

    def is_cut(self):
        """Whether Ctrl-C ended a task early: then the matrix, if complete, is not that of the settings."""
        return bool(self.cut or getattr(getattr(self.appr, 'fitting', None), 'interrupted', False))

    def elapsed(self):
        """Seconds of work so far, of all starts."""
        return self.before + time.monotonic() - self.start

    def progress(self):
        """What a checkpoint keeps of the run."""
        states = {one.name: one.state for one in self.listeners if one.name}
        return {**self.outcome.state, 'done': self.done, 'cut': self.is_cut(), 'elapsed': self.elapsed(),
                'devices': self.devices, 'listeners': states}

    def resume(self, progress):
        """Takes up a checkpoint's progress."""
        self.done, self.before, self.cut = progress['done'], progress['elapsed'], progress['cut']
        self.outcome.resume(progress)
        self.appr.configure(seen=self.done)
        for one in self.listeners:
            if one.name in progress['listeners']:
                one.state = progress['listeners'][one.name]
        self.devices = list(dict.fromkeys(progress['devices'] + self.devices))
        self.record.update(resumed=True, devices=self.devices)
        print('Resuming in task %d' % self.done)

    # How it ends
    def kept(self):
        """Where the results of a stopped run are."""
        if not self.done:
            return 'no task was finished'
        return 'the results of %d finished task%s are in %s' % (
            self.done, 's' * (self.done != 1), self.place.output)

    def fail(self, error):
        """Raises a UserError again, with what is left of the run."""
        self.tell('stop', 'stopped: %s' % error)
        kept = '%s stays as it was' % self.place.final if self.place.staged else self.kept()
        self.place.drop()  # better an old result than half a new one
        raise UserError('task %d (%s): %s; %s' % (self.done, self.data[self.done]['name'], error, kept))

    def interrupt(self, why):
        """Ends the process of a run that was stopped."""
        self.tell('stop', 'interrupted')
        resumable = '; --resume goes on' if self.checkpoint and self.checkpoint.path.exists() else ''
        print('run.py: stopped by %s in task %d; %s%s' % (
            str(why) or 'Ctrl-C', self.done, self.kept(), resumable), file=sys.stderr)
        sys.exit(STOPPED if self.checkpoint else 128 + getattr(why, 'number', signal.SIGINT))
