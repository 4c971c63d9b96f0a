"""A gated network with a forward pass of its own, run as it is."""
import torch


class Whole:
    """What networks.narrow.Narrow is to the networks of this project, for any that has the original's mask(),
    get_view_for() and forward(t, x, s), and its embeddings' names in e: nothing is left out, everything is trained.

    mask_pre: cumulative attentions [1, units] per layer, or None before the first task is learnt.
    """

    def __init__(self, net, t, mask_pre=None):
        self.net, self.t = net, t
        self.gates = [p for n, p in net.named_parameters() if n.startswith('e')]
        self.free = None if mask_pre is None else [1 - m for m in mask_pre]
        self.factors = []
        for n, p in net.named_parameters() if mask_pre is not None else ():
            view = net.get_view_for(n, mask_pre)
            if view is not None:
                self.factors.append((p, 1 - view))

    def __call__(self, x, s):
        """(task t's logits [B, classes], masks) of images x [B,C,H,W] at steepness s."""
        outputs, masks = self.net(torch.tensor([self.t], device=x.device), x, s=s)
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
