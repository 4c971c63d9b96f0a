"""LFL: Jung, Ju, Jung, Kim, Less-forgetting Learning in Deep Neural Networks, 2016 (arXiv 1607.00122)."""
import torch

from approaches import lwf
from approaches.hyper import Hyper
from approaches.scenarios import joined


class Appr(lwf.Appr):
    """Keeps the last hidden layer, on the new task's images, near that of the model before the task.

    The distance is summed over the batch, not averaged, as in the original.
    """

    family = 'distillation'
    hyperparameters = (
        Hyper('lamb', float, 0.05, (.1, .05, .01, .005, .001, .0005, .0001, .00005),
              'weight of the distance between old and new features', 'Eq. 1, lambda_e', least=0),
    )
    variants = ('_lfl',)
    clipgrad = 200
    eval_sbatch = None

    def both(self, t, x):
        """(the logits that compete, the last hidden layer)."""
        outputs, h = self.model(x, only=self.heads(t))
        return joined(outputs, self.heads(t)), h

    def logits(self, t, x):
        """As in base."""
        return self.both(t, x)[0]

    def forward(self, t, x, y):
        """As base.forward, with the old model's hidden layer as a further target."""
        y = self.targets(t, y)
        output, h = self.both(t, x)
        loss = torch.nn.functional.cross_entropy(output, y)
        if t > 0:
            with torch.no_grad():
                _, old = self.model_old(x, only=self.heads(t))
            loss = loss + self.lamb * (old - h).pow(2).sum() / 2
        return loss, self.hits(output, y)
