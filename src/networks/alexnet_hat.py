"""HAT's alexnet."""
from networks import alexnet
from networks.gated import Stacked


class Net(Stacked):
    """alexnet whose maps and units, after pooling and dropout, are gated; layers c1, c2, c3, fc1, fc2."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize, conv='c'), inputsize, taskcla)
