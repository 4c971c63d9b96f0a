"""DGR: Shin et al., Continual Learning with Deep Generative Replay, NIPS 2017 (arXiv 1705.08690), with a
variational autoencoder as van de Ven et al. (2022) have it."""
from copy import deepcopy

import torch
from torch.nn import functional as F

from approaches import base
from approaches.hyper import Hyper
from approaches.weighting import by_tasks
from learning import distillation, keeps, vae
from learning.fitting import check
from learning.scenario import joined
from utils import UserError


def are_generators(appr, value, done):
    """Whether a value can be the state of both generators."""
    old = appr.generator.fits(value['old']) if done else value['old'] is None
    return appr.generator.fits(value['now']) and old


class Appr(base.Appr):
    """A generator is trained along; in later tasks it and the network of before, the old scholar, replay the
    earlier tasks: r L(S(x), y) + (1-r) L(S(x'), y'), r = 1/t, x' as many as x, y' what the old network says
    of x' (Eq. 2; labels, not probabilities).

    Where the task is told, x' gets a label of every earlier head, and the loss is their mean. The generator
    learns x and x' in the same proportion, by Adam.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('width', int, 400, (200, 400, 1000), 'units of the generator\'s hidden layers', 'van de Ven et al.', least=1,
              most=10 ** 5),
        Hyper('z', int, 100, (20, 100), 'its latent variables', 'van de Ven et al.', least=1, most=10 ** 4),
        Hyper('generator_lr', float, 1e-3, (1e-4, 1e-3), 'its learning rate', 'van de Ven et al.', above=0, most=1),
    )
    scenarios = ('task', 'class', 'domain')
    scratch = ('generator', 'old', 'replayed', 'generated')
    reserved = ('generator', 'old')
    state = {'model_old': keeps.network, 'scholar': are_generators}
    for_training = 'scholar',
    model_old = replayed = None  # the network after the last task; what is replayed with the batch

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not hasattr(self.model, 'inputsize'):
            raise UserError('dgr needs a network that says its inputsize, for the generator')
        generator = vae.Generator(self.model.inputsize, self.width, self.z, self.generator_lr, self.device)
        self.configure(generator=generator, old=None)  # old: the generator after the last task

    @property
    def scholar(self):
        """Both generators, for checkpoints."""
        return {'now': self.generator.state, 'old': self.old and self.old.state}

    @scholar.setter
    def scholar(self, found):
        self.generator.state = found['now']
        self.configure(old=found['old'] and deepcopy(self.generator))
        if self.old:
            self.old.state = found['old']

    def begin_task(self, t, x, y):
        """The range of the first task's pixels is the generator's."""
        if t == 0:
            ends = [(float(part.min()), float(part.max())) for part in x.split(1024)]
            self.generator.range = min(low for low, _ in ends), max(high for _, high in ends)

    def loss(self, batch):
        """As in base, in training with replayed samples (Eq. 2)."""
        loss, self.replayed = super().loss(batch), None
        if not self.model.training or self.old is None:
            return loss
        self.replayed = self.old.images(len(batch))
        with torch.no_grad():
            told = self.model_old(self.replayed)
        students = self.scenario.students(batch.task, self.model(self.replayed), self.seen, True)
        parts = [F.cross_entropy(new, joined(told, heads).argmax(1)) for heads, new in students]
        return by_tasks(batch.task, loss, sum(parts) / len(parts))

    def after_step(self, batch):
        """The generator's step."""
        self.generated = self.generator.learn(batch.x, self.replayed, share=1 / (batch.task + 1))

    def end_epoch(self, t, e, train, valid):
        """Stops where the generator's loss is not finite, which then no step can mend."""
        check(self, [self.generated.item()], 'in the generator', '--generator-lr', self.generator_lr)

    def end_task(self, t, x, y):
        """The scholar becomes the old one."""
        self.replayed, self.model_old = None, distillation.frozen(self.model)
        self.configure(old=deepcopy(self.generator))
