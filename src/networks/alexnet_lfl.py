"""alexnet for less-forgetting learning."""
from networks import alexnet
from networks.layers import Features


class Net(Features):
    """alexnet that also returns its last hidden layer, which has no dropout."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize), inputsize, taskcla)
