"""Multi-task training on the data of all tasks so far: the usual upper bound of continual learning."""
import torch

from approaches import sgd_restart


class Appr(sgd_restart.Appr):
    """Learns all tasks so far together, from the initial weights (Caruana, 1997).

    The loss is the mean cross-entropy over the batch, each sample under its own task's head.
    """

    cumulative = True
    scratch = (*sgd_restart.Appr.scratch, 'learnt')
    learnt = 0  # number of tasks that the data are of

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """As base.train; t: [task of each training sample, task of each validation sample], two integer [N]."""
        same, self.learnt = yvalid is ytrain and t[1] is t[0], 1 + int(t[0].max())
        ytrain = torch.stack((ytrain, t[0].to(ytrain)), 1)
        yvalid = ytrain if same else torch.stack((yvalid, t[1].to(yvalid)), 1)
        super().train(None, xtrain, ytrain, xvalid, yvalid)

    def forward(self, t, x, y):
        """y: [B] of task t, or [B,2] with the label and the task of each sample."""
        if y.dim() == 1:
            return super().forward(t, x, y)
        loss = hits = 0
        for u, output in enumerate(self.model(x)[:self.learnt]):  # on CUDA, choosing a task's samples would wait
            targets = torch.where(y[:, 1] == u, y[:, 0], -100)
            loss = loss + torch.nn.functional.cross_entropy(output, targets, ignore_index=-100, reduction='sum')
            hits = hits + self.hits(output, targets)
        return loss / len(y), hits
