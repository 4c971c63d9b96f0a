"""LFL: Jung, Ju, Jung, Kim, Less-forgetting Learning in Deep Neural Networks, 2016 (arXiv 1607.00122)."""
import torch

from approaches import lwf
from approaches.hyper import Hyper
from learning import evaluation


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

    def outputs(self, batch):
        outputs, batch.hidden = super().outputs(batch)
        return outputs

    def loss(self, batch):
        """Cross-entropy + lamb / 2 * the squared distance of the hidden layers (Eq. 1)."""
        loss = self.criterion(*self.compete(batch))
        if batch.task == 0:
            return loss
        with torch.no_grad():
            _, old = self.model_old(batch.x, only=0)
        return loss + self.lamb * (old - batch.hidden).pow(2).sum() / 2

    def eval(self, t, x, y):
        """Tests in training's batches, as the loss is not their mean."""
        return evaluation.measure(self, t, x, y, self.sbatch)
