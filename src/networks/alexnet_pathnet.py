"""alexnet for PathNet."""
from networks import alexnet
from networks.modular import Modular


class Net(Modular):
    """alexnet in 16 modules per layer, each of 0.258 of its width."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize), inputsize, taskcla)
