"""Three fully connected layers of 800 units with dropout 0.5."""
from networks.layers import Layer, Plain


def layers(nlayers=3, nhid=800, pdrop=0.5):
    """Return the hidden layers fc1, fc2, ..."""
    return [Layer('fc%d' % (i + 1), nhid, pdrop) for i in range(nlayers)]


class Net(Plain):
    """The network of mnist2 and pmnist: nlayers layers of nhid units with dropout pdrop; inputs are
    flattened, without dropout."""

    def __init__(self, inputsize, taskcla, nlayers=3, nhid=800, pdrop=0.5):
        super().__init__(layers(nlayers, nhid, pdrop), inputsize, taskcla)
