"""L2: every weight is held to its value after the last task, all alike; the plain baseline of the penalties."""
from approaches import anchored
from approaches.hyper import Hyper


class Appr(anchored.Anchored):
    """What the penalties come down to whose importances are all 1 (Hsu et al., 2018, compare with it)."""

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 0.1, (.001, .01, .1, 1, 10), 'weight of the distance to the old weights',
              least=0),
    )

    def penalty(self):
        """lamb / 2 * sum of (theta - theta_old)^2."""
        return self.lamb / 2 * self.weighted_square(1)

    def importance(self):
        return self.lamb
