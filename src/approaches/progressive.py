"""PNN: Rusu et al., Progressive Neural Networks, 2016 (arXiv 1606.04671)."""
from approaches import base


class Appr(base.Appr):
    """Trains one new column per task, which reads the frozen earlier ones through adapters (their Eq. 1-2)."""

    family = 'isolation'
    variants = ('_progressive',)
    scenarios, isolated = ('task', 'class', 'domain'), True
    promise = 'exact'

    def begin_task(self, t, x, y):
        self.model.unfreeze_column(t)

    def outputs(self, batch):
        return self.model(batch.x, batch.task, only=batch.task)
