"""PathNet: Fernando et al., PathNet: Evolution Channels Gradient Descent in Super Neural Networks, 2017 (1701.08734)."""
import math

import utils
from approaches import base
from approaches.hyper import Hyper
from learning.fitting import Fitting

P = 2  # paths that compete (Sections 2.4 and 2.5)


class Tournament(Fitting):
    """Each generation trains both paths, then a mutated copy of the winner replaces the loser (Section 2.1)."""

    def start(self, t=0, phase=0):
        waits = [self.fresh(self.appr.lr) for _ in range(P)]
        return {'task': t, 'phase': phase, 'epoch': 0, 'g': 0, 'p': 0, 'winner': 0, 'overall': math.inf, 'waits': waits,
                'paths': self.appr.model.draw_paths(P), 'best_model': utils.get_model(self.appr.model)}

    def possible(self, at):
        counts = (at['epoch'], at['g'], at['winner'], at['p'], at['paths'].min())
        return (min(counts) >= 0 and at['winner'] < P and at['p'] <= P and at['paths'].max() < self.appr.model.M
                and min(w['lr'] for w in at['waits']) > 0)

    def where(self):
        return {'Generation': self.appr.at['g'] + 1, 'Path': self.appr.at['p'] + 1}

    def fresh(self, lr):
        """The state of a new path's patience."""
        return {'lr': lr, 'patience': self.appr.lr_patience, 'best_loss': math.inf}

    def run(self, t, *data):
        appr, at = self.appr, self.appr.at
        model = appr.model
        try:
            while at['g'] < appr.generations and max(w['lr'] for w in at['waits']) >= appr.lr_min:
                while at['p'] < P:
                    if at['waits'][at['p']]['lr'] >= appr.lr_min:
                        self.path(t, at, *data)
                    at.update(p=at['p'] + 1, epoch=0)
                utils.set_model_(model, at['best_model'])
                print('| Winning path: {:3d} | Best loss: {:.3f} |'.format(at['winner'] + 1, at['overall']), flush=True)
                for p in set(range(P)) - {at['winner']}:
                    at['waits'][p] = self.fresh(at['waits'][at['winner']]['lr'])
                    at['paths'][p] = model.mutated(at['paths'][at['winner']])
                at.update(g=at['g'] + 1, p=0)
        except KeyboardInterrupt:
            utils.set_model_(model, at['best_model'])
            self.interrupt()
        finally:
            appr.path = None
        model.bestPath[t] = at['paths'][at['winner']]

    def path(self, t, at, *data):
        """The epochs of path at['p'] in generation at['g']."""
        appr, p, waits = self.appr, at['p'], at['waits'][at['p']]
        appr.path = at['paths'][p]
        appr.model.unfreeze_path(t, appr.path)
        self.renew(waits['lr'])
        while at['epoch'] < appr.epochs(len(data[1]), 0) and waits['lr'] >= appr.lr_min:
            loss, line = self.epoch(t, *data)
            if loss < at['overall']:
                at.update(winner=p, overall=loss, best_model=utils.get_model(appr.model, into=at['best_model']))
                line += ' B'
            self.end_line(line + self.wait(waits, loss)[1])


class Appr(base.Appr):
    """Two paths through the modules compete for generations; the better one's modules are frozen after the
    task. All generations together train for nepochs epochs per path; there are at most nepochs (more trained
    for none in the original).
    """

    family = 'isolation'
    hyperparameters = (Hyper('generations', int, 20, (5, 10, 20, 50, 100, 200), 'generations of the '
                             'tournament per task', 'Section 2.1', least=1, short=1),)
    variants, clipgrad = ('_pathnet',), 1000
    scenarios, isolated = ('task', 'class', 'domain'), True
    promise = 'exact'
    cannot = {'optimizer': 'its tournament starts a new optimizer for every path',
              'untrained': 'a task has no path before it is learnt'}
    fitting = Tournament

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generations = min(self.generations, self.nepochs)
        self.initial_model = utils.get_model(self.model)
        self.path = None  # the one that is being trained

    @property
    def phases(self):
        """A training of each path in each generation."""
        return P * self.generations

    def epochs(self, n, phase):
        return self.nepochs // self.generations

    def outputs(self, batch):
        path = self.path if batch.task == self.seen - 1 else None
        return self.model(batch.x, batch.task, path, only=batch.task)

    def begin_task(self, t, x, y):
        """Gives modules on no best path their initial weights back (Section 2.4)."""
        keep = self.model.modules_of(*self.model.bestPath[:t])
        for key, module in self.model.each_module() if t > 0 else ():
            if key not in keep:
                weights = {n: self.initial_model['%s.%d.%s' % (*key, n)] for n in module.state_dict()}
                utils.set_model_(module, weights)
