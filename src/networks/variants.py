"""What HAT, LFL, PathNet and progressive networks make of any network of layers one after another: a
user's file declares the layers once."""
import inspect

import torch
from torch import nn

from networks.columns import Columns
from networks.gated import Stacked
from networks.layers import Features, Plain
from networks.modular import Modular
from utils import UserError


class Open(Stacked):
    """A gated network whose every unit is on at the start: embeddings drawn from uniform(0, 2)."""

    def __init__(self, layers, inputsize, taskcla):
        super().__init__(layers, inputsize, taskcla)
        for e in self.embeddings():
            nn.init.uniform_(e, 0, 2)


KINDS = {'_hat': Stacked, '_hat_test': Open, '_lfl': Features, '_pathnet': Modular, '_progressive': Columns}
OWN = ('forward', 'hidden', 'run', 'product', 'drop', 'finish', 'shaped', 'outputs')  # what the variants do as Plain does it


def of(plain, suffix):
    """The variant of a class derived from layers.Plain, with the settings that this one takes. Raises
    UserError for a class whose layers do not say all of what it computes."""
    name = plain.__module__.split('.')[-1]
    if not issubclass(plain, Plain) or any(getattr(plain, n) is not getattr(Plain, n) for n in OWN):
        raise UserError('%s computes in a way of its own, so that its variant %s%s does not follow from it: write '
                        'networks/%s%s.py, or derive it from layers.Plain alone' % (name, name, suffix, name, suffix))

    class Net(KINDS[suffix]):
        """The variant."""

        def __init__(self, inputsize, taskcla, *args, **kwargs):
            with torch.device('meta'):  # draws no initial weights
                layers = plain(inputsize, taskcla, *args, **kwargs).layers
            super().__init__(layers, inputsize, taskcla)

    Net.__signature__, Net.__module__ = inspect.signature(plain), plain.__module__ + suffix
    return Net
