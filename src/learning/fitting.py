"""The epochs of a task: phases, the learning rate and its patience, and where within them training is."""
import math
import time
from contextlib import contextmanager

import torch

import utils
from learning.schedule import Schedule
from utils import UserError

IDLE = {'task': None, 'phase': 0, 'epoch': 0}  # where training is between tasks


class Fitting:
    """Trains an approach on one task after another. Where it is within a task, appr.at says: all that a
    checkpoint needs to go on. on_step: called before every step of training; on_epoch: after every epoch;
    numbers: {name: number} of the last one; interrupted: whether Ctrl-C has ended a task."""

    def __init__(self, appr):
        self.appr, self.numbers, self.interrupted = appr, None, False
        self.on_step = self.on_epoch = None

    def start(self, t=0, phase=0):
        """Where a phase of task t begins; what a checkpoint has instead is of the same keys, types and
        shapes."""
        appr = self.appr
        weights = utils.get_model(appr.model) if appr.recipe.patience else {}
        return {'task': t, 'phase': phase, 'epoch': 0, 'lr': appr.lr, 'patience': appr.lr_patience, 'best_loss': math.inf,
                'done': False, 'best_model': weights}

    def possible(self, at):
        """Whether the numbers of a position, which is like start()'s, are possible."""
        return at['epoch'] >= 0 and at['lr'] > 0 and 0 <= at['phase'] < self.appr.phases

    def where(self):
        """{name: number} of an epoch's place in its task, where its own number is not enough."""
        return {'Phase': self.appr.at['phase'] + 1} if self.appr.phases > 1 else {}

    def run(self, t, *data):
        """All phases of task t that are left. data: as Appr.train has it."""
        appr = self.appr
        for phase in range(appr.at['phase'], appr.phases):
            if appr.at['phase'] < phase:
                appr.at.clear()
                appr.at.update(self.start(t, phase))
            self.phase(t, *data)
            appr.end_phase(t, phase)

    def phase(self, t, *data):
        """Epochs until the learning rate is too small; ends with the weights of the lowest validation loss."""
        appr, at, patient = self.appr, self.appr.at, self.appr.recipe.patience
        self.renew(at['lr'], keep=at['epoch'] > 0)  # which is so where a run goes on within the phase
        try:
            while at['epoch'] < appr.epochs(len(data[1]), at['phase']) and not at['done']:
                self.pace(appr.epochs(len(data[1]), at['phase']))
                loss, line = self.epoch(t, *data)
                best, note = self.wait(at, loss) if patient else (False, '')
                if best:
                    at['best_model'] = utils.get_model(appr.model, into=at['best_model'])
                elif note:
                    at['done'] = at['lr'] < appr.lr_min
                    self.renew(at['lr'])
                self.end_line(line + note)
        except KeyboardInterrupt:
            self.interrupt()
        if patient:
            utils.set_model_(appr.model, at['best_model'])

    def renew(self, lr, keep=False):
        """Makes a new optimizer; to keep, or with recipe.keep, it goes on with what the last one remembers of
        the parameters."""
        before, self.appr.optimizer = self.appr.optimizer, self.appr._get_optimizer(lr)
        for p in self.appr.optimizer.param_groups[0]['params'] if keep or self.appr.recipe.keep else ():
            if p in before.state:
                self.appr.optimizer.state[p] = before.state[p]

    def pace(self, n):
        """Sets the learning rate of the epoch that is to come, of a phase of n, as the schedule has it, in
        whatever optimizer there is."""
        appr = self.appr
        if appr.recipe.schedule == Schedule() or not appr.optimizer:
            return
        for group in appr.optimizer.param_groups:
            first = group.setdefault('initial_lr', group['lr'])  # as PyTorch's own schedulers call it
            group['lr'] = first * appr.recipe.schedule.factor(appr.at['epoch'], n)

    def wait(self, at, loss):
        """The patience: notes a validation loss in at, {'lr', 'patience', 'best_loss'}, and divides the
        learning rate once it has run out. Returns (whether the loss is the best, what the epoch's line
        says of it)."""
        if loss < at['best_loss']:
            at.update(best_loss=loss, patience=self.appr.lr_patience)
            return True, ' *'
        at['patience'] -= 1
        if at['patience'] > 0:
            return False, ''
        at.update(lr=at['lr'] / self.appr.lr_factor, patience=self.appr.lr_patience)
        return False, ' lr={:.1e}'.format(at['lr'])

    def epoch(self, t, xtrain, ytrain, xvalid, yvalid):
        """Trains for one epoch and evaluates. Returns the validation loss and the epoch's line."""
        appr, e, n = self.appr, self.appr.at['epoch'], len(ytrain)
        clock0 = time.monotonic()
        appr.train_epoch(t, xtrain, ytrain)
        clock1 = time.monotonic()
        train = appr.eval(t, xtrain, ytrain)
        clock2 = time.monotonic()
        # Evaluation draws no random numbers: where training and validation set are one, so are their results.
        valid = train if xvalid is xtrain and yvalid is ytrain else appr.eval(t, xvalid, yvalid)
        check(appr, [train[0], valid[0]], 'in evaluation')
        note = appr.end_epoch(t, e, train, valid) or ''
        own = {k: float(v) for k, v in note.items()} if isinstance(note, dict) else {}
        lr, where = appr.optimizer.param_groups[0]['lr'] if appr.optimizer else appr.lr, self.where()
        self.numbers = {'task': appr.seen - 1, 'epoch': e + 1, 'lr': lr, 'train_loss': train[0], 'train_accuracy': train[1],
                        'valid_loss': valid[0], 'valid_accuracy': valid[1], 'seconds': time.monotonic() - clock0,
                        **where, **own}
        per_batch = 1000 * appr.sbatch / n  # milliseconds
        per_step = per_batch if appr.recipe.iterations is None else 1000 / len(batches(appr, n))
        line = ''.join('| %s %3d ' % item for item in where.items())
        line += '| Epoch {:3d}, time={:5.1f}ms/{:5.1f}ms |'.format(
            e + 1, per_step * (clock1 - clock0), per_batch * (clock2 - clock1))
        for name, (loss, accuracy) in (('Train', train), ('Valid', valid)):
            line += ' {}: loss={:.3f}, acc={:5.1f}% |'.format(name, loss, 100 * accuracy)
        return valid[0], line + (''.join(' %s: %.3f |' % item for item in own.items()) or note or '')

    def end_line(self, line):
        """Ends an epoch: first the state is noted, then the line printed."""
        self.appr.at['epoch'] += 1
        if self.on_epoch:
            self.on_epoch()
        print(line, flush=True)

    def interrupt(self):
        """Ctrl-C: the first one ends the task's training, a later one the run."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print('\nInterrupted: this task\'s training ends here; another Ctrl-C stops the run', flush=True)


def batches(appr, n):
    """The batches of the present epoch, slices of n shuffled samples. Where the network has batch
    normalisation, a rest of one sample joins the batch before it."""
    size, iterations = appr.sbatch, appr.recipe.iterations
    out = [slice(i, i + size) for i in range(0, n, size)]
    if iterations is not None:
        whole = max(1, n // size)
        return out[:min(whole, iterations - appr.at['epoch'] * whole)]
    if len(out) > 1 and n % size == 1 and normalises(appr.model):
        out[-2:] = [slice(out[-2].start, n)]
    return out


def normalises(model):
    """Whether a network has batch normalisation that in training takes mean and variance of the batch at
    hand."""
    kind = torch.nn.modules.batchnorm._BatchNorm
    return any(isinstance(m, kind) and (m.training or not model.training) for m in model.modules())


@contextmanager
def several(sbatch, n):
    """Within it, a batch of one sample that batch normalisation cannot take raises UserError. n: samples
    of the task."""
    try:
        yield
    except ValueError as e:
        if 'more than 1 value per channel' not in str(e):
            raise
        why = 'the approach also computes samples one by one, or replays a single one (--buffer-size)'
        if sbatch == 1:
            why = '--sbatch 1: give 2 or more'
        elif n == 1:
            why = 'the task has a single training sample'
        raise UserError('batch normalisation needs two samples or more in every batch of training; %s' % why)


def check(appr, losses, where=None, option='--lr', rate=None):
    """Raises UserError at the first loss, of a list, that is not finite; option, rate: of what learns, if
    not of the network."""
    for k, loss in enumerate(losses):
        if not math.isfinite(loss):
            place = where or 'batch %d of %d' % (k + 1, len(losses))
            rate = appr.optimizer.param_groups[0]['lr'] if rate is None else rate
            raise UserError('the loss became %s in epoch %d, %s (learning rate %g): a lower %s may help' % (
                loss, appr.at['epoch'] + 1, place, rate, option))
