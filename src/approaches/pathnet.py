"""PathNet: Fernando et al., PathNet: Evolution Channels Gradient Descent in Super Neural Networks, 2017 (1701.08734)."""
import math

import numpy as np
import torch

import utils
from approaches import base
from approaches.hyper import Hyper

P = 2  # paths that compete (Sections 2.4 and 2.5)


class Appr(base.Appr):
    """Two paths through the modules compete for generations; the better one's modules are frozen after the task.

    All generations together train for nepochs epochs per path. If nepochs is less than generations, there are as many
    generations as epochs (the original then trained for none).
    """

    hyperparameters = (
        Hyper('generations', int, 20, (5, 10, 20, 50, 100, 200), 'generations of the tournament per task',
              'Section 2.1', least=1),
    )
    variants = ('_pathnet',)
    clipgrad = 1000

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generations = min(self.generations, self.nepochs)
        self.initial_model = utils.get_model(self.model)
        self.path = None  # the one being trained; None: each task's best

    def forward(self, t, x, y):
        """As base.forward, along the current path or that of task t."""
        output = self.model(x, t, self.path)[t]
        return self.criterion(t, output, y), self.hits(output, y)

    def begin_task(self, t, x, y):
        """Gives modules on no best path their initial weights back (Section 2.4)."""
        keep = self.model.modules_of(*self.model.bestPath[:t])
        with torch.no_grad():
            for n, p in self.model.named_parameters():
                name, m = n.split('.')[:2]
                if name != 'last' and (name, int(m)) not in keep and t > 0:
                    p.copy_(self.initial_model[n])

    def fit(self, t, xtrain, ytrain, xvalid, yvalid):
        """The tournament: each generation trains both paths, then a mutated copy of the winner replaces the loser."""
        paths = self.draw_paths()
        lr, patience, best = [self.lr] * P, [self.lr_patience] * P, [math.inf] * P
        winner, overall, best_model = 0, math.inf, utils.get_model(self.model)
        try:
            for g in range(self.generations):
                for p in range(P):
                    if lr[p] < self.lr_min:
                        continue
                    self.path = paths[p]
                    self.model.unfreeze_path(t, self.path)
                    self.optimizer = self._get_optimizer(lr[p])
                    for self.epoch in range(self.nepochs // self.generations):
                        loss, line = self.one_epoch(t, xtrain, ytrain, xvalid, yvalid,
                                                    '| Generation {:3d} | Path {:3d} '.format(g + 1, p + 1))
                        if loss < overall:
                            winner, overall, best_model = p, loss, utils.get_model(self.model)
                            line += ' B'
                        if loss < best[p]:
                            best[p], patience[p] = loss, self.lr_patience
                            line += ' *'
                        else:
                            patience[p] -= 1
                            if patience[p] <= 0:
                                lr[p], patience[p] = lr[p] / self.lr_factor, self.lr_patience
                                line += ' lr={:.1e}'.format(lr[p])
                        print(line, flush=True)
                        if lr[p] < self.lr_min:
                            break
                utils.set_model_(self.model, best_model)
                print('| Winning path: {:3d} | Best loss: {:.3f} |'.format(winner + 1, overall), flush=True)
                if max(lr) < self.lr_min:
                    break
                for p in set(range(P)) - {winner}:
                    lr[p], patience[p], best[p] = lr[winner], self.lr_patience, math.inf
                    paths[p] = self.mutated(paths[winner])
        except KeyboardInterrupt:
            utils.set_model_(self.model, best_model)
            self.interrupt()
        finally:
            self.path = None
        self.model.bestPath[t] = paths[winner]

    def draw_paths(self):
        """P random paths [L,N] of distinct modules, drawn from numpy in the original's order."""
        L, N, M = self.model.L, self.model.N, self.model.M
        paths = np.random.randint(0, M - 1, size=(P, L, N))  # drawn as in the original, then replaced
        modules = list(range(M))
        for p in range(P):
            for layer in range(L):
                np.random.shuffle(modules)
                paths[p, layer] = modules[:N]
        return paths

    def mutated(self, path):
        """A copy of a path [L,N], each entry moved by -2 to 2 with probability 1 / (N * L) (Section 2.1)."""
        path = path.copy()
        for i in np.ndindex(path.shape):
            if np.random.rand() < 1 / path.size:
                path[i] = (path[i] + np.random.randint(-2, 3)) % self.model.M
        return path
