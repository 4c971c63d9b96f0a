"""mlp for PathNet."""
from networks import mlp, variants


class Net(variants.of(mlp.Net, '_pathnet')):
    """mlp in 16 modules per layer, each of 0.258 of its width."""
