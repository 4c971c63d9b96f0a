"""DGR: Shin et al., Continual Learning with Deep Generative Replay, NIPS 2017 (arXiv 1705.08690), with a variational autoencoder as
van de Ven et al. (2022) have it."""
from copy import deepcopy

import torch
from torch.nn import functional as F

import utils
from approaches import base, keeps
from approaches.hyper import Hyper
from approaches.scenarios import joined
from approaches.weighting import by_tasks
from engine import vae
from utils import UserError


class Appr(base.Appr):
    """A generator is trained along; in later tasks it and the network of before, the old scholar, replay the earlier tasks:
    r L(S(x), y) + (1-r) L(S(x'), y'), r = 1/t, x' as many as x, y' what the old network says of x' (Eq. 2; labels, not probabilities).

    Where the task is told, x' gets a label of every earlier head, and the loss is their mean. The generator learns x and x' in the
    same proportion, by Adam.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('width', int, 400, (200, 400, 1000), 'units of the generator\'s hidden layers', 'van de Ven et al.', least=1, most=10 ** 5),
        Hyper('z', int, 100, (20, 100), 'its latent variables', 'van de Ven et al.', least=1, most=10 ** 4),
        Hyper('generator_lr', float, 1e-3, (1e-4, 1e-3), 'its learning rate', 'van de Ven et al.', above=0, most=1),
    )
    scenarios = ('task', 'class', 'domain')
    scratch = (*base.Appr.scratch, 'generator', 'old', 'batch', 'generated')
    loop_names = 'generator', 'old', 'batch'
    state = {'model_old': keeps.network, 'scholar': lambda self, value, done: self.generator.fits(value['now']) and (
        self.generator.fits(value['old']) if done else value['old'] is None)}
    for_training = 'scholar',
    model_old = old = batch = None  # the network and the generator after the last task; images, and those replayed with them

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not hasattr(self.model, 'inputsize'):
            raise UserError('dgr needs a network that says its inputsize, for the generator')
        self.generator = vae.Generator(self.model.inputsize, self.width, self.z, self.generator_lr, self.device)

    @property
    def scholar(self):
        """Both generators, for checkpoints."""
        return {'now': self.generator.state, 'old': self.old and self.old.state}

    @scholar.setter
    def scholar(self, found):
        self.generator.state, self.old = found['now'], found['old'] and deepcopy(self.generator)
        if self.old:
            self.old.state = found['old']

    def begin_task(self, t, x, y):
        """The range of the first task's pixels is the generator's."""
        if t == 0:
            self.generator.range = float(x.min()), float(x.max())

    def forward(self, t, x, y):
        """As base.forward, in training with replayed samples."""
        loss, hits = super().forward(t, x, y)
        if not self.model.training:
            return loss, hits
        self.batch = x, None
        if self.old is not None:
            again = self.old.images(len(x))
            with torch.no_grad():
                told = self.model_old(again)
            parts = [F.cross_entropy(new, joined(told, heads).argmax(1)) for heads, new in self.students(t, self.model(again))]
            loss, self.batch = by_tasks(t, loss, sum(parts) / len(parts)), (x, again)
        return loss, hits

    def after_step(self, t):
        """The generator's step."""
        self.generated = self.generator.learn(*self.batch, share=1 / (t + 1))

    def end_epoch(self, t, e, train, valid):
        """Stops where the generator's loss is not finite, which then no step can mend."""
        self.check([self.generated.item()], 'in the generator', '--generator-lr', self.generator_lr)

    def end_task(self, t, x, y):
        """The scholar becomes the old one."""
        self.batch = None
        self.model_old, self.old = deepcopy(self.model).eval(), deepcopy(self.generator)
        utils.freeze_model(self.model_old)
