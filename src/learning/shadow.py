"""A network with other weights, computed as if they were its own."""
from torch.func import functional_call


class Shadow:
    """A network with other weights {name: tensor}, through which gradients flow; what it leaves out is the
    network's own."""

    def __init__(self, model, weights):
        self.model, self.weights, self.training = model, weights, model.training

    def __call__(self, x, **more):
        return functional_call(self.model, self.weights, (x,), more)
