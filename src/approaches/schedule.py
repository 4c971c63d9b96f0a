"""How long a task is trained: epochs or iterations, with the patience-based decay of the learning rate or without."""
import math

import utils


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
        """Where the batches of the present epoch begin among n shuffled samples."""
        starts = range(0, n, self.sbatch)
        if self.iterations is None:
            return starts
        whole = max(1, n // self.sbatch)
        return starts[:min(whole, self.iterations - self.epoch * whole)]

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
