"""PathNet: Fernando et al., PathNet: Evolution Channels Gradient Descent in Super Neural Networks, 2017 (1701.08734)."""
import math

import utils
from approaches import base, keeps
from approaches.hyper import Hyper

P = 2  # paths that compete (Sections 2.4 and 2.5)


class Appr(base.Appr):
    """Two paths through the modules compete for generations; the better one's modules are frozen after the task. All
    generations together train for nepochs epochs per path; there are at most nepochs (more trained for none in the original).
    """

    family = 'isolation'
    hyperparameters = (
        Hyper('generations', int, 20, (5, 10, 20, 50, 100, 200), 'generations of the tournament per task', 'Section 2.1', least=1),
    )
    variants, clipgrad = ('_pathnet',), 1000
    own_optimizer = 'its tournament starts a new optimizer for every path'
    blind = 'a task has no path before it is learnt'
    scenarios, isolated = ('task', 'class', 'domain'), True
    state = {'initial_model': keeps.weights, 'best_path': lambda self, value, done: keeps.alike(value, self.model.bestPath)
             and value.max() < self.model.M and value.min() >= -1 and (value[:done] >= 0).all()}
    scratch = (*base.Appr.scratch, 'path')
    sets_loop_names = 'position', 'epoch', 'where'

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generations = min(self.generations, self.nepochs)
        self.initial_model = utils.get_model(self.model)
        self.path = None  # the one being trained; None: each task's best

    def logits(self, t, x):
        """Task t's logits, along the current path or that of the task."""
        return self.model(x, t, self.path, only=t)[t]

    def begin_task(self, t, x, y):
        """Gives modules on no best path their initial weights back (Section 2.4)."""
        keep = self.model.modules_of(*self.model.bestPath[:t])
        for key, module in self.model.each_module() if t > 0 else ():
            if key not in keep:
                utils.set_model_(module, {n: self.initial_model['%s.%d.%s' % (*key, n)] for n in module.state_dict()})

    def fit(self, t, xtrain, ytrain, xvalid, yvalid):
        """The tournament: each generation trains both paths, then a mutated copy of the winner replaces the loser."""
        at = self.position = self.position or self.start()
        try:
            while at['g'] < self.generations and max(w['lr'] for w in at['waits']) >= self.lr_min:
                while at['p'] < P:
                    if at['waits'][at['p']]['lr'] >= self.lr_min:
                        self.train_path(t, at, xtrain, ytrain, xvalid, yvalid)
                    at.update(p=at['p'] + 1, epoch=0)
                utils.set_model_(self.model, at['best_model'])
                print('| Winning path: {:3d} | Best loss: {:.3f} |'.format(at['winner'] + 1, at['overall']), flush=True)
                for p in set(range(P)) - {at['winner']}:
                    at['waits'][p] = self.fresh(at['waits'][at['winner']]['lr'])
                    at['paths'][p] = self.model.mutated(at['paths'][at['winner']])
                at.update(g=at['g'] + 1, p=0)
        except KeyboardInterrupt:
            utils.set_model_(self.model, at['best_model'])
            self.interrupt()
        finally:
            self.path = None
        self.model.bestPath[t] = at['paths'][at['winner']]

    def start(self):
        """As in base."""
        return {'paths': self.model.draw_paths(P), 'waits': [self.fresh(self.lr) for _ in range(P)], 'winner': 0,
                'overall': math.inf, 'best_model': utils.get_model(self.model), 'g': 0, 'p': 0, 'epoch': 0}

    def within(self, at):
        """As in base."""
        return (min(at['epoch'], at['g'], at['winner'], at['p']) >= 0 and at['winner'] < P and at['p'] <= P
                and 0 <= at['paths'].min() and at['paths'].max() < self.model.M and min(w['lr'] for w in at['waits']) > 0)

    def all_epochs(self, n):
        """As in schedule."""
        return P * self.generations * (self.nepochs // self.generations)

    def shorten(self, epochs):
        """As in schedule."""
        super().shorten(epochs)
        self.generations = 1

    def fresh(self, lr):
        """The state of a new path's patience."""
        return {'lr': lr, 'patience': self.lr_patience, 'best_loss': math.inf}

    def train_path(self, t, at, *data):
        """The epochs of path at['p'] in generation at['g']."""
        p, waits = at['p'], at['waits'][at['p']]
        self.path = at['paths'][p]
        self.model.unfreeze_path(t, self.path)
        self.optimizer = self._get_optimizer(waits['lr'])
        while at['epoch'] < self.nepochs // self.generations and waits['lr'] >= self.lr_min:
            self.epoch = at['epoch']
            self.where = {'Generation': at['g'] + 1, 'Path': p + 1}
            loss, line = self.one_epoch(t, *data)
            if loss < at['overall']:
                at.update(winner=p, overall=loss, best_model=utils.get_model(self.model, into=at['best_model']))
                line += ' B'
            self.end_line(at, line + self.wait(waits, loss)[1])

    best_path = property(lambda self: self.model.bestPath, lambda self, paths: setattr(self.model, 'bestPath', paths))
