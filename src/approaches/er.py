"""ER: Chaudhry et al., On Tiny Episodic Memories in Continual Learning, 2019 (arXiv 1902.10486)."""
from approaches import replay, weighting


class Appr(replay.Replay):
    """Every batch is joined by as many samples of the buffer, the loss is the mean over both (their Algorithm 1), or that of each
    weighed by tasks.

    From the second task on; the buffer then may have samples of the present task, too.
    """

    family = 'replay'
    hyperparameters = (weighting.HYPER, *replay.Replay.hyperparameters)

    def forward(self, t, x, y):
        """As base.forward, in training with replayed samples."""
        if not self.model.training:
            return super().forward(t, x, y)
        self.batch = t, x, y
        more = self.memory.draw(len(x), device=self.device) if t > 0 else None
        if more is None or self.weighting == 'even':
            return super().forward(*((t, x, y) if more is None else self.mixed(t, x, y, more)))
        (loss, hits), (x, y, tasks, _) = super().forward(t, x, y), more
        return weighting.by_tasks(t, loss, super().forward(tasks, x, y)[0]), hits
