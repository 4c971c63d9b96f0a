"""A small AlexNet-like network: three convolutions and two fully connected layers."""
from networks.layers import Layer, Plain
from utils import UserError

LEAST = 12  # pixels to a side that three convolutions with pooling leave anything of


def layers(inputsize, conv='conv'):
    """Return the hidden layers for images [C,H,W]. Raise UserError if they are not square or too small."""
    _, side, width = inputsize
    if side != width or side < LEAST:
        raise UserError(
            'alexnet takes square images of %d x %d pixels or more, as its kernels follow from the side, not '
            '%d x %d: resize or pad them, or use an mlp' % (LEAST, LEAST, side, width))
    return [Layer(conv + '1', 64, 0.2, side // 8), Layer(conv + '2', 128, 0.2, side // 10),
            Layer(conv + '3', 256, 0.5, 2), Layer('fc1', 2048, 0.5), Layer('fc2', 2048, 0.5)]


class Net(Plain):
    """The network of cifar and mixture (Serrà et al., 2018, Section 4.1)."""

    def __init__(self, inputsize, taskcla):
        super().__init__(layers(inputsize), inputsize, taskcla)
