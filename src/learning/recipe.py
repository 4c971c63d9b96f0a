"""How a task is trained: the optimizer, how long, and at what precision."""
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from learning.schedule import Schedule
from networks import layers


@dataclass
class Recipe:
    """What a run may choose for any approach that has no optimizer of its own."""

    optimizer: str = 'sgd'
    momentum: float = 0.
    weight_decay: float = 0.
    keep: bool = False        # whether what the optimizer remembers goes on over tasks and learning rates
    patience: bool = True     # whether the learning rate follows the validation loss and the best weights are kept
    iterations: int = None    # steps per task, instead of epochs; then incomplete batches are left out
    joined_heads: bool = False  # whether the optimizer moves all heads at every step, as if they were one layer
    schedule: Schedule = Schedule()
    augment: object = None    # dataloaders.augment.Augment, what is done to images in training
    amp: torch.dtype = None   # of the forward pass

    def make(self, params, lr):
        """A new optimizer."""
        if self.optimizer == 'adam':
            return torch.optim.Adam(params, lr=lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(params, lr=lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def precision(self, device):
        """The context in which losses are computed."""
        return torch.autocast(device.type, self.amp) if self.amp else nullcontext()

    def complete(self, model):
        """Gives heads that a batch does not use gradients of zero, if heads are joined."""
        for head in layers.heads(model) if self.joined_heads else ():
            for p in head.parameters():
                if p.requires_grad and p.grad is None:
                    p.grad = torch.zeros_like(p)


def is_plain(optimizer):
    """Whether an optimizer does nothing but subtract lr * gradient from one group of parameters."""
    group = optimizer.param_groups[0]
    more = any(group.get(k) for k in ('momentum', 'weight_decay', 'maximize', 'differentiable'))
    return type(optimizer) is torch.optim.SGD and len(optimizer.param_groups) == 1 and not more
