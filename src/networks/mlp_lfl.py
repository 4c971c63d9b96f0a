"""mlp for less-forgetting learning."""
from networks import mlp
from networks.layers import Features


class Net(Features):
    """mlp that also returns its last hidden layer, which has no dropout."""

    def __init__(self, inputsize, taskcla):
        super().__init__(mlp.layers(), inputsize, taskcla)
