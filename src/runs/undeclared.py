"""What an approach keeps without saying so: attributes that change in training and that no checkpoint holds."""
import io
import pickle
import sys
import zlib

import numpy as np
import torch

from approaches.declared import LOOP


class Digest(pickle.Pickler):
    """A pickle in which the network stands for itself, so that it does not change with the weights."""

    def __init__(self, file, net):
        super().__init__(file, 4)
        self.fast = True  # equal values make equal pickles, whether or not they are one object
        self.parts = {id(p): n for n, p in (*net.named_modules(), *net.named_parameters())}

    def persistent_id(self, value):
        """A short text for what is large."""
        if id(value) in self.parts:
            return 'net', self.parts[id(value)]
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy() if value.numel() else np.zeros(0)
        if isinstance(value, np.ndarray) and value.dtype != object:
            return str(value.dtype), value.shape, zlib.crc32(np.ascontiguousarray(value))
        return None


def scratch(kind):
    """The names that a class and its bases declare as scratch, and what is reserved."""
    return {n for c in kind.__mro__ for n in (*vars(c).get('scratch', ()), *vars(c).get('reserved', ()))}


class Watch:
    """Compares the attributes of an approach with what they were, and says once of each which has changed unsaid."""

    def __init__(self, appr):
        self.appr, self.said = appr, set()
        self.before = self.digests()

    def digests(self):
        """{attribute: digest} of all attributes but those of `state` and `scratch`."""
        declared, out = {*self.appr.state, *scratch(type(self.appr)), *LOOP, 'model', 'optimizer', 'fitting'}, {}
        for name, value in vars(self.appr).items():
            if name not in declared:
                file = io.BytesIO()
                try:
                    Digest(file, self.appr.model).dump(value)
                except Exception:  # what has no pickle, as a function; a checkpoint could not hold it either
                    continue
                out[name] = file.getvalue()
        return out

    def look(self):
        """Names what has changed, on stderr."""
        now = self.digests()
        changed = sorted(n for n in now if now[n] != self.before.get(n) and n not in self.said)
        self.said.update(changed)
        kind = type(self.appr)
        for n in changed:
            print('%s.%s: self.%s changes in training and no checkpoint holds it, so that --resume would go on without it: add it '
                  'to state = (...), or to scratch = (...) if it is set anew before it is read' % (
                      kind.__module__, kind.__name__, n), file=sys.stderr)
