"""HAT's multi-layer perceptron."""
from networks import mlp
from networks.gated import Gated


class Net(Gated):
    """nlayers layers of nhid units; dropout pdrop1 on the input, pdrop2 after each layer, before its gate."""

    def __init__(self, inputsize, taskcla, nlayers=2, nhid=2000, pdrop1=0.2, pdrop2=0.5):
        super().__init__(mlp.layers(nlayers, nhid, pdrop2), inputsize, taskcla)
        self.pdrop_input = pdrop1
        for i in range(nlayers):
            self.add(i)
            self.add_gate(i)
        self.add_heads()
