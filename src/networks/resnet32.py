"""ResNet-32 for CIFAR, as iCaRL and FACIL have it."""
from networks import resnets


class Net(resnets.ResNet):
    """Three stages of five blocks with maps, 2 maps and 4 maps, 16 by default; shortcuts between stages are 1x1
    convolutions. Initial weights of convolutions are Kaiming's normal ones by fan out, as in FACIL."""

    def __init__(self, inputsize, taskcla, maps=16, norm='batch'):
        super().__init__(resnets.layers(5, [maps, 2 * maps, 4 * maps], norm, 'fan_out'), inputsize, taskcla, norm)
