"""HAT's gates: how embeddings begin, how steep gates are, what is left of a step to weights that are used."""
import math
from dataclasses import dataclass

import torch

from approaches.hyper import NUMBER, Hyper
from networks import gated

THRES_COSH = 50  # s * e is cut off there in the compensation, where cosh would overflow
THRES_EMB = 6    # embeddings stay within +-6 (Section 2.5, Embedding Gradient Compensation)
HARD = 1e38      # a steepness at which every gate is exactly 0 or 1, but for an embedding of 0
TINY = 1e-30     # embeddings nearer to 0 are 0

LAMB = Hyper('lamb', float, 0.75, (.1, .25, .5, .75, 1, 1.5, 2.5, 4), 'weight of the attention '
             'regulariser, the cost of capacity', 'Section 2.6, Promoting Low Capacity Usage; c in the '
             'paper', least=0)
SMAX = Hyper('smax', float, 400, (25, 50, 100, 200, 400, 800), 'largest steepness of the attention gates',
             'Section 2.4, Hard Attention Training', above=1)


@dataclass(frozen=True)
class Used(Hyper):
    """One of some words, or a share."""

    @property
    def kind(self):
        return super().kind + ', or a number >= 0 and <= 1'

    def parse(self, value):
        number = isinstance(value, (int, float)) or NUMBER.fullmatch(str(value))
        return str(value) if number and 0 <= float(value) <= 1 else super().parse(value)


BINARY = Hyper('binary', str, 'off', help='on: the masks of earlier tasks are kept, guarded and tested as '
               '0 or 1, e > 0; then what is said of earlier tasks does not change in a bit',
               choices=('off', 'on'), source='on: AdaHAT, hat-cl; off: the original', positional=False,
               silent=True)
INIT = Hyper('init', str, 'normal', help='how a task\'s embedding begins: as the network draws it; drawn '
             'from U(0,1), all units on; 1, all on; from a normal distribution, a share of 1/tasks on; '
             'from U(-1,0), all off; or as that of the task before',
             choices=('normal', 'uniform', 'dense', 'sparse', 'negative', 'last'),
             source='uniform, negative, last: AdaHAT\'s code; dense, sparse: hat-cl', positional=False,
             silent=True)
ANNEAL = Hyper(
    'anneal', str, 'linear', help='how the steepness rises within an epoch, from 1/smax to smax',
    choices=('linear', 'cosine', 'exponential'), source='linear: Section 2.4; the others after hat-cl',
    positional=False, silent=True)
COMPENSATION = Hyper(
    'compensation', str, 'on', help='off: the gradients of the embeddings stay as the steepness makes them',
    choices=('on', 'off'), source='Section 2.5', positional=False, silent=True)
USED = Used('used', str, 'fixed', help='what is left of a step to weights that earlier tasks use: nothing; '
            'all of it; a new share from U(0,1) for each weight and step; or so large a share',
            choices=('fixed', 'free', 'random'), source='fixed: Eq. 2; the others: ablations of AdaHAT',
            positional=False, silent=True)


def steepness(anneal, smax, p):
    """Return s once a share p of the epoch is over: from 1/smax to smax, and never falling."""
    if anneal == 'exponential':
        return smax ** (2 * p - 1)
    if anneal == 'cosine':
        p = (1 - math.cos(math.pi * p)) / 2
    return (smax - 1 / smax) * p + 1 / smax


def compensation(e, s, smax):
    """Return what frees the gradients of embeddings e of their dependence on s (Section 2.5)."""
    return smax / s * (torch.cosh((s * e).clamp(-THRES_COSH, THRES_COSH)) + 1) / (torch.cosh(e) + 1)


def begin(model, init, t):
    """Draw the embeddings of task t anew, as INIT says; in place."""
    for e in gated.embeddings(model):
        row = e.detach()[t]
        if init == 'uniform':
            row.uniform_()
        elif init == 'negative':
            row.uniform_(-1, 0)
        elif init == 'dense':
            row.fill_(1)
        elif init == 'sparse':
            share = torch.tensor(1 / len(e))  # where p (1 - p)^(T-1) is largest
            mean = torch.special.ndtri(share).item()
            row.normal_().add_(mean).clamp_(-THRES_EMB, THRES_EMB)
        elif init == 'last' and t:
            row.copy_(e.detach()[t - 1])


def decide(model, t):
    """Switch off what hangs in the balance in task t, e = 0; in place."""
    for e in gated.embeddings(model):
        row = e.detach()[t]
        row[row.abs() < TINY] = -TINY


def views(model, masks):
    """Yield (name, parameter, masks as it sees them) of the gated layers' weights and biases."""
    for n, p in model.named_parameters():
        view = model.get_view_for(n, masks)
        if view is not None:
            yield n, p, view


def left(used, view):
    """Return the share of their step that is left to weights of which earlier tasks use so much, a tensor in
    [0,1]: 1 - view, or what USED says otherwise."""
    if used == 'fixed':
        return 1 - view
    if used == 'random':
        return 1 - view * torch.rand_like(view)
    return 1 - view * (1 - (1. if used == 'free' else float(used)))


def rows(model, t):
    """Return [(embeddings, 1 for task t and else 0)]: what an optimizer that remembers may move of them."""
    found = []
    for e in gated.embeddings(model):
        rate = torch.zeros_like(e[:, :1])
        rate[t] = 1
        found.append((e, rate))
    return found


def layers_of(model):
    """Return {parameter's name: number of the gated layer whose units it feeds}: the last one by which its
    masks change."""
    masks, found = [torch.ones_like(e[:1]) for e in gated.embeddings(model)], {}
    for k, m in enumerate(masks):
        without = [*masks[:k], torch.zeros_like(m), *masks[k + 1:]]
        found.update({n: k for n, _, view in views(model, without) if (view == 0).any()})
    return found
