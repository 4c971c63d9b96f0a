"""alexnet for less-forgetting learning."""
from networks import alexnet, variants


class Net(variants.of(alexnet.Net, '_lfl')):
    """alexnet that also returns its last hidden layer, which has no dropout."""
