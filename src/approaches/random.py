"""Guessing labels by their frequency: the floor against which forgetting ratios are measured."""
import numpy as np
import torch

from approaches import base


class Appr(base.Appr):
    """Draws test predictions from the task's training labels; where the task is not told, from those of all
    tasks so far.

    The original kept the labels of the last task only, so that its off-diagonal accuracies were those of
    another task's labels; here every task has its own. Random numbers are drawn as there, so the diagonal is
    the same.
    """

    family = 'baselines'
    cannot = {'optimizer': 'it trains nothing', 'untrained': 'it knows no labels of a task before it is learnt',
              'save': 'it guesses, and has no model', 'validation': 'its tests draw random numbers'}
    scenarios = ('task', 'class', 'domain')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.labels, self.order = {}, [0]
        self.optimizer = None

    def train(self, t, xtrain, ytrain, xvalid, yvalid):
        self.labels[t] = ytrain.cpu().numpy()
        self.order = list(range(len(ytrain) if self.scenario.told else sum(map(len, self.labels.values()))))

    def eval(self, t, x, y):
        """(0, share of hits): the order of the labels is shuffled until there are enough, and those once
        more."""
        drawn = []
        while len(drawn) < len(y):
            np.random.shuffle(self.order)
            drawn += self.order
        drawn = np.array(drawn[:len(y)])
        np.random.shuffle(drawn)
        tasks = [t] if self.scenario.told else self.labels
        labels = np.concatenate([self.answers(u, self.labels[u]) for u in tasks])
        return 0., float((labels[drawn % len(labels)] == self.answers(t, y.cpu().numpy())).mean())

    def answers(self, t, y):
        """Task t's labels y [N], an array, as they are to be told."""
        return self.scenario.answer(t, torch.from_numpy(y)).numpy()
