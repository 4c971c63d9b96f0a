"""Guessing labels by their frequency: the floor against which forgetting ratios are measured."""
import numpy as np

from approaches import base


class Appr(base.Appr):
    """Draws test predictions from the task's training labels.

    The original kept the labels of the last task only, so that its off-diagonal accuracies were those of another
    task's labels; here every task has its own.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.labels = {}
        self.optimizer = None

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        """Keeps the labels."""
        self.labels[t] = ytrain.tolist()

    def eval(self, t, x, y):
        """(0, share of hits): the labels are shuffled until there are enough, and those drawn once more."""
        drawn = []
        while len(drawn) < len(y):
            np.random.shuffle(self.labels[t])
            drawn += self.labels[t]
        drawn = np.array(drawn[:len(y)])
        np.random.shuffle(drawn)
        return 0., float((drawn == y.cpu().numpy()).mean())
