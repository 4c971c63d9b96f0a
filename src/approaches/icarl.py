"""iCaRL: Rebuffi et al., Incremental Classifier and Representation Learning, CVPR 2017 (arXiv 1611.07725)."""
import torch
from torch.nn import functional as F

from approaches import base, exemplars, replay
from learning import evaluation
from utils import UserError

FAR = 1e3  # all numbers of such a mean: farther than any of norm 1, so that the class is never chosen


def class_means(groups):
    """The normalised means [classes, D] of the normalised features of each class's exemplars, a list of
    [n,D]; of a class without any, FAR."""
    return torch.stack([F.normalize(F.normalize(g, dim=1).mean(0), dim=0) for g in groups]).nan_to_num(FAR)


def scores(means, features):
    """Minus the squared distance [N, classes] of normalised features [N,D] to the class means (Alg. 1)."""
    return -torch.cdist(F.normalize(features, dim=1), means, compute_mode='donot_use_mm_for_euclid_dist').square()


def distilled(output, targets, old=None, own=()):
    """Binary cross-entropy of logits [B,K] with the labels [B] and, for the first classes but those of the
    task's own that came before, the old network's logits [B,k] as probabilities instead (Alg. 3); the mean over
    samples and classes, as in the authors' code. own: numbers of the task's classes, or a slice."""
    labels = torch.zeros_like(output).scatter_(1, targets[:, None], 1)
    wanted = labels.clone()
    if old is not None:
        wanted[:, :old.shape[1]] = torch.sigmoid(old)
        wanted[:, own] = labels[:, own]
    return F.binary_cross_entropy_with_logits(output, wanted)


class Appr(exemplars.Exemplars):
    """Trains on the task's data and all exemplars, those nearest to each class's mean feature, and classifies
    by the nearest mean. Images are not mirrored for it. Within training, accuracies are those of logits."""

    family = 'replay'
    hyperparameters = (replay.SIZE,)
    buffer = 'herding'
    without = ', which are never chosen'
    cannot = {**exemplars.Exemplars.cannot,
              'steps': 'it is tested by the class means, which are made at the end of a task'}
    means = None  # of the classes so far, the mean features [classes, D]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not callable(getattr(self.model, 'hidden', None)):
            raise UserError('icarl classifies by the last hidden layer: it needs a network that has a method hidden(x)')

    def outputs(self, batch):
        """The logits; once a task is learnt and tested, minus the squared distances to the class means."""
        if self.means is None or self.at['task'] is not None:
            return super().outputs(batch)
        found = scores(self.means, self.model.hidden(batch.x))
        unknown = [found.new_full((len(batch), n), -torch.inf) for n in self.scenario.ncla[self.seen:]]
        return [*found.split(self.scenario.ncla[:self.seen], 1), *unknown]

    def loss(self, batch):
        """The loss of Alg. 3, in tests that of the labels alone."""
        output, targets = self.compete(batch, super().outputs(batch))
        if self.model_old is None or self.at['task'] is None:
            return distilled(output, targets)
        return distilled(output, targets, self.before(batch), self.scenario.own(self.seen - 1))

    def end_task(self, t, x, y):
        """Chooses the exemplars and computes the class means (Alg. 2 and 4)."""
        super().end_task(t, x, y)
        kept = self.memory.take(torch.arange(len(self.memory)))
        features = self.features(kept.x)
        numbers = self.scenario.numbered(kept.t, kept.y).to(features.device)
        self.means = class_means([features[numbers == c] for c in range(self.scenario.shifts[t + 1])])

    def eval(self, t, x, y):
        """Outside of training the accuracy is that of the nearest class mean."""
        loss, accuracy = base.Appr.eval(self, t, x, y)
        trained = self.at['task'] is None and self.means is not None
        return loss, evaluation.guess(self, t, x, y) if trained else accuracy
