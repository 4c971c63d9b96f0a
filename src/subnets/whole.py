"""A gated network that computes in a way of its own, run as it is."""
import torch

from networks import gated


class Whole:
    """What subnets.narrow.Narrow is to the networks of this project, for any that has the original's mask(), get_view_for()
    and forward(t, x, s): nothing is left out, everything is trained.

    mask_pre: cumulative attentions [1, units] per layer, or None before the first task is learnt.
    """

    deferrable = False  # whether the gradients of its linear layers need not exist as tensors

    def __init__(self, net, t, mask_pre=None):
        self.net, self.t, self.gates = net, t, gated.embeddings(net)
        self.task = torch.tensor([t], device=self.gates[0].device)
        self.free = None if mask_pre is None else [1 - m for m in mask_pre]
        self.factors = []
        for n, p in net.named_parameters() if mask_pre is not None else ():
            view = net.get_view_for(n, mask_pre)
            if view is not None:
                self.factors.append((p, 1 - view))

    def __call__(self, x, s):
        """(task t's logits [B, classes], masks) of images x [B,C,H,W] at steepness s."""
        outputs, masks = self.net(self.task, x, s=s)
        return outputs[self.t], masks

    def parameters(self):
        """Those of the network."""
        return self.net.parameters()

    def protect(self):
        """Multiplies the gradients by their factors."""
        for p, factor in self.factors:
            if p.grad is not None:
                p.grad.mul_(factor)

    def write_back(self):
        """There is nothing to put back."""
