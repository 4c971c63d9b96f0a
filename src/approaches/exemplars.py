"""What methods share that train on a task's data and exemplars of earlier classes together."""
from dataclasses import replace

import torch

from approaches import replay
from approaches.hyper import Hyper
from dataloaders.joined import Joined
from learning import distillation, policies
from learning.scenario import joined

WAITING = tuple(n for n, kind in policies.KINDS.items() if not kind.streams)
POLICY = replace(replay.POLICY, default='herding', choices=WAITING, help='which exemplars are kept at the '
                 'end of a task: as many of each class so far, at random or those nearest to its mean '
                 'feature; or the buffer\'s size of each class',
                 source='herding: iCaRL\'s, as BiC and WA have it')
T = Hyper('T', float, 2., (1, 2, 4), 'temperature of the distillation', 'BiC and WA: 2', above=0)


class Exemplars(replay.Replay):
    """Every sample of the task and every exemplar is in an epoch once. model_old: the network of before."""

    scenarios = ('class',)
    cannot = {'current': 'it distils what all classes so far say; it can do: all-so-far, all'}
    model_old = None

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        same = xvalid is xtrain and yvalid is ytrain
        kept, places = self.memory, self.places()
        if not len(places):
            xtrain = Joined([(t, xtrain)])
        else:
            labels, tasks = (v[places.to(v.device)].to(ytrain.device) for v in (kept.y, kept.t))
            xtrain = Joined([(t, xtrain), (tasks, kept.images(places, xtrain.device))])
            ytrain = torch.cat([ytrain, labels])
        super().train(t, xtrain, ytrain, *((xtrain, ytrain) if same else (xvalid, yvalid)))

    def places(self):
        """The places of the exemplars that are trained on, all of them."""
        return torch.arange(len(self.memory))

    def end_task(self, t, x, y):
        own = x.sets[0]  # without the exemplars that were joined to it
        super().end_task(t, own, y[:len(own)])
        self.model_old = distillation.frozen(self.model)

    def taught(self, outputs):
        """What the old network teaches, of its logits of all heads."""
        return outputs

    def before(self, batch):
        """What the old network says of the earlier classes, logits [B,n]."""
        with torch.no_grad():
            return joined(self.taught(self.model_old(batch.x)), range(self.seen - 1))


class Distilled(Exemplars):
    """Cross-entropy and distillation of the network after the last task, (1 - q) CE + q KD, q the share of
    classes among those so far that the task has not. A method writes kd(new, old), of logits [B,n] of the earlier classes."""

    def loss(self, batch):
        """(1 - q) CE + q KD; in tests the cross-entropy alone."""
        logits, targets = self.compete(batch)
        loss = self.criterion(logits, targets)
        if not self.model.training or self.model_old is None:
            return loss
        old = self.before(batch)
        classes = sum(self.scenario.ncla[:self.seen])
        q = (classes - len(self.scenario.numbers[self.seen - 1])) / classes
        return (1 - q) * loss + q * self.kd(logits[:, :old.shape[1]], old)
