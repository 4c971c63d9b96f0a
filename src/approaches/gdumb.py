"""GDumb: Prabhu, Torr & Dokania, GDumb: A Simple Approach that Questions Our Progress in Continual Learning,
ECCV 2020."""
import math
from copy import deepcopy

import numpy as np
import torch

import utils
from approaches import replay
from approaches.hyper import Hyper
from dataloaders.joined import Joined
from learning.batch import Batch
from learning.fitting import Fitting
from utils import UserError


def rate(p, most, least):
    """The learning rate of pass p, from 0: most / 10, most, then cosines from most to least that begin anew at
    passes 2, 4, 8, ..."""
    if p < 2:
        return most / 10 if p == 0 else most
    begun = 2 ** (p.bit_length() - 1)
    return least + (most - least) * (1 + math.cos(math.pi * (p - begun) / begun)) / 2


class Passes(Fitting):
    """Passes over the memory, each with its own learning rate; ends with the last weights."""

    def start(self, t=0, phase=0):
        return {'task': t, 'phase': phase, 'epoch': 0}

    def possible(self, at):
        return at['epoch'] >= 0 and at['phase'] == 0

    def run(self, t, *data):
        appr, at = self.appr, self.appr.at
        try:
            while at['epoch'] < appr.passes:
                self.renew(rate(at['epoch'], appr.lr, appr.lr_end), keep=at['epoch'] > 0)
                self.end_line(self.epoch(t, *data)[1])
        except KeyboardInterrupt:
            self.interrupt()


class Appr(replay.Replay):
    """A greedy sampler keeps as many samples of each class as there is room for (Alg. 1), and a dumb learner, a
    new network, is trained on these alone (Alg. 2) after every task.

    The samples of a task are offered once, in random order; the authors' code takes them out of the sorted
    labels, all classes being known. Its CutMix is left out, and the last pass is taken, not the best on the
    test set. The new network's layers draw their weights as their classes do (reset_parameters), from a
    generator of their own; what else a network has begins as it was first made.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('passes', int, 256, (64, 128, 256), 'passes over the memory, a power of two, at which a '
              'cycle of the learning rate ends; takes the place of --nepochs', 'the authors\' code: 256 on '
              'CIFAR, 128 on MNIST', least=1, most=2 ** 20, short=1),
        Hyper('memory_sbatch', int, 16, help='samples per batch of memory; takes the place of --sbatch',
              source='the authors\' code', least=1, most=10 ** 6, positional=False),
        Hyper('lr_end', float, 5e-4, help='learning rate at the end of a cycle, which begins with --lr',
              source='the authors\' code', above=0, positional=False),
        replay.SIZE,
    )
    buffer, fitting, clipgrad = 'greedy', Passes, 10
    cannot = {'optimizer': 'its learner has the paper\'s, SGD with momentum 0.9 and weight decay 1e-6'}

    def __init__(self, model, *args, **kwargs):
        super().__init__(model, *args, **kwargs)
        if self.passes & (self.passes - 1):
            raise UserError('--passes must be a power of two, not %d: the learning rate is low at the end of a '
                            'cycle alone' % self.passes)
        self.sbatch = self.memory_sbatch
        self.initial_model = utils.get_model(model)
        self.source = torch.Generator().manual_seed(torch.initial_seed())

    def _get_optimizer(self, lr):
        return torch.optim.SGD(self.trainable(), lr=lr, momentum=0.9, weight_decay=1e-6)

    def epochs(self, n, phase):
        return self.passes

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        if self.at['task'] is None:  # not resumed within the task
            self.sample(t, xtrain, ytrain)
        memory, device = self.memory, xtrain.device
        images = memory.images(torch.arange(len(memory)), device)
        super().train(t, Joined([(memory.t.to(device), images)]), memory.y.to(device), xvalid, yvalid)

    def sample(self, t, x, y):
        """Offers all samples of a task to the memory."""
        for rows in torch.from_numpy(np.random.permutation(len(y))).split(256):
            self.memory.add(Batch.of(t, x, y, rows.to(x.device), self.device))

    def begin_task(self, t, x, y):
        utils.set_model_(self.model, self.initial_model)
        new = deepcopy(self.model).cpu()  # the same on every device
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.source.get_state())
            for module in new.modules():
                if hasattr(module, 'reset_parameters'):
                    module.reset_parameters()
            self.source.set_state(torch.get_rng_state())
        utils.set_model_(self.model, utils.get_model(new))

    def after_step(self, batch):
        """The memory is what it trains on already."""
