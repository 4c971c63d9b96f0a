"""EWC: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017 (arXiv 1612.00796)."""
from approaches import keeps, quadratic
from approaches.hyper import Hyper


class Appr(quadratic.Anchored):
    """Holds each weight to its old value by as much as the earlier tasks depend on it (their Eq. 3).

    One anchor and one Fisher diagonal, the mean over the tasks so far, stand for all earlier tasks.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 5000., (500, 1000, 2000, 5000, 10000, 20000, 50000), 'weight of the penalty',
              'Eq. 3, lambda', least=0),
        quadratic.FISHER, quadratic.FISHER_SBATCH,
    )
    clipgrad = 100
    state = {'old': keeps.parameters, 'importance': keeps.parameters}
    importance = None  # {parameter's name: F, the mean over the tasks so far}

    def penalty(self, t):
        """lamb / 2 * sum of F * (theta - theta_old)^2 (Eq. 3)."""
        return self.pull(t, {n: self.lamb * f for n, f in (self.importance or {}).items()})

    def end_task(self, t, x, y):
        """Moves the anchor and averages the Fisher diagonals."""
        self.anchor()
        fisher = self.fisher_diagonal(t, x, y)
        self.importance = {n: (f + self.importance[n] * t) / (t + 1) for n, f in fisher.items()} if t > 0 else fisher
