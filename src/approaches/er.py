"""ER: Chaudhry et al., On Tiny Episodic Memories in Continual Learning, 2019 (arXiv 1902.10486)."""
from approaches import replay


class Appr(replay.Replay):
    """Every batch is joined by as many samples of the buffer, the loss is the mean over both (their Algorithm 1).

    From the second task on; the buffer then has samples of the present task, too.
    """

    family = 'replay'

    def forward(self, t, x, y):
        """As base.forward, in training with replayed samples."""
        if not self.model.training:
            return super().forward(t, x, y)
        self.batch = t, x, y
        more = self.memory.draw(len(x), device=self.device) if t > 0 else None
        return super().forward(*((t, x, y) if more is None else self.mixed(t, x, y, more)))
