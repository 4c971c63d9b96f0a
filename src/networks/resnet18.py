"""ResNet-18 for small images, as GEM and most of continual learning have it: a 3x3 convolution first."""
from networks import resnets


class Net(resnets.ResNet):
    """Four stages of two blocks with maps, 2 maps, 4 maps and 8 maps; 64 maps by default, 20 in GEM's slim one.
    Initial weights are PyTorch's own."""

    def __init__(self, inputsize, taskcla, maps=64, norm='batch'):
        found = resnets.layers(2, [maps, 2 * maps, 4 * maps, 8 * maps], norm)
        super().__init__(found, inputsize, taskcla, norm)
