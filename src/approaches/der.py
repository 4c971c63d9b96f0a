"""DER: Buzzega et al., Dark Experience for General Continual Learning, NeurIPS 2020 (arXiv 2004.07211)."""
import torch

from approaches import replay
from approaches.hyper import Hyper
from learning.batch import parts
from learning.scenario import joined


def distance(now, stored, mine=None):
    """The mean of (now - stored)^2 over samples and classes [B,K]; mine: of those that are True alone."""
    squares = (now - stored).square()
    return squares.mean() if mine is None else squares[mine].mean()


class Appr(replay.Replay):
    """Replays the logits that the network had: loss + alpha * ||z - h(x')||^2 (Eq. 5), as in the authors'
    code the mean over classes.

    Logits are stored once, as they are before the step, of all heads, those of tasks to come included; where
    the task is told, those of the sample's own head count. The present task is replayed, too. Under
    augmentation, images are kept as they were and augmented anew when they are replayed; the logits are those
    of the augmented image of the step, or, of a buffer that is filled at the end of a task, of the image
    itself.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('alpha', float, 0.3, (.1, .2, .3, .5, 1), 'weight of the distance between logits', 'Eq. 5',
              least=0),
        *replay.Replay.hyperparameters,
    )

    def outputs(self, batch):
        return self.model(batch.x) if self.model.training and batch.task is not None else super().outputs(batch)

    def loss(self, batch):
        if not self.model.training or batch.task is None:
            return super().loss(batch)
        outputs = self.outputs(batch)
        batch.z = joined(outputs, range(len(outputs))).detach()
        return self.criterion(*self.compete(batch, outputs)) + self.replayed(batch)

    def replayed(self, batch):
        """What replayed samples add to the loss."""
        more = self.drawn(batch)
        if more is None:
            return 0
        outputs = self.model(more.x)
        everything = range(len(outputs))
        mine = ~self.scenario.foreign(more.t, everything) if self.scenario.apart(True) else None
        return self.alpha * distance(joined(outputs, everything), more.z, mine)

    def after_step(self, batch):
        if self.at['epoch'] == 0:
            self.memory.add(batch, batch.z)

    def stored(self, images):
        self.model.eval()
        with torch.no_grad():
            return torch.cat([torch.cat(self.model(b.x), 1) for b in parts(0, images, None, 256, self.device)])
