"""Online EWC: Schwarz et al., Progress & Compress, ICML 2018 (arXiv 1805.06370, Section 4)."""
from approaches import anchored
from approaches.hyper import Hyper


class Appr(anchored.Anchored):
    """One anchor, the last weights, and one Fisher diagonal, F* = gamma F*_old + F_t, that fades.

    As in the paper gamma stands in the penalty, too, F* there being gamma F*_old; the tasks' Fishers are not
    normalised.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 5000., (100, 400, 1000, 5000, 10000, 50000), 'weight of the penalty',
              'Eq. 9, lambda', least=0),
        Hyper('gamma', float, 0.95, (.7, .8, .9, .95, .99, 1), 'what is left of the earlier tasks\' Fisher',
              'Section 4', least=0, most=1),
        anchored.FISHER, anchored.FISHER_SBATCH,
    )
    clipgrad = 100
    information = None  # {parameter's name: F*}

    def penalty(self):
        """lamb / 2 * sum of gamma F* (theta - theta_old)^2."""
        return self.lamb / 2 * self.gamma * self.weighted_square(self.information)

    def importance(self):
        return {n: self.lamb * self.gamma * f for n, f in self.information.items()}

    def end_task(self, t, x, y):
        """Moves the anchor; F* = gamma F* + F_t."""
        super().end_task(t, x, y)
        new, before = self.fisher_diagonal(t, x, y), self.information
        self.information = {n: f + self.gamma * before[n] for n, f in new.items()} if before else new
