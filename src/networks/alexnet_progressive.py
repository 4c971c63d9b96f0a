"""alexnet for progressive networks."""
from networks import alexnet
from networks.columns import Columns


class Net(Columns):
    """alexnet in a column per task, each of 1.117 / tasks of its width."""

    def __init__(self, inputsize, taskcla):
        super().__init__(alexnet.layers(inputsize), inputsize, taskcla)
