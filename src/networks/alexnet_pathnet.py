"""alexnet for PathNet."""
from networks import alexnet, variants


class Net(variants.of(alexnet.Net, '_pathnet')):
    """alexnet in 16 modules per layer, each of 0.258 of its width."""
