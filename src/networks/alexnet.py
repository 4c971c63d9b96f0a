"""A small AlexNet-like network: three convolutions and two fully connected layers."""
from networks.layers import Layer, Plain


def layers(inputsize, conv='conv'):
    """The hidden layers for images of inputsize [C,H,W]: conv1, conv2, conv3, fc1, fc2."""
    side = inputsize[1]
    return [Layer(conv + '1', 64, 0.2, side // 8), Layer(conv + '2', 128, 0.2, side // 10),
            Layer(conv + '3', 256, 0.5, 2), Layer('fc1', 2048, 0.5), Layer('fc2', 2048, 0.5)]


class Net(Plain):
    """The network of cifar and mixture (Serrà et al., 2018, Section 4.1)."""

    def __init__(self, inputsize, taskcla):
        super().__init__(layers(inputsize), inputsize, taskcla)
