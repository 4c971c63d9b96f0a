"""The one training loop. A method overrides hooks, never the loop.

The hooks, in the order in which a task meets them:

    begin_task(t, x, y)             before the first epoch
    penalty(t)                      a quadratic penalty on the weights (engine.penalty), which the loss's own code leaves out
    subnet(t)                       the part of the network that is run (subnets.attended), where that is not all of it
    forward(t, x, y)                a batch of inputs and targets to (loss, hits); training and evaluation share it
    logits(t, x)                    the logits that compete (approaches.competing), within forward
    criterion(t, output, targets)   the loss of these, within forward
    before_step(t)                  with all gradients there, before clipping and the step: gradient masks, projection
    after_step(t)                   after the step: clamps
    end_epoch(t, e, train, valid)   after both evaluations; may return {name: number} for the epoch's line and the run's epochs.csv
    end_task(t, x, y)               with the best weights restored: what the method keeps of the task

What a method keeps from one epoch or task to the next it names in `state`: a checkpoint saves that.
"""
import inspect
import time
from contextlib import contextmanager

import numpy as np
import torch
from tqdm import tqdm

import utils
from approaches import keeps
from approaches.declared import Declared
from approaches.evaluated import Evaluated
from approaches.scenarios import KINDS
from approaches.schedule import Schedule, several
from engine import normalising
from engine.graph import Graph
from engine.modes import Modes
from engine.step import leaves_linear, step


class Appr(Schedule, Evaluated, Modes, Declared):
    """Fine-tuning with plain SGD: the base of all approaches, and what is left when no hook is overridden.

    model: a network with one head per task; nepochs: epochs per task, at most; sbatch: samples per batch;
    lr: initial learning rate of every task, divided by lr_factor whenever the validation loss has not improved
    for lr_patience epochs, until it falls below lr_min; clipgrad: largest norm of the gradient (default: the
    approach's own); values, named: the approach's own hyper-parameters, by position or by name;
    args.parameter: the same as a text, '0.75,400'. Raises UserError for values it cannot take.
    """

    variants = ('',)      # suffixes of the network's name, the first that exists is used: '_hat'
    clipgrad = 10000
    cumulative = False    # True: trains on the data of all tasks so far
    first_norms = False   # whether layers with running statistics stay what the first task makes them
    logs = None           # what run.py pickles at the end, at self.logpath
    state = ()            # attributes that have to survive a restart, besides the model's weights (approaches.keeps)
    unsaved = None        # why there is no model to save
    for_training = ()     # those of them that a model which is only used can do without
    scratch = ('model', 'optimizer', 'epoch', 'progress', 'batches_left', 'position', 'interrupted', 'part', 'quadratic',
               'on_epoch', 'seen', 'inferred', 'scenario', 'infer', 'numbers', 'where')  # what changes, and is set anew before it is read
    loop_names = (  # what a subclass may not use for something of its own (approaches.taken)
        'epoch', 'progress', 'batches_left', 'position', 'interrupted', 'part', 'quadratic', 'on_epoch',
        'seen', 'inferred', 'scenario', 'infer', 'numbers', 'where', 'only', 'pixels', 'iterations')
    position = None       # where fit() is within a task
    on_epoch = None       # called after every epoch of fit(): run.py notes its numbers, {name: number}, and saves a checkpoint
    numbers, where = None, {}  # where: {name: number} of an epoch's place in its task, where its own number is not enough

    def __init__(self, model, nepochs=100, sbatch=64, lr=0.05, lr_min=1e-4, lr_factor=3, lr_patience=5, clipgrad=None,
                 *values, args=None, **named):
        self.model, self.scenario = model, KINDS[self.scenarios[0]](getattr(model, 'taskcla', ()))
        self.device = next(model.parameters()).device
        self.nepochs, self.sbatch = nepochs, sbatch
        self.lr, self.lr_min, self.lr_factor, self.lr_patience = lr, lr_min, lr_factor, lr_patience
        self.clipgrad = self.clipgrad if clipgrad is None else clipgrad
        named.update(zip([h.name for h in self.hyperparameters], values))
        self.set_hyper(getattr(args, 'parameter', ''), named)
        self.epoch, self.batches_left, self.progress = 0, 0, 0.  # progress: share of the epoch behind the current batch
        self.only = 'only' in inspect.signature(model.forward).parameters
        self.interrupted, self.pixels = False, {}  # pixels: {task: dataloaders.pixels.Pixels} where images are bytes behind the floats
        self.optimizer = self._get_optimizer(lr)

    # Hooks
    def begin_task(self, t, x, y):
        """Called with the training set before the task's first epoch."""

    def penalty(self, t):
        """Called before each pass over data: the engine.penalty.Quadratic that is added to the loss of task t, or None."""

    def subnet(self, t):
        """Called before each batch of training and each evaluation: what is trained, and what forward() is to run, as self.part
        (a subnets.narrow.Narrow or subnets.whole.Whole); None: the model."""

    def forward(self, t, x, y):
        """Loss (scalar) and number of hits (scalar) of a batch: x [B,C,H,W], y [B], both on the device. t: the task, or those
        of the samples, int64 [B]; which may stand in the second column of y [B,2] instead."""
        t, y = (t, y) if y.dim() == 1 else (y[:, 1], y[:, 0])
        output, y = self.logits(t, x), self.targets(t, y)
        return self.criterion(t, output, y), self.hits(output, y)

    def criterion(self, t, output, targets):
        """The loss of logits [B, classes], regularisers included but for penalty(); targets: among these logits."""
        return torch.nn.functional.cross_entropy(output, targets)

    @leaves_linear
    def before_step(self, t):
        """Called between backward and gradient clipping, with every gradient in .grad. An override that looks at none of
        linear layers' may be marked so: then these need not be formed."""

    def after_step(self, t):
        """Called after the optimizer's step."""

    def end_epoch(self, t, e, train, valid):
        """Called after epoch e (from 0) with (loss, accuracy) on the training and the validation set. May return {name: number}, what
        the method has to say of the epoch, or a text for its line alone."""

    def end_task(self, t, x, y):
        """Called with the training set once the task's best weights are back."""

    def account(self, done):
        """What the record of a run is to say of the approach after so many tasks, {name: plain value}; no hook of the loop's. Another
        task may have been begun."""
        return {'kept_megabytes': round(sum(keeps.megabytes(getattr(self, n)) for n in self.state), 3)}

    def report(self):
        """Lines to print after the tests of a task."""
        return []

    def guarded(self):
        """{parameter's name: bool mask} of the weights that no later task is to change, as far as there are any."""
        return {}

    # The loop
    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """Learns task t. x: float [N,C,H,W]; y: int64 [N]. Ends with the weights of the lowest validation loss, or without
        patience with the last ones."""
        self.seen = max(self.seen, self.seen if t is None else t + 1)
        if self.position is None:  # not resumed within the task
            self.begin_task(t, xtrain, ytrain)
        self.fit(t, xtrain, ytrain, xvalid, yvalid)
        self.end_task(t, xtrain, ytrain)
        self.position = None

    def fit(self, t, xtrain, ytrain, xvalid, yvalid):
        """The epochs of one task, with the patience-based decay of the learning rate."""
        at = self.position = self.position or self.start()
        self.renew_optimizer(at['lr'])
        self.optimizer.load_state_dict(at['optimizer'] or self.optimizer.state_dict())
        try:
            while at['epoch'] < self.epochs(len(xtrain)) and not at['done']:
                self.epoch = at['epoch']
                valid_loss, line = self.one_epoch(t, xtrain, ytrain, xvalid, yvalid)
                best, note = self.wait(at, valid_loss) if self.patience else (False, '')
                if best:
                    at['best_model'] = utils.get_model(self.model, into=at['best_model'])
                elif note:
                    at['done'] = at['lr'] < self.lr_min
                    self.renew_optimizer(at['lr'])
                at['optimizer'] = self.optimizer.state_dict() if self.optimizer.state else {}
                self.end_line(at, line + note)
        except KeyboardInterrupt:
            self.interrupt()
        if self.patience:
            utils.set_model_(self.model, at['best_model'])

    def end_line(self, at, line):
        """Ends an epoch: first the state is noted, then the line printed."""
        at['epoch'] += 1
        if self.on_epoch:
            self.on_epoch()
        print(line, flush=True)

    def one_epoch(self, t, xtrain, ytrain, xvalid, yvalid):
        """Trains for one epoch and evaluates. Returns the validation loss and the epoch's line."""
        clock0 = time.monotonic()
        self.train_epoch(t, xtrain, ytrain)
        clock1 = time.monotonic()
        train = self.eval(t, xtrain, ytrain)
        clock2 = time.monotonic()
        # Evaluation draws no random numbers: where training and validation set are one, so are their results.
        valid = train if xvalid is xtrain and yvalid is ytrain else self.eval(t, xvalid, yvalid)
        self.check([train[0], valid[0]], 'in evaluation')
        note = self.end_epoch(t, self.epoch, train, valid) or ''
        own = {n: float(v) for n, v in note.items()} if isinstance(note, dict) else {}
        lr = self.optimizer.param_groups[0]['lr'] if self.optimizer else self.lr
        self.numbers = {'task': self.seen - 1, 'epoch': self.epoch + 1, 'lr': lr, 'train_loss': train[0], 'train_accuracy': train[1],
                        'valid_loss': valid[0], 'valid_accuracy': valid[1], 'seconds': time.monotonic() - clock0, **self.where, **own}
        per_batch = 1000 * self.sbatch / len(xtrain)  # milliseconds
        per_step = per_batch if self.iterations is None else 1000 / len(self.batches(len(xtrain)))
        return valid[0], ''.join('| %s %3d ' % item for item in self.where.items()) + (
            '| Epoch {:3d}, time={:5.1f}ms/{:5.1f}ms | Train: loss={:.3f}, acc={:5.1f}% |'
            ' Valid: loss={:.3f}, acc={:5.1f}% |').format(
                self.epoch + 1, per_step * (clock1 - clock0), per_batch * (clock2 - clock1),
                train[0], 100 * train[1], valid[0], 100 * valid[1]) + (
                    ''.join(' %s: %.3f |' % item for item in own.items()) or note or '')

    @contextmanager
    def passing(self, t):
        """One pass over data: within it there is what the method hands over for it."""
        outer, self.part = (self.quadratic, self.part), None  # of a pass that this one interrupts, as a hook may
        self.quadratic = self.penalty(t)
        try:
            yield
            if self.part is not None and self.model.training:
                self.part.write_back()
        finally:
            self.quadratic, self.part = outer

    def choose_part(self, t):
        """Takes up the part of the network that is to be run from here on."""
        part = self.subnet(t)
        if part is not None and self.quadratic is not None:
            raise utils.UserError('penalty() and subnet() do not go together: the one holds weights, the other trains copies')
        if part is not self.part:
            self.part = part
            if self.model.training:
                self.optimizer = self._get_optimizer(self.optimizer.param_groups[0]['lr'])

    def train_epoch(self, t, x, y):
        """One pass over the training set in shuffled batches, the last one smaller, or as far as the iterations go."""
        self.model.train()
        if self.first_norms and t:
            normalising.hold(self.model)
        self.progress, graph = 0., None
        r = np.arange(len(x))
        np.random.shuffle(r)
        r = torch.from_numpy(r).to(x.device)
        batches = self.batches(len(r))
        losses = torch.empty(len(batches), device=self.device)  # one tensor: many small ones would riddle the heap
        with self.passing(t), several(self.sbatch, len(r)):
            for k, part in enumerate(tqdm(batches, desc='Epoch %d' % (self.epoch + 1), leave=False, disable=None)):
                b = r[part]
                self.progress = part.start / (len(r) if self.iterations is None else len(batches) * self.sbatch)
                self.batches_left = len(batches) - k
                self.choose_part(t)
                if self.cuda_graph and len(b) == self.sbatch:
                    graph = graph if graph and graph.fits() else Graph(self, t, x, y)
                    losses[k] = graph(b)
                else:
                    losses[k] = step(self, t, x[b].to(self.device), y[b].to(self.device))
        self.check(losses.tolist())

    def interrupt(self):
        """Ctrl-C: the first one ends the task's training, a later one the run."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print('\nInterrupted: this task\'s training ends here; another Ctrl-C stops the run', flush=True)
