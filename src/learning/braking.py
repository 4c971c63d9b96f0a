"""A step of an optimizer of which every parameter makes only a share, whatever the optimizer remembers."""
import torch

from learning.recipe import is_plain

TINY = 1e-30  # shares below are none


def hold(optimizer, batch, rates):
    """Leave to parameters their share of a batch's step, rates as in Braked: of plain SGD by their gradients; of
    any other optimizer until finish(batch), after the step."""
    for p, rate in rates:
        if p.grad is not None:
            p.grad *= rate
    if not is_plain(optimizer):
        batch.braked = Braked(optimizer, rates)


def finish(batch):
    """Take back what the batch's step has moved beyond the shares."""
    if hasattr(batch, 'braked'):
        batch.braked.finish()


class Braked:
    """The next step of an optimizer. rates: a list of (parameter, its share of the step), shares in [0,1] of
    a shape that broadcasts to the parameter's; what is not there moves freely.

    The gradients have been multiplied by the rates, so that the norm that is clipped is of what may move. The
    optimizer gets them whole, as much clipped: of a factor on the gradient Adam leaves nothing. finish(),
    after the step, multiplies what the step has moved, decay and momentum included: where the rate is 0 the
    old value is back to the bit, where it is 1 the new one stays.
    """

    def __init__(self, optimizer, rates):
        self.rates = [(p, rate, p.detach().clone()) for p, rate in rates]
        self.hook = optimizer.register_step_pre_hook(self.release)

    def release(self, *_):
        """Gives the gradients their size again, but for those of rate 0, whose step is undone."""
        for p, rate, _ in self.rates:
            if p.grad is not None:
                p.grad.div_(rate.clamp(min=TINY))

    def finish(self):
        """Takes back of the step what is beyond the shares."""
        self.hook.remove()
        for p, rate, before in self.rates:
            p.copy_(torch.lerp(before, p, rate))
