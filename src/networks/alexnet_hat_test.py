"""HAT's alexnet for compression runs."""
from networks import alexnet
from networks.gated import Open


class Net(Open):
    """alexnet_hat with every unit on at the start."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize, conv='c'), inputsize, taskcla)
