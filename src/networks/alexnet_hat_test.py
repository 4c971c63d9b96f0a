"""HAT's alexnet for compression runs."""
from torch import nn

from networks import alexnet_hat


class Net(alexnet_hat.Net):
    """alexnet_hat with embeddings drawn from uniform(0, 2): every unit is on at the start."""

    def __init__(self, inputsize, taskcla):
        super().__init__(inputsize, taskcla)
        for e in self.embeddings():
            nn.init.uniform_(e, 0, 2)
