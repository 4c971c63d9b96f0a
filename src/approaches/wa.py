"""WA: Zhao et al., Maintaining Discrimination and Fairness in Class Incremental Learning, CVPR 2020
(arXiv 1911.07053)."""
import torch
from torch.nn import functional as F

from approaches import exemplars, replay
from networks import layers
from utils import UserError


def gamma(old, new):
    """The mean norm of the old classes' weight vectors [n,D] over that of the new ones'."""
    return old.norm(dim=1).mean() / new.norm(dim=1).mean().clamp(min=torch.finfo(new.dtype).tiny)


class Appr(exemplars.Distilled):
    """Learns the task's data and exemplars, distils the old network, and after the task gives the new classes'
    weight vectors the mean norm of the old ones' (weight aligning).

    Biases stay as they are, so that where heads have them the alignment is that of the weights alone. As in
    PyCIL weights are not kept positive, and the aligned network is the next one's teacher.
    """

    family = 'replay'
    hyperparameters = (exemplars.T, replay.SIZE, exemplars.POLICY)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if any(getattr(head, 'weight', torch.zeros(0)).dim() != 2 for head in layers.heads(self.model)):
            raise UserError('wa aligns the weight vectors of classes: it needs a network whose heads are linear '
                            'layers')

    def kd(self, new, old):
        """The distillation loss at temperature T, not times T^2."""
        return F.cross_entropy(new / self.T, (old / self.T).softmax(1))

    @torch.no_grad()
    def align(self, t):
        """Aligns the weights of task t's head with those of all before."""
        heads = layers.heads(self.model)
        heads[t].weight.mul_(gamma(torch.cat([head.weight for head in heads[:t]]), heads[t].weight))

    def end_task(self, t, x, y):
        if t and self.scenario.ncla[t]:  # whose classes may all have come before
            self.align(t)
        super().end_task(t, x, y)
