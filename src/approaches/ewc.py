"""EWC: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017 (arXiv 1612.00796)."""
from approaches import anchored
from approaches.hyper import Hyper
from learning import fisher


class Appr(anchored.Anchored):
    """Holds each weight to its old value by as much as the earlier tasks depend on it (their Eq. 3).

    As in the original scripts, one anchor, the last weights, and the mean of the Fisher diagonals stand for
    all tasks. anchors=each is the paper's sum over tasks, sum_u F_u (theta - theta_u)^2: (sum_u F_u) (theta -
    the mean of the theta_u, weighted by F_u)^2 and what does not depend on theta.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 5000., (500, 1000, 2000, 5000, 10000, 20000, 50000), 'weight of the penalty',
              'Eq. 3, lambda', least=0),
        Hyper('anchors', str, 'last', help='what weights are held to: those after the last task, or those '
              'after each task, by its own Fisher', choices=('last', 'each'), source='value: the original '
              'scripts; each: Eq. 3', positional=False),
        anchored.FISHER, anchored.FISHER_SBATCH,
    )
    clipgrad = 100
    information = None  # {parameter's name: F}, the mean over the tasks so far, or their sum

    def penalty(self):
        """lamb / 2 * sum of F (theta - theta_old)^2 (Eq. 3)."""
        return self.lamb / 2 * self.weighted_square(self.information)

    def importance(self):
        return {n: self.lamb * f for n, f in self.information.items()}

    def end_task(self, t, x, y):
        new, before, old = self.fisher_diagonal(t, x, y), self.information, self.old
        super().end_task(t, x, y)
        if t == 0 or not before:
            self.information = new
        elif self.anchors == 'last':
            self.information = {n: (f + before[n] * t) / (t + 1) for n, f in new.items()}
        else:
            self.information = {n: f + before[n] for n, f in new.items()}
            self.old = fisher.mean(self.old, new, old, before)
