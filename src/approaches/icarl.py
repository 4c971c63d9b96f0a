"""iCaRL: Rebuffi et al., Incremental Classifier and Representation Learning, CVPR 2017 (arXiv 1611.07725)."""
from copy import deepcopy

import torch
from torch.nn import functional as F

import utils
from approaches import base, buffer, keeps, replay
from approaches.scenarios import joined
from networks.layers import Plain
from utils import UserError

FAR = 1e3  # all numbers of the mean of a class without an exemplar: farther than any mean of norm 1


def class_means(groups):
    """The normalised means [classes, D] of the normalised features of each class's exemplars, a list of [n,D]."""
    return torch.stack([F.normalize(F.normalize(g, dim=1).mean(0), dim=0) for g in groups])


def scores(means, features):
    """Minus the squared distance [N, classes] of normalised features [N,D] to the class means (Alg. 1)."""
    return -torch.cdist(F.normalize(features, dim=1), means, compute_mode='donot_use_mm_for_euclid_dist').square()


def distilled(output, targets, old=None):
    """Binary cross-entropy of logits [B,K] with the labels [B] and, for the first classes, the old network's logits [B,k] as
    probabilities instead (Alg. 3); the mean over samples and classes, as in the authors' code."""
    wanted = torch.zeros_like(output).scatter_(1, targets[:, None], 1)
    if old is not None:
        wanted[:, :old.shape[1]] = torch.sigmoid(old)
    return F.binary_cross_entropy_with_logits(output, wanted)


def are_means(appr, value, done):
    """Whether a value can be the means of all classes so far."""
    if not done or not isinstance(value, torch.Tensor) or not value.is_floating_point():
        return not done and value is None
    return value.dim() == 2 and len(value) == appr.scenario.shifts[done] and bool(value.isfinite().all())


class Appr(replay.Replay):
    """Trains on the task's data and all exemplars, those nearest to each class's mean feature, and classifies by the nearest mean.

    Images are not mirrored for the means. Within training, accuracies are those of the logits. A class without an exemplar,
    as where there are fewer places than classes, is never chosen.
    """

    family = 'replay'
    hyperparameters = (buffer.HYPER[0],)
    buffer = 'herding'
    scenarios, active = ('class',), ('all-so-far', 'all')
    without = ', which are never chosen'
    scratch = (*replay.Replay.scratch, 'own')
    state = {**replay.Replay.state, 'model_old': keeps.network, 'means': are_means}
    model_old = means = None  # the network after the last task; of the classes so far, the mean features [classes, D]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not isinstance(self.model, Plain):
            raise UserError('icarl classifies by the last hidden layer: it needs a network derived from layers.Plain')

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """As base.train, on the task's data and the exemplars."""
        tasks, own = torch.full_like(ytrain, t), (xtrain, ytrain)
        if len(self.memory):
            x, y, before, _ = self.memory.take(torch.arange(len(self.memory)), xtrain.device)
            xtrain, ytrain, tasks = torch.cat([xtrain, x]), torch.cat([ytrain, y]), torch.cat([tasks, before])
        self.own = own
        same = xvalid is own[0] and yvalid is own[1]
        ytrain = torch.stack((ytrain, tasks), 1)
        super().train(t, xtrain, ytrain, *((xtrain, ytrain) if same else (xvalid, yvalid)))

    def forward(self, t, x, y):
        """The loss of Alg. 3, in tests that of the labels alone, and the hits of the logits."""
        t, y = (t, y) if y.dim() == 1 else (y[:, 1], y[:, 0])
        output, y = self.logits(t, x), self.targets(t, y)
        old = None
        if self.model_old is not None and self.position is not None:
            with torch.no_grad():
                old = joined(self.model_old(x), range(self.learnt()))[:, :output.shape[1]]
        return distilled(output, y, old), self.hits(output, y)

    def learnt(self):
        """The number of tasks that the old network knows."""
        return self.scenario.shifts.index(len(self.means))

    def end_task(self, t, x, y):
        """Chooses the exemplars, keeps the network and the class means."""
        super().end_task(t, *self.own)
        self.own, groups = None, []
        features = self.features(self.memory.take(torch.arange(len(self.memory)))[0])
        for u in range(t + 1):
            for c in range(self.scenario.ncla[u]):
                mine = ((self.memory.t == u) & (self.memory.y == c)).to(features.device)
                groups.append(features[mine])
        means = class_means([g if len(g) else features[:1] for g in groups]).clone()
        means[[not len(g) for g in groups]] = FAR
        self.means, self.model_old = means, deepcopy(self.model).eval()
        utils.freeze_model(self.model_old)

    def eval(self, t, x, y):
        """As base.eval; outside of training the accuracy is that of the nearest class mean."""
        loss, accuracy = base.Appr.eval(self, t, x, y)
        return loss, self.guess(t, x, y) if self.position is None and self.means is not None else accuracy

    def told(self, t, x):
        """As in evaluated; the nearest class mean, of which there is none of a task that is not learnt."""
        return super().told(t, x) if self.means is None else scores(self.means, self.features(x)).argmax(1)
