"""Multi-task training on the data of all tasks so far: the usual upper bound of continual learning."""
import torch

from approaches import sgd_restart


class Appr(sgd_restart.Appr):
    """Learns all tasks so far together, from the initial weights (Caruana, 1997).

    The loss is the mean cross-entropy over the batch, each sample under its own task's head where the task is told.
    """

    family = 'baselines'
    cumulative, capturable = True, False
    sets_loop_names = 'seen',
    scenarios = ('task', 'class', 'domain')

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """As base.train; t: [task of each training sample, task of each validation sample], two integer [N]."""
        same, self.seen = yvalid is ytrain and t[1] is t[0], 1 + int(t[0].max())
        ytrain = torch.stack((ytrain, t[0].to(ytrain)), 1)
        yvalid = ytrain if same else torch.stack((yvalid, t[1].to(yvalid)), 1)
        super().train(None, xtrain, ytrain, xvalid, yvalid)
