"""ER: Chaudhry et al., On Tiny Episodic Memories in Continual Learning, 2019 (arXiv 1902.10486)."""
from approaches import replay, weighting


class Appr(replay.Replay):
    """Every batch is joined by as many samples of the buffer, from the second task on; the loss is the
    mean over both (their Algorithm 1), or that of each weighed by tasks. The buffer then may have samples
    of the present task, too."""

    family = 'replay'
    hyperparameters = (weighting.HYPER, *replay.Replay.hyperparameters)

    def loss(self, batch):
        more = self.drawn(batch) if batch.task else None
        if more is None:
            return super().loss(batch)
        if self.weighting == 'even':
            return super().loss(batch + more)
        return weighting.by_tasks(batch.task, super().loss(batch), super().loss(more))
