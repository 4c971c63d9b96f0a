"""The one training loop. A method overrides hooks, never the loop.

The hooks, in the order in which a task meets them:

    begin_task(t, x, y)             before the first epoch
    outputs(batch)                  the logits of all heads, a list of [B,classes]
    loss(batch)                     the loss of a batch, a scalar; training and evaluation share it
    after_backward(batch)           with the gradients of the loss in .grad, not yet the penalty's: masks, projections
    penalty()                       what is added to the loss whatever the batch: a scalar tensor, or 0
    after_step(batch)               after the optimizer's step: clamps, notes
    end_epoch(t, e, train, valid)   after both evaluations, (loss, accuracy) each; may return {name: number} to be shown
    end_phase(t, phase)             with the best weights back; a task has `phases` of them
    end_task(t, x, y)               what the method keeps of the task

A method is a file approaches/<name>.py with a class Appr, which --approach <name> then finds (a hyphen for an
underscore); the first line of its docstring is what --help says of it, `family` where it stands there.
`python src/run.py --debug` tries it.

A learning.batch.Batch has x [B,C,H,W], y [B], t [B], the tasks of its samples, and task, the number if they
are of one, else None; batches add. Under --augment x has augmented images, plain those to keep.
compete(batch) gives the logits that compete and the targets among them: of the task's own head, or, under
--scenario class, of all tasks met so far side by side, the present one included. Where training and tests
differ, a hook asks self.model.training. Hooks may also use model, optimizer, seen (tasks met so far), at
(where training is: task, phase, epoch), progress (share of the epoch behind the batch), scenario, params(),
trainable() and the hyper-parameters by their names.

What a method keeps from one epoch or task to the next is its attributes, of any name that the loop has not:
a checkpoint saves them all, tensors, arrays, networks, optimizers, containers and objects of classes of one's
own, and brings them back. What is meant for one step alone may be an attribute of the batch. Nothing that a
method does is left out by what computes faster (fast/): what that does not know is computed as written.
"""
import inspect
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn import functional as F

import utils
from approaches.declared import Declared
from learning import evaluation, normalising
from learning.fitting import IDLE, Fitting, batches, check, several
from learning.batch import Batch
from learning.recipe import Recipe
from learning.scenario import KINDS
from networks import layers


class Appr(Declared):
    """Fine-tuning with plain SGD: the base of all approaches, and what is left when no hook is overridden.

    model: a network with one head per task; nepochs: epochs per task, at most; sbatch: samples per batch; lr:
    initial learning rate of every task, divided by lr_factor whenever the validation loss has not improved
    for lr_patience epochs, until it falls below lr_min; clipgrad: largest norm of the gradient (default: the
    approach's own); values, named: the approach's own hyper-parameters, by position or by name;
    args.parameter: the same as a text, '0.75,400'. Raises UserError for values it cannot take.
    """

    variants = ('',)       # suffixes of the network's name, the first that exists is used: '_hat'
    clipgrad = 10000
    phases = 1             # how often a task is trained, each time with a learning rate that begins anew
    scenarios = ('task',)  # what of learning.scenario it supports
    isolated = False       # whether every task has a network or a mask of its own: then a task not told is inferred
    cumulative = False     # True: trains on the data of all tasks so far
    first_norms = False    # whether layers with running statistics stay what the first task makes them
    promise = ''           # how what is said of old tasks, if they are told, stays: 'exact', 'up to masks'
    cannot = {}            # {'optimizer', 'save', 'untrained', 'validation', 'current', 'steps': why not}
    logs = None            # what run.py pickles at the end, at self.logpath
    fitting = Fitting      # what trains a task; of an instance, the one of its own
    wing = None            # what computes steps and tests instead of plain code, with the same numbers
    task_calibration = ()  # (temperature, shift) of each task's logits, if they are to be compared

    def __init__(self, model, nepochs=100, sbatch=64, lr=0.05, lr_min=1e-4, lr_factor=3, lr_patience=5, clipgrad=None,
                 *values, args=None, **named):
        self.model, self.nepochs, self.sbatch = model, nepochs, sbatch
        self.lr, self.lr_min, self.lr_factor, self.lr_patience = lr, lr_min, lr_factor, lr_patience
        self.clipgrad = self.clipgrad if clipgrad is None else clipgrad
        self.configure(
            device=next(model.parameters()).device, scenario=KINDS[self.scenarios[0]](getattr(model, 'taskcla', ())),
            recipe=Recipe(), fitting=self.fitting(self), transforms={}, returning={}, at=dict(IDLE), seen=0, progress=0.,
            _only='only' in inspect.signature(model.forward).parameters)
        named.update(zip([h.name for h in self.hyperparameters], values))
        self._set_hyper(getattr(args, 'parameter', ''), named)
        self.optimizer = self._get_optimizer(lr)

    # Hooks
    def begin_task(self, t, x, y):
        """Called with the training set before the task's first epoch."""

    def outputs(self, batch):
        """The logits of all heads, a list of [B,classes], None for those that do not compete."""
        training = self.model.training
        if not self._only:
            return self.model(batch.x)
        if batch.task is None and self.scenario.apart(training) and self.scenario.alike(self.seen) and \
                getattr(type(self.model), 'forward', None) is layers.Plain.forward:
            return self.model(batch.x, only=(batch.t, range(self.seen)))
        return self.model(batch.x, only=self.scenario.heads(batch.task, self.seen, training))

    def loss(self, batch):
        """The loss of a batch, a scalar, regularisers included but for penalty()."""
        return self.criterion(*self.compete(batch))

    def after_backward(self, batch):
        """Called between backward and the penalty's, with every gradient of the loss in .grad."""

    def penalty(self):
        """What is added to the loss, whatever the batch: a scalar tensor, or a number, which trains nothing."""
        return 0

    def after_step(self, batch):
        """Called after the optimizer's step."""

    def end_epoch(self, t, e, train, valid):
        """Called after epoch e (from 0) with (loss, accuracy) on the training and the validation set. May
        return {name: number}, what the method has to say of the epoch, or a text for its line alone."""

    def end_phase(self, t, phase):
        """Called with the phase's best weights back."""

    def end_task(self, t, x, y):
        """Called with the training set once the task's best weights are back."""

    # The loop
    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """Learns task t. x: float [N,C,H,W] or dataloaders.images; y: int64 [N]. Ends with the weights of
        the lowest validation loss, or without patience with the last ones."""
        self.configure(seen=max(self.seen, t + 1))
        if self.at['task'] is None:  # not resumed within the task
            self.begin_task(t, xtrain, ytrain)
            self.configure(at=self.fitting.start(t))
        self.fitting.run(t, xtrain, ytrain, xvalid, yvalid)
        self.end_task(t, xtrain, ytrain)
        self.configure(at=dict(IDLE))
        self.scenario.learnt(self, t, xvalid, yvalid)

    def train_epoch(self, t, x, y):
        """One pass over the training set in shuffled batches, the last one smaller, or as far as the
        iterations go."""
        self.model.train()
        if self.first_norms and t:
            normalising.hold(self.model)
        r = np.arange(len(y))
        np.random.shuffle(r)
        r = torch.from_numpy(r).to(x.device)
        slices = batches(self, len(r))
        whole = len(r) if self.recipe.iterations is None else len(slices) * self.sbatch
        losses = torch.empty(len(slices), device=self.device)  # one tensor: many small ones would riddle the heap
        steps = utils.progress(slices, 'Epoch %d' % (self.at['epoch'] + 1))
        with (self.wing or evaluation.Plain(self)).training(t, len(slices)) as step, several(self.sbatch, len(r)):
            for k, b in enumerate(steps):
                self.configure(progress=b.start / whole)
                if self.fitting.on_step:
                    self.fitting.on_step()
                losses[k] = step(Batch.of(t, x, y, r[b], self.device, self.recipe.augment))
        check(self, losses.tolist())

    def step(self, batch):
        """Trains on a batch; returns its loss, detached."""
        self.optimizer.zero_grad()
        with self.recipe.precision(self.device):
            loss = self.loss(batch)
        loss.backward()
        self.recipe.complete(self.model)
        with torch.no_grad():
            self.after_backward(batch)
        penalty = self.penalty()
        if isinstance(penalty, torch.Tensor) and penalty.requires_grad:
            penalty.backward()
        torch.nn.utils.clip_grad_norm_(self.trainable(), self.clipgrad)
        self.optimizer.step()
        with torch.no_grad():
            self.after_step(batch)
        return loss.detach()

    def eval(self, t, x, y):
        """(loss, accuracy in 0..1) on task t of x [N,C,H,W], y [N], in order; draws no random numbers.
        Where the task is not told and has to be inferred, the accuracy is that without it; but not within
        training."""
        loss, accuracy = evaluation.measure(self, t, x, y)
        if self.scenario.infers and self.at['task'] is None:
            accuracy = self.scenario.accuracy(self, t, x, y)
        return loss, accuracy

    def criterion(self, output, targets):
        """The loss of logits [B,n] and targets [B] among them."""
        return F.cross_entropy(output, targets)

    def epochs(self, n, phase):
        """How many epochs a phase has on a task of n samples, at most."""
        iterations = self.recipe.iterations
        return self.nepochs if iterations is None else -(-iterations // max(1, n // self.sbatch))

    # What hooks may use
    def compete(self, batch, outputs=None):
        """(logits [B,n], targets [B]) of a batch that compete, of outputs or else outputs(batch); noted on
        the batch."""
        outputs = self.outputs(batch) if outputs is None else outputs
        found = self.scenario.compete(outputs, batch, self.seen, self.model.training)
        batch.logits, batch.targets = found
        return found

    def params(self):
        """{name: parameter} of the network."""
        return dict(self.model.named_parameters())

    def trainable(self):
        """The parameters that are not frozen."""
        return [p for p in self.model.parameters() if p.requires_grad]

    @contextmanager
    def under(self, model):
        """Within it, the approach computes with another model of the same interface (learning.shadow)."""
        before, self.model = self.model, model
        try:
            yield
        finally:
            self.model = before

    def _get_optimizer(self, lr):
        return self.recipe.make(self.trainable(), lr)

    # What is said of it
    def weights_of(self, t):
        """{parameter's name: tensor} of the network by which task t is tested."""
        return self.params()

    def guarded(self):
        """{parameter's name: bool mask} of the weights that no later task is to change, as far as there
        are any."""
        return {}

    def account(self, done):
        """What the record of a run is to say of the approach after so many tasks, {name: plain value}.
        Another task may have been begun."""
        return {}

    def report_lines(self):
        """Lines to print after the tests of a task."""
        return []
