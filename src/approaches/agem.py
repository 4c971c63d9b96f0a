"""A-GEM: Chaudhry et al., Efficient Lifelong Learning with A-GEM, ICLR 2019 (arXiv 1812.00420)."""
import numpy as np
import torch

from approaches import gem, replay
from approaches.hyper import Hyper
from learning import projection


class Appr(gem.Appr):
    """As GEM, but against one gradient alone, that of a random batch of all earlier tasks' memories (their
    Eq. 10-11)."""

    family = 'projection'
    hyperparameters = (
        Hyper('reference', int, 256, (64, 128, 256), 'samples of the reference gradient', 'Section 5',
              least=1, most=10 ** 6),
        Hyper('eps', float, 0., help='is added to the square of the reference gradient, so that one that '
              'has all but vanished counts less (van de Ven et al., 2022: 1e-7)', least=0, positional=False),
        *replay.Replay.hyperparameters,
    )

    def project(self, earlier):
        """g - (g.r / (r.r + eps)) r if g.r < 0 (Eq. 11)."""
        places = torch.cat(earlier)
        chosen = torch.from_numpy(np.random.permutation(len(places))[:self.reference]).to(places.device)
        projection.agem([p.grad for p in self.trainable()], self.gradients(places[chosen]), self.eps)
