"""HAT's alexnet."""
from networks import alexnet
from networks.gated import Gated


class Net(Gated):
    """alexnet whose maps and units, after pooling and dropout, are gated; layers c1, c2, c3, fc1, fc2."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize, conv='c'), inputsize, taskcla)
        for i in range(len(self.layers)):
            self.add(i)
        self.add_heads()
        for i in range(len(self.layers)):
            self.add_gate(i)
