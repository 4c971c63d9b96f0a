"""DER: Buzzega et al., Dark Experience for General Continual Learning, NeurIPS 2020 (arXiv 2004.07211)."""
import torch

from approaches import replay
from approaches.hyper import Hyper
from approaches.scenarios import joined


def distance(now, stored, mine=None):
    """The mean of (now - stored)^2 over samples and classes [B,K]; mine: of those that are True alone."""
    squares = (now - stored).square()
    return squares.mean() if mine is None else squares[mine].mean()


class Appr(replay.Replay):
    """Replays the logits that the network had: loss + alpha * ||z - h(x')||^2 (Eq. 5), as in the authors' code the mean over classes.

    Logits are stored once, as they are before the step, of all heads, those of tasks to come included; where the task is told, those
    of the sample's own head count. The present task is replayed, too.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('alpha', float, 0.3, (.1, .2, .3, .5, 1), 'weight of the distance between logits', 'Eq. 5', least=0),
        *replay.Replay.hyperparameters,
    )

    def everything(self, x):
        """(the heads' logits, a list; the same side by side, [B,K])."""
        outputs = self.model(x)
        return outputs, joined(outputs, range(len(outputs)))

    def forward(self, t, x, y):
        """As base.forward, in training with the distance."""
        if not self.model.training or isinstance(t, torch.Tensor):
            return super().forward(t, x, y)
        outputs, z = self.everything(x)
        output, targets = joined(outputs, self.heads(t)), self.targets(t, y)
        loss, hits = self.criterion(t, output, targets), self.hits(output, targets)
        self.batch = t, x, y, z.detach()
        return loss + self.replayed(len(x)), hits

    def replayed(self, count):
        """What replayed samples add to the loss."""
        more = self.memory.draw(count, device=self.device)
        if more is None:
            return 0
        x, _, t, z = more
        mine = ~self.scenario.foreign(t, range(len(self.scenario.ncla))) if self.scenario.apart(True) else None
        return self.alpha * distance(self.everything(x)[1], z, mine)

    def stored(self, images):
        """As in replay."""
        self.model.eval()
        with torch.no_grad():
            return torch.cat([self.everything(b.to(self.device))[1] for b in images.split(256)])
