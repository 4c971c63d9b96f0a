"""IMM-mode: Lee et al., Overcoming Catastrophic Forgetting by Incremental Moment Matching, NIPS 2017 (1703.08475)."""
from approaches import anchored, merged
from approaches.hyper import Hyper
from learning import fisher


class Appr(merged.Merged):
    """Averages the weights of all tasks, each weighed by its Fisher information (their Eq. 6-8, equal mixing
    ratios); an L2 penalty keeps them close (L2-transfer, Section 4.2).

    The original computed the merged weights and never stored them into the model; here they are. Where no
    task has any information, as in heads not yet used, the new weights stay.
    """

    family = 'regularisation'
    hyperparameters = (
        Hyper('lamb', float, 0.01, (10, 1, .1, .01, .001, .0001, .00001), 'weight of the distance to the '
              'old weights', 'Section 4.2, L2-transfer', least=0),
        anchored.FISHER_SBATCH,
    )
    clipgrad = 1000
    total = None  # {parameter's name: sum of the Fisher diagonals of the tasks so far}

    def penalty(self):
        """lamb / 2 * sum of (theta - theta_old)^2 (Section 4.2)."""
        return self.lamb / 2 * self.weighted_square(1)

    def importance(self):
        return self.lamb

    def end_task(self, t, x, y):
        new, before = self.fisher_diagonal(t, x, y), self.total
        self.total = new
        if t > 0:
            self.total = {n: f + before[n] for n, f in new.items()}
            self.model.load_state_dict(fisher.mean(self.params(), new, self.old, before), strict=False)
        super().end_task(t, x, y)
