"""GPM: Saha, Garg & Roy, Gradient Projection Memory for Continual Learning, ICLR 2021 (arXiv 2103.09762)."""
import numpy as np
import torch

from approaches import base
from approaches.hyper import NUMBER, Hyper
from learning import evaluation, subspace
from learning.batch import parts
from learning.recipe import is_plain
from networks import layers
from utils import UserError


class Appr(base.Appr):
    """Weights change only across the directions M that a layer's inputs in earlier tasks span: a gradient G
    [out,f] becomes G - G M M' (Eq. 6-7). No samples are kept.

    The inputs of convolutions are patches. Where a layer has a bias, a 1 is below its input, and weights and
    bias are one matrix; the authors' networks have no biases (--net bias=0). One head that tasks share is a
    layer as any other; heads of their own are free. All else, such as norms with their statistics, stays as
    the first task leaves it. With plain SGD gradients are projected, with any other optimizer its steps:
    momentum, Adam and decay would leave the subspace.

    What is said of old tasks is held but for rounding and for what the thresholds leave out; under --scenario
    class that is what the heads see, not the heads, which compete and train on.
    """

    family = 'projection'
    hyperparameters = (
        Hyper('thresholds', str, '0.95,0.99,...', help='share of the squares of a layer\'s inputs that M is '
              'to hold: a number for each layer, or one for all; ,... goes on with the last one',
              source='the authors\' code, permuted MNIST', positional=False),
        Hyper('increase', float, 0., (0, .001, .003), 'what every task adds to the thresholds',
              'the authors\' code, CIFAR-100: 0.003', least=0, most=1),
        Hyper('basis_samples', int, 300, (100, 300), 'samples of a task whose inputs are looked at',
              'the authors\' code, MNIST', least=1, most=10 ** 6),
        Hyper('count', str, 'paper', help='directions of the first task: as many as reach the threshold, or '
              'one fewer, as in the authors\' code', source='Eq. 5', choices=('paper', 'authors'),
              positional=False),
    )
    first_norms = True
    promise = 'up to thresholds'
    scenarios = ('task', 'class', 'domain')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        heads = layers.heads(self.model)
        own = layers.of_tasks(self.model) if len(heads) > 1 else []
        free = {id(p) for module in own for p in module.parameters()}
        there = {n: list(m.parameters()) for n, m in subspace.layers(self.model).items()}
        self.names = [n for n, params in there.items() if not any(id(p) in free for p in params)]
        self.limits = numbers(self.thresholds, self.names)
        free.update(id(p) for n in self.names for p in there[n])
        self.still = [n for n, p in self.params().items() if id(p) not in free]
        self.bases = {}  # {layer's name: M [f,k]}, of the tasks learnt

    def after_backward(self, batch):
        """Projects the gradients (Eq. 6-7), or notes from where the step is made."""
        params, batch.before = self.params(), None
        for n in self.still if self.bases else ():
            params[n].grad = None
        if is_plain(self.optimizer):
            self.project({n: p.grad for n, p in params.items() if p.grad is not None})
        elif self.bases:
            batch.before = {n: p.clone() for n, p in params.items()}

    def after_step(self, batch):
        """Projects the step of an optimizer that is not plain SGD."""
        if batch.before is None:
            return
        steps = {n: p - batch.before[n] for n, p in self.params().items()}
        self.project(steps)
        for name in self.bases:
            for n, p in self.model.get_submodule(name).named_parameters(name):
                p.copy_(batch.before[n] + steps[n])

    def project(self, changes):
        """Takes out of changes {parameter's name: tensor}, in place, what is within the bases."""
        for name, basis in self.bases.items():
            found = [changes[n] for n in (name + '.weight', name + '.bias') if n in changes]
            if found:
                rows = torch.cat([c.flatten(1) if c.dim() > 1 else c[:, None] for c in found], 1)
                new = subspace.outside(rows, basis)
                for c, part in zip(found, new.split([c[0].numel() for c in found], 1)):
                    c.copy_(part.reshape(c.shape))

    def end_task(self, t, x, y):
        """Grows the bases by what samples of the task add to them (Eq. 5, 8 and 9)."""
        chosen = torch.from_numpy(np.random.permutation(len(y))[:self.basis_samples]).to(x.device)
        modules = {name: self.model.get_submodule(name) for name in self.names}
        with evaluation.quiet(self), subspace.inputs(modules) as found:
            for batch in parts(t, x[chosen], None, 64, self.device):
                self.model.forward(batch.x)  # not as a call, which may be compiled, without the hooks
        for name, limit in zip(self.names, self.limits):
            weight, old = modules[name].weight, self.bases.get(name)
            old = found[name][:, :0] if old is None else old.cpu().double()
            limit = min(1., limit + self.increase * t)
            new = subspace.grown(old, found[name], limit, short=t == 0 and self.count == 'authors')
            self.bases[name] = new.to(weight.device, weight.dtype)

    def guarded(self):
        there = self.params()
        return {n: torch.ones_like(there[n], dtype=torch.bool) for n in self.still if self.bases}

    def account(self, done):
        return {'bases': {name: [m.shape[1], m.shape[0]] for name, m in self.bases.items()}}

    def report_lines(self):
        found = ['%s %d of %d' % (name, m.shape[1], m.shape[0]) for name, m in self.bases.items()]
        return ['Directions of inputs held: ' + ', '.join(found)]


def numbers(text, names):
    """The thresholds that a text gives, one for each of the layers of some names. Raises UserError."""
    texts, count = text.split(','), len(names)
    repeats = len(texts) > 1 and texts[-1] == '...'
    texts = texts[:-1] if repeats else texts
    if not all(NUMBER.fullmatch(part) and 0 < float(part) <= 1 for part in texts):
        raise UserError('--thresholds must be numbers above 0 and at most 1, such as 0.95,0.99,0.99 or '
                        '0.95,0.99,..., not %s' % text)
    found = [float(part) for part in texts]
    if repeats or len(found) == 1:
        found = (found + found[-1:] * count)[:count]
    if len(found) != count:
        raise UserError(
            '--thresholds %s are %d; the network has %d layers that are projected (%s): give one for each, or '
            'one for all' % (text, len(found), count, ', '.join(names)))
    return found
