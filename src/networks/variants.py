"""What HAT, LFL, PathNet and progressive networks make of any network of layers one after another: a
user's file declares the layers once."""
import inspect

import torch

from networks.columns import Columns
from networks.gated import Open, Stacked
from networks.layers import Features, Plain, keeps
from networks.modular import Modular
from utils import UserError

KINDS = {'_hat': Stacked, '_hat_test': Open, '_lfl': Features, '_pathnet': Modular, '_progressive': Columns}


def of(plain, suffix):
    """Return the variant of a class derived from layers.Plain, with the settings that this one takes. Raise
    UserError for a class whose layers do not say all of what it computes."""
    name = plain.__module__.split('.')[-1]
    if not keeps(plain, Plain, 'forward', 'hidden'):
        variant = name + suffix
        raise UserError(
            '%s computes in a way of its own, so that its variant %s does not follow from it: write '
            'networks/%s.py, or derive it from layers.Plain alone' % (name, variant, variant))

    class Net(KINDS[suffix]):
        """The variant."""

        def __init__(self, inputsize, taskcla, *args, **kwargs):
            with torch.device('meta'):  # draws no initial weights
                layers = plain(inputsize, taskcla, *args, **kwargs).layers
            super().__init__(layers, inputsize, taskcla)

    Net.__signature__, Net.__module__ = inspect.signature(plain), plain.__module__ + suffix
    Net.choices = getattr(plain, 'choices', {})
    return Net
