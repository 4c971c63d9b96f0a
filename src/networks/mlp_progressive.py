"""mlp for progressive networks."""
from networks import mlp, variants


class Net(variants.of(mlp.Net, '_progressive')):
    """mlp in a column per task, each of 1.117 / tasks of its width."""
