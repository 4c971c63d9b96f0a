"""Steps and tests of methods that train the whole network."""
from contextlib import contextmanager, nullcontext

import torch

from approaches.base import Appr
from fast import quadratic
from fast.step import descend
from fast.view import view
from learning.evaluation import Plain
from learning.recipe import is_plain

# The modules whose losses are functions of the network's outputs alone, computed once per network.
KNOWN = {'approaches.' + name for name in (
    'base', 'agem', 'anchored', 'bic', 'der', 'derpp', 'dgr', 'er', 'er_ace', 'ewc', 'ewc_er', 'ewc_online',
    'exemplars', 'gdumb', 'gem', 'gpm', 'icarl', 'imm_mean', 'imm_mode', 'independent', 'joint', 'l2', 'lfl',
    'lwf', 'mas', 'masked', 'merged', 'online_meta', 'packnet', 'pathnet', 'progressive', 'replay', 'rwalk',
    'sgd', 'sgd_frozen', 'sgd_restart', 'si', 'wa', 'wsn')}
HOOKS = ('outputs', 'loss', 'criterion', 'after_backward', 'after_step', 'penalty', 'importance',
         'held_params', '_get_optimizer', 'train_epoch')


def knows(appr, known, names=HOOKS):
    """Whether all that a step or a test calls of an approach, methods and properties, is of known modules."""
    found = [getattr(type(appr), name) for name in names if hasattr(type(appr), name)]
    modules = {getattr(getattr(f, 'fget', f), '__module__', None) for f in found}
    return modules <= known and not vars(appr).keys() & set(names)


def of(appr):
    """The General of an approach, or None."""
    return General(appr) if knows(appr, KNOWN) else None


class General(Plain):
    """What learning.evaluation.Plain is, by a fast view of the network and the penalty's closed form."""

    def __init__(self, appr):
        super().__init__(appr)
        self.view = view(appr.model)
        # Gradients of linear layers need not exist as tensors where no hook sees them.
        self.defers = type(appr).after_backward is Appr.after_backward and self.view is not None

    def using(self):
        """The context in which the approach computes by the view, if there is one."""
        return nullcontext() if self.view is None else self.appr.under(self.view)

    @contextmanager
    def training(self, t, steps):
        self.penalty = quadratic.of(self.appr)
        with self.using():
            yield self.step

    def step(self, batch):
        """Trains on a batch; returns its loss, detached."""
        appr, tape = self.appr, None
        if self.defers and not appr.recipe.amp and appr.device.type == 'cpu' and is_plain(appr.optimizer):
            tape = type(self.view).tape = []
        try:
            with appr.recipe.precision(appr.device):
                loss = appr.loss(batch)
            appr.optimizer.zero_grad()
            loss.backward()
        finally:
            if tape is not None:
                type(self.view).tape = None
        appr.recipe.complete(appr.model)
        with torch.no_grad():
            appr.after_backward(batch)
            descend(appr.optimizer, tape, self.penalty, appr.clipgrad)
            appr.after_step(batch)
        return loss.detach()

    @contextmanager
    def measuring(self, t):
        found = quadratic.of(self.appr)
        value = 0 if found is None else found.value()
        with self.using(), Plain(self.appr).measuring(t, value) as one:
            yield one

    @contextmanager
    def deciding(self, t):
        with self.using(), Plain(self.appr).deciding(t) as decide:
            yield decide
