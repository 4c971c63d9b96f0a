"""mlp for PathNet."""
from networks import mlp
from networks.modular import Modular


class Net(Modular):
    """mlp in 16 modules per layer, each of 0.258 of its width."""

    def __init__(self, inputsize, taskcla):
        super().__init__(mlp.layers(), inputsize, taskcla)
