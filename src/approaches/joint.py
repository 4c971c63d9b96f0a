"""Multi-task training on the data of all tasks so far: the usual upper bound of continual learning."""
import torch

from approaches import sgd_restart


class Appr(sgd_restart.Appr):
    """Learns all tasks so far together, from the initial weights (Caruana, 1997).

    The loss is the mean cross-entropy over the batch, each sample under its own task's head.
    """

    cumulative = True
    capturable = False

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """As base.train; t: [task of each training sample, task of each validation sample], two integer [N]."""
        same = yvalid is ytrain and t[1] is t[0]
        ytrain = torch.stack((ytrain, t[0].to(ytrain)), 1)
        yvalid = ytrain if same else torch.stack((yvalid, t[1].to(yvalid)), 1)
        super().train(None, xtrain, ytrain, xvalid, yvalid)

    def forward(self, t, x, y):
        """y: [B] of task t, or [B,2] with the label and the task of each sample."""
        if y.dim() == 1:
            return super().forward(t, x, y)
        outputs = self.model(x)
        loss = hits = 0
        for u in y[:, 1].unique().tolist():
            mine = y[:, 1] == u
            output, targets = outputs[u][mine], y[mine, 0]
            loss = loss + self.criterion(u, output, targets) * len(targets)
            hits = hits + self.hits(output, targets)
        return loss / len(y), hits
