"""How long a task is trained: epochs or iterations, with the patience-based decay of the learning rate or without."""
import math
from contextlib import contextmanager

import torch

import utils


def normalises(model):
    """Whether a network has batch normalisation that in training takes mean and variance of the batch at hand."""
    kind = torch.nn.modules.batchnorm._BatchNorm
    return any(isinstance(m, kind) and (m.training or not model.training) for m in model.modules())


@contextmanager
def several(sbatch, n):
    """Within it, a batch of one sample that batch normalisation cannot take raises UserError. n: samples of the task."""
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
        raise utils.UserError('batch normalisation needs two samples or more in every batch of training; %s' % why)


class Schedule:
    """Of an approach: has its model, nepochs, sbatch, lr, lr_factor and lr_patience."""

    patience = True       # whether the learning rate follows the validation loss and the best weights are kept
    iterations = None     # steps per task, instead of epochs; then incomplete batches are left out

    def epochs(self, n):
        """How many epochs a task of n samples takes, at most."""
        return self.nepochs if self.iterations is None else -(-self.iterations // max(1, n // self.sbatch))

    def all_epochs(self, n):
        """The same, of all passes that a task has."""
        return self.epochs(n)

    def shorten(self, epochs):
        """Makes tasks as short as they can be, with so many epochs, for a trial."""
        self.nepochs, self.iterations = epochs, None

    def batches(self, n):
        """The batches of the present epoch, slices of n shuffled samples. Where the network has batch normalisation, a rest of
        one sample joins the batch before it."""
        out = [slice(i, i + self.sbatch) for i in range(0, n, self.sbatch)]
        if self.iterations is not None:
            whole = max(1, n // self.sbatch)
            return out[:min(whole, self.iterations - self.epoch * whole)]
        if len(out) > 1 and n % self.sbatch == 1 and normalises(self.model):
            out[-2:] = [slice(out[-2].start, n)]
        return out

    def start(self):
        """Where a task begins; what a checkpoint has instead is of the same keys, types and shapes."""
        return {'epoch': 0, 'lr': self.lr, 'patience': self.lr_patience, 'best_loss': math.inf, 'done': False,
                'best_model': utils.get_model(self.model) if self.patience else {}, 'optimizer': {}}

    def within(self, at):
        """Whether the numbers of a position, which is like start()'s, are possible."""
        return at['epoch'] >= 0 and at['lr'] > 0

    def wait(self, at, loss):
        """The patience: notes a validation loss in at, {'lr', 'patience', 'best_loss'}, and divides the learning rate once it
        has run out. Returns (whether the loss is the best, what the epoch's line says of it)."""
        if loss < at['best_loss']:
            at.update(best_loss=loss, patience=self.lr_patience)
            return True, ' *'
        at['patience'] -= 1
        if at['patience'] > 0:
            return False, ''
        at.update(lr=at['lr'] / self.lr_factor, patience=self.lr_patience)
        return False, ' lr={:.1e}'.format(at['lr'])
