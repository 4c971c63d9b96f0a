"""Three fully connected layers of 800 units with dropout 0.5."""
from networks.layers import Layer, Plain
from utils import UserError


def layers(nlayers=3, nhid=800, pdrop=0.5, bias=1.):
    """Return the hidden layers fc1, fc2, ... Raise UserError for a bias that is neither 0 nor 1."""
    if bias not in (0, 1):
        raise UserError('--net bias=%g: expected 1, or 0 for layers and heads without biases' % bias)
    return [Layer('fc%d' % (i + 1), nhid, pdrop, bias=bool(bias)) for i in range(nlayers)]


class Net(Plain):
    """The network of mnist2 and pmnist: nlayers layers of nhid units with dropout pdrop; inputs are
    flattened, without dropout. bias: 0 for layers and heads without biases."""

    def __init__(self, inputsize, taskcla, nlayers=3, nhid=800, pdrop=0.5, bias=1.):
        super().__init__(layers(nlayers, nhid, pdrop, bias), inputsize, taskcla)
