"""mlp for progressive networks."""
from networks import mlp
from networks.columns import Columns


class Net(Columns):
    """mlp in a column per task, each of 1.117 / tasks of its width."""

    def __init__(self, inputsize, taskcla):
        super().__init__(mlp.layers(), inputsize, taskcla)
