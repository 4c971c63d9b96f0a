"""alexnet for progressive networks."""
from networks import alexnet, variants


class Net(variants.of(alexnet.Net, '_progressive')):
    """alexnet in a column per task, each of 1.117 / tasks of its width."""
