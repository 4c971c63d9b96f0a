"""PNN: Rusu et al., Progressive Neural Networks, 2016 (arXiv 1606.04671)."""
from approaches import base


class Appr(base.Appr):
    """Trains one new column per task, which reads the frozen earlier ones through adapters (their Eq. 1-2)."""

    variants = ('_progressive',)

    def begin_task(self, t, x, y):
        """Freezes all columns but the task's."""
        self.model.unfreeze_column(t)

    def forward(self, t, x, y):
        """As base.forward, in the column of task t."""
        output = self.model(x, t, only=t)[t]
        return self.criterion(t, output, y), self.hits(output, y)
