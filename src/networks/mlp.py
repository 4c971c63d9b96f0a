"""Three fully connected layers of 800 units with dropout 0.5."""
from networks.layers import Layer, Plain
from networks.parts import NORMS
from utils import UserError


def layers(nlayers=3, nhid=800, pdrop=0.5, bias=1., norm='none'):
    """Return the hidden layers fc1, fc2, ... Raise UserError for a bias that is neither 0 nor 1."""
    if bias not in (0, 1):
        raise UserError('--net bias=%g: expected 1, or 0 for layers and heads without biases' % bias)
    more = {'bias': bool(bias), 'norm': NORMS[norm]}
    return [Layer('fc%d' % (i + 1), nhid, pdrop, **more) for i in range(nlayers)]


class Net(Plain):
    """The network of mnist2 and pmnist: nlayers layers of nhid units with dropout pdrop; inputs are
    flattened, without dropout. bias: 0 for layers and heads without biases. norm: none, or before ReLU batch,
    group or task, as resnets have it."""

    choices = {'norm': tuple(NORMS)}  # of the settings that are texts

    def __init__(self, inputsize, taskcla, nlayers=3, nhid=800, pdrop=0.5, bias=1., norm='none'):
        super().__init__(layers(nlayers, nhid, pdrop, bias, norm), inputsize, taskcla, norm == 'task')
