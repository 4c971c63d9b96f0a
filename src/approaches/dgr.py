"""DGR: Shin et al., Continual Learning with Deep Generative Replay, NIPS 2017 (arXiv 1705.08690), with a variational autoencoder as
van de Ven et al. (2022) have it."""
from copy import deepcopy

import torch
from torch.nn import functional as F

import utils
from approaches import base, keeps
from approaches.hyper import Hyper
from approaches.scenarios import joined
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
    scratch = (*base.Appr.scratch, 'generator', 'generator_old', 'adam', 'batch')
    state = {'model_old': keeps.network, 'scholar': lambda self, value, done: keeps.alike(value['now'], self.scholar['now']) and (
        keeps.alike(value['old'], self.scholar['now']) if done else value['old'] is None) and isinstance(value['adam'], dict), 'range': None}
    model_old = generator_old = batch = None
    range = (0., 1.)  # of the first task's pixels: images are mapped to 0..1 by it

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not hasattr(self.model, 'inputsize'):
            raise UserError('dgr needs a network that says its inputsize, for the generator')
        pixels = self.model.inputsize[0] * self.model.inputsize[1] * self.model.inputsize[2]
        self.generator = vae.VAE(pixels, self.width, self.z).to(self.device)
        self.adam = torch.optim.Adam(self.generator.parameters(), self.generator_lr)

    @property
    def scholar(self):
        """The generators' weights and the optimizer's memory, for checkpoints."""
        return {'now': utils.get_model(self.generator), 'adam': self.adam.state_dict(),
                'old': None if self.generator_old is None else utils.get_model(self.generator_old)}

    @scholar.setter
    def scholar(self, found):
        utils.set_model_(self.generator, found['now'])
        self.adam.load_state_dict(found['adam'])
        if found['old'] is not None:
            self.generator_old = deepcopy(self.generator)
            utils.set_model_(self.generator_old, found['old'])

    def begin_task(self, t, x, y):
        """Notes the range of the pixels."""
        if t == 0:
            self.range = float(x.min()), float(x.max())

    def unit(self, x):
        """Images [B,C,H,W] as [B,P] in 0..1."""
        low, high = self.range
        return ((x.flatten(1) - low) / max(high - low, 1e-12)).clamp(0, 1)

    def replayed(self, count, like):
        """So many images of the old generator, as the network sees them."""
        low, high = self.range
        return (self.generator_old.sample(count) * (high - low) + low).view(count, *like.shape[1:])

    def forward(self, t, x, y):
        """As base.forward, in training with replayed samples."""
        if not self.model.training:
            return super().forward(t, x, y)
        loss, hits = super().forward(t, x, y)
        again = None
        if self.generator_old is not None:
            again, r = self.replayed(len(x), x), 1 / (t + 1)
            with torch.no_grad():
                old = self.model_old(again)
            outputs, earlier = self.model(again), self.scenario.earlier(t)
            parts = [F.cross_entropy(outputs[heads] if isinstance(heads, int) else joined(outputs, range(t + 1)),
                                     joined(old, heads).argmax(1)) for heads in earlier]
            loss = r * loss + (1 - r) * sum(parts) / len(parts)
        self.batch = x, again
        return loss, hits

    def after_step(self, t):
        """The generator's step."""
        (x, again), r = self.batch, 1 / (t + 1)
        with torch.enable_grad():
            x = self.unit(x)
            loss = vae.loss(x, *self.generator(x))
            if again is not None:
                again = self.unit(again)
                loss = r * loss + (1 - r) * vae.loss(again, *self.generator(again))
            self.adam.zero_grad()
            loss.backward()
        self.adam.step()

    def end_task(self, t, x, y):
        """The scholar becomes the old one."""
        self.batch = None
        self.model_old, self.generator_old = deepcopy(self.model).eval(), deepcopy(self.generator).eval()
        utils.freeze_model(self.model_old)
