"""What steps are made of and how they are computed: the trained parameters, their optimizer, precision, compiling; and
whether what comes out is a number."""
import math
from contextlib import nullcontext

import torch

from utils import UserError


class Modes:
    """Of an approach: has its model, device and hooks."""

    optim, momentum, weight_decay = 'sgd', 0., 0.
    keep_optimizer = False  # whether its state goes on over tasks and learning rates
    own_optimizer = None    # why another than plain SGD with patience cannot be had
    autocast = None      # --amp: a dtype
    compiled = False     # --compile
    cuda_graph = False   # --cuda-graph
    compilable = True    # whether the network that is run keeps its shape
    capturable = False   # whether the training step never looks at its tensors on the CPU, as a CUDA graph needs
    part = None          # during a pass over data: what subnet() returned, the part of the network that is run
    quadratic = None     # during a pass over data: what penalty() returned

    def _get_optimizer(self, lr):
        if self.optim == 'adam':
            return torch.optim.Adam(self.trainable(), lr=lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(self.trainable(), lr=lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def renew_optimizer(self, lr):
        """Makes a new optimizer; with --keep-optimizer it goes on with what the last one remembers of the parameters."""
        before, self.optimizer = self.optimizer, self._get_optimizer(lr)
        for p in self.optimizer.param_groups[0]['params'] if self.keep_optimizer else ():
            if p in before.state:
                self.optimizer.state[p] = before.state[p]

    @property
    def remembered(self):
        """What the optimizer remembers, {parameter's name: {...}}."""
        return {n: dict(self.optimizer.state[p]) for n, p in self.model.named_parameters() if p in self.optimizer.state}

    @remembered.setter
    def remembered(self, memory):
        there = dict(self.model.named_parameters())
        self.optimizer.state.update({there[n]: state for n, state in memory.items()})

    def trainable(self):
        """The parameters that are not frozen, of the part that is run."""
        return [p for p in (self.model if self.part is None else self.part).parameters() if p.requires_grad]

    @property
    def deferrable(self):
        """Whether the gradients of linear layers need not exist as tensors: nothing of the approach's own sees them."""
        kind = type(self)
        return (getattr(kind.before_step, 'leaves_linear', False) and kind._get_optimizer is Modes._get_optimizer
                and self.autocast is None and not self.compiled and (self.part is None or self.part.deferrable))

    def precision(self):
        """The context in which forward() runs."""
        return torch.autocast(self.device.type, self.autocast) if self.autocast else nullcontext()

    def compile(self):
        """Compiles the network. Raises UserError if that cannot be."""
        if not self.compilable:
            raise UserError('--compile is not for this approach: the network it runs changes its shape within every epoch')
        self.compiled = True
        self.model.compile()

    def check(self, losses, where=None, option='--lr', rate=None):
        """Raises UserError at the first loss, of a list, that is not finite; option, rate: of what learns, if not of the network."""
        for batch, loss in enumerate(losses):
            if not math.isfinite(loss):
                raise UserError('the loss became %s in epoch %d, %s (learning rate %g): a lower %s may help' % (
                    loss, self.epoch + 1, where or 'batch %d of %d' % (batch + 1, len(losses)),
                    self.optimizer.param_groups[0]['lr'] if rate is None else rate, option))
