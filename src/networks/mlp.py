"""Three fully connected layers of 800 units with dropout 0.5."""
from networks.layers import Layer, Plain


def layers(nlayers=3, nhid=800, pdrop=0.5):
    """The hidden layers fc1, fc2, ..."""
    return [Layer('fc%d' % (i + 1), nhid, pdrop) for i in range(nlayers)]


class Net(Plain):
    """The network of mnist2 and pmnist; inputs are flattened, without dropout."""

    def __init__(self, inputsize, taskcla):
        super().__init__(layers(), inputsize, taskcla)
