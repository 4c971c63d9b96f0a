"""Multi-task training on the data of all tasks so far: the usual upper bound of continual learning."""
from approaches import sgd_restart
from dataloaders.joined import Joined


class Appr(sgd_restart.Appr):
    """Learns all tasks so far together, from the initial weights (Caruana, 1997).

    The loss is the mean cross-entropy over the batch, each sample under its own task's head where the task is
    told.
    """

    family = 'baselines'
    cumulative = True
    scenarios = ('task', 'class', 'domain')

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """Trains on all tasks so far; t: the last of them, and images say of which task each is
        (dataloaders.joined.Joined); or, as in the original, [task of each training sample, task of each
        validation sample], two int64 [N], with images as tensors."""
        if isinstance(t, (list, tuple)):
            same, (tasks, others) = xvalid is xtrain, t
            t, xtrain = int(tasks.max()), Joined([(tasks, xtrain)])
            xvalid = xtrain if same else Joined([(others, xvalid)])
        super().train(t, xtrain, ytrain, xvalid, yvalid)
