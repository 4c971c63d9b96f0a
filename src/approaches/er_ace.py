"""ER-ACE: Caccia et al., New Insights on Reducing Abrupt Representation Change in Online Continual Learning,
ICLR 2022 (arXiv 2104.05025)."""
import warnings

import torch

from approaches import replay
from approaches.hyper import Hyper


class Appr(replay.Replay):
    """New samples compete among the classes of their batch alone, so that they push no earlier class down;
    replayed ones among all classes so far. The loss is the sum of the two means, each of a pass of its own.

    As in the paper from the first task on; the buffer is replayed from the second. Avalanche halves the sum;
    Mammoth lets classes to come compete, too, and spares the first task. Where the task is told, a sample
    competes within its head anyway, absent classes included: there it is ER with the sum of the two means.
    """

    family = 'replay'
    hyperparameters = (
        Hyper('among', str, 'batch', help='which classes new samples compete among: those of the batch, or '
              'those of the task, for batches so small that they may be of one class',
              choices=('batch', 'task'), source='C_curr of the paper\'s loss', positional=False),
        *replay.Replay.hyperparameters,
    )
    cannot = {'current': 'what it replays competes among all classes so far; it can do: all-so-far, all'}
    lone = None   # whether a batch had one class alone, a tensor
    said = False  # whether that was said

    def loss(self, batch):
        if not self.model.training:
            return super().loss(batch)
        loss = self.criterion(*self.asymmetric(batch))
        more = self.drawn(batch) if batch.task else None
        return loss if more is None else loss + super().loss(more)

    def asymmetric(self, batch):
        """(logits [B,n], targets [B]) of new samples, -inf for the classes that they do not compete with."""
        logits, targets = self.compete(batch)
        heads = self.scenario.heads(batch.task, self.seen, training=True)
        if self.scenario.told:
            return logits, targets
        if self.among == 'batch':
            absent = torch.ones_like(logits[0], dtype=torch.bool).index_fill(0, targets, False)
            alone = (targets == targets[0]).all()
            self.lone = alone if self.lone is None else self.lone | alone
            return logits.masked_fill(absent, -torch.inf), targets
        if isinstance(heads, int):
            return logits, targets
        return logits.masked_fill(self.scenario.foreign(batch.t, heads), -torch.inf), targets

    def end_epoch(self, t, e, train, valid):
        if self.lone is not None and self.lone and not self.said:
            self.said = True
            warnings.warn('er-ace: a batch had one class alone, from which nothing is learnt: a larger '
                          '--sbatch or --among task')
