"""mlp for less-forgetting learning."""
from networks import mlp, variants


class Net(variants.of(mlp.Net, '_lfl')):
    """mlp that also returns its last hidden layer, which has no dropout."""
