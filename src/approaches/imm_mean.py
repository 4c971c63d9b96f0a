"""IMM-mean: Lee et al., Overcoming Catastrophic Forgetting by Incremental Moment Matching, NIPS 2017 (1703.08475)."""
import torch

from approaches import merged
from approaches.hyper import Hyper


class Appr(merged.Merged):
    """Averages the weights of all tasks (their Eq. 1-2, equal mixing ratios); an L2 penalty keeps them
    close (L2-transfer, Section 4.2)."""

    family = 'regularisation'
    hyperparameters = (
        Hyper('regularizer', float, 1e-4, (.01, .005, .001, .0005, .0001, .00005, .000001),
              'weight of the distance to the old weights', 'Section 4.2, L2-transfer', least=0),
    )

    def penalty(self):
        """regularizer / 2 * sum of (theta - theta_old)^2 (Section 4.2)."""
        return self.regularizer / 2 * self.weighted_square(1)

    def importance(self):
        return self.regularizer

    @torch.no_grad()
    def end_task(self, t, x, y):
        for n, p in self.params().items() if t > 0 else ():
            p.copy_((p + self.old[n] * t) / (t + 1))
        super().end_task(t, x, y)
