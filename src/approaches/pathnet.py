"""PathNet: Fernando et al., PathNet: Evolution Channels Gradient Descent in Super Neural Networks, 2017 (1701.08734)."""
import math

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
    state = ('initial_model', 'best_path')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generations = min(self.generations, self.nepochs)
        self.initial_model = utils.get_model(self.model)
        self.path = None  # the one being trained; None: each task's best

    def forward(self, t, x, y):
        """As base.forward, along the current path or that of task t."""
        output = self.model(x, t, self.path, only=t)[t]
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
        at = self.position = self.position or {
            'paths': self.model.draw_paths(P), 'lr': [self.lr] * P, 'patience': [self.lr_patience] * P, 'best': [math.inf] * P,
            'winner': 0, 'overall': math.inf, 'best_model': utils.get_model(self.model), 'g': 0, 'p': 0, 'epoch': 0}
        try:
            while at['g'] < self.generations and max(at['lr']) >= self.lr_min:
                while at['p'] < P:
                    if at['lr'][at['p']] >= self.lr_min:
                        self.train_path(t, at, xtrain, ytrain, xvalid, yvalid)
                    at.update(p=at['p'] + 1, epoch=0)
                utils.set_model_(self.model, at['best_model'])
                print('| Winning path: {:3d} | Best loss: {:.3f} |'.format(at['winner'] + 1, at['overall']), flush=True)
                for p in set(range(P)) - {at['winner']}:
                    at['lr'][p], at['patience'][p], at['best'][p] = at['lr'][at['winner']], self.lr_patience, math.inf
                    at['paths'][p] = self.model.mutated(at['paths'][at['winner']])
                at.update(g=at['g'] + 1, p=0)
        except KeyboardInterrupt:
            utils.set_model_(self.model, at['best_model'])
            self.interrupt()
        finally:
            self.path = None
        self.model.bestPath[t] = at['paths'][at['winner']]

    def train_path(self, t, at, xtrain, ytrain, xvalid, yvalid):
        """The epochs of path at['p'] in generation at['g']."""
        p, lr, patience, best = at['p'], at['lr'], at['patience'], at['best']
        self.path = at['paths'][p]
        self.model.unfreeze_path(t, self.path)
        self.optimizer = self._get_optimizer(lr[p])
        while at['epoch'] < self.nepochs // self.generations and lr[p] >= self.lr_min:
            self.epoch = at['epoch']
            loss, line = self.one_epoch(t, xtrain, ytrain, xvalid, yvalid,
                                        '| Generation {:3d} | Path {:3d} '.format(at['g'] + 1, p + 1))
            if loss < at['overall']:
                at.update(winner=p, overall=loss, best_model=self.snapshot(at))
                line += ' B'
            if loss < best[p]:
                best[p], patience[p] = loss, self.lr_patience
                line += ' *'
            else:
                patience[p] -= 1
                if patience[p] <= 0:
                    lr[p], patience[p] = lr[p] / self.lr_factor, self.lr_patience
                    line += ' lr={:.1e}'.format(lr[p])
            at['epoch'] += 1
            if self.on_epoch:
                self.on_epoch()
            print(line, flush=True)

    @property
    def best_path(self):
        """The model's best paths, as a checkpoint saves them."""
        return self.model.bestPath

    @best_path.setter
    def best_path(self, paths):
        self.model.bestPath = paths
