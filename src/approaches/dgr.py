"""DGR: Shin et al., Continual Learning with Deep Generative Replay, NIPS 2017 (arXiv 1705.08690), with a
variational autoencoder as van de Ven et al. (2022) have it."""
from copy import deepcopy

import torch
from torch.nn import functional as F

from approaches import base
from approaches.hyper import Hyper
from approaches.weighting import by_tasks
from learning import distillation, vae
from learning.fitting import check
from learning.scenario import joined
from utils import UserError


class Appr(base.Appr):
    """A generator is trained along; in later tasks it and the network of before, the old scholar, replay the
    earlier tasks: r L(S(x), y) + (1-r) L(S(x'), y'), r = 1/t, x' as many as x, y' what the old network says
    of x' (Eq. 2; labels, not probabilities).

    Where the task is told, x' gets a label of every earlier head, and the loss is their mean. The generator
    learns x and x' in the same proportion, by Adam.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('width', int, 400, (200, 400, 1000), 'units of the generator\'s hidden layers',
              'van de Ven et al.', least=1, most=10 ** 5),
        Hyper('z', int, 100, (20, 100), 'its latent variables', 'van de Ven et al.', least=1, most=10 ** 4),
        Hyper('generator_lr', float, 1e-3, (1e-4, 1e-3), 'its learning rate', 'van de Ven et al.', above=0,
              most=1),
    )
    scenarios = ('task', 'class', 'domain')
    old = model_old = None  # the generator and the network after the last task

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not hasattr(self.model, 'inputsize'):
            raise UserError('dgr needs a network that says its inputsize, for the generator')
        self.generator = vae.Generator(self.model.inputsize, self.width, self.z, self.generator_lr, self.device)

    def begin_task(self, t, x, y):
        """The range of the first task's pixels is the generator's."""
        if t == 0:
            ends = [(float(part.min()), float(part.max())) for part in x.split(1024)]
            self.generator.range = min(low for low, _ in ends), max(high for _, high in ends)

    def loss(self, batch):
        """The loss of the batch, in training with replayed samples (Eq. 2)."""
        loss, batch.replayed = super().loss(batch), None
        if not self.model.training or self.old is None:
            return loss
        batch.replayed = self.old.images(len(batch))
        with torch.no_grad():
            told = self.model_old(batch.replayed)
        students = self.scenario.students(batch.task, self.model(batch.replayed), self.seen, True)
        parts = [F.cross_entropy(new, joined(told, heads).argmax(1)) for heads, new in students]
        return by_tasks(batch.task, loss, sum(parts) / len(parts))

    def after_step(self, batch):
        self.generated = self.generator.learn(batch.x, batch.replayed, share=1 / (batch.task + 1))

    def end_epoch(self, t, e, train, valid):
        """Stops where the generator's loss is not finite, which then no step can mend."""
        check(self, [self.generated.item()], 'in the generator', '--generator-lr', self.generator_lr)

    def end_task(self, t, x, y):
        self.model_old, self.old = distillation.frozen(self.model), deepcopy(self.generator)
