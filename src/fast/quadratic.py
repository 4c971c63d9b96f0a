"""Quadratic penalties on weights, whose gradient is known in closed form."""
import math

import torch


def of(appr):
    """The penalty that an approach's importance() describes, or None: where there is none, or none such."""
    kind = next((c for c in type(appr).__mro__ if 'penalty' in vars(c)), None)
    if 'importance' not in vars(kind) or not appr.old:
        return None
    return Quadratic(appr.held_params(), appr.old, appr.importance())


class Quadratic:
    """1/2 * the sum over all entries of c * (theta - anchor)^2.

    parameters, anchors: {name: tensor}, of which the first says what is penalised; c: {name: tensor}, which
    belong to this object from then on, or a number for all. Made for one pass over data, with one learning
    rate.
    """

    def __init__(self, parameters, anchors, c):
        if not isinstance(c, dict):
            c = {n: torch.tensor(float(c)) for n in parameters}
        self.terms = [(p, anchors[n], c[n]) for n, p in parameters.items()]
        self.lr, self.reach, self.steepest = 1., math.inf, None  # c is stored times lr, once that is known

    def value(self):
        """The penalty, a scalar tensor."""
        return sum((c * (p - anchor).pow(2)).sum() for p, anchor, c in self.terms) / 2 / self.lr

    def gradients(self):
        """(parameter, c * (theta - anchor)) of all."""
        for p, anchor, c in self.terms:
            gradient = torch.sub(p, anchor).mul_(c)
            yield p, gradient if self.lr == 1 else gradient.mul_(1 / self.lr)

    def add_gradient(self):
        """Adds c * (theta - anchor) to every .grad."""
        for p, gradient in self.gradients():
            p.grad = gradient if p.grad is None else p.grad.add_(gradient)

    def descend(self, bound, clipgrad, lr):
        """Makes the step -lr * c * (theta - anchor), in one pass over the weights, unless its gradient,
        together with others of which the norm is at most `bound`, may be longer than clipgrad: then changes
        nothing. Returns whether it did.

        The norm is computed now and then. Between, it can have grown by its steepest slope times the way of
        each step, so the steps have to follow one another; after another kind of step it is computed anew.
        """
        if lr != self.lr:
            for _, _, c in self.terms:
                c.mul_(lr / self.lr)
            self.lr, self.reach = lr, math.inf
            self.steepest = max(c.max().item() for _, _, c in self.terms if c.numel()) / lr
        if not bound + self.reach <= clipgrad:
            self.reach = sum((torch.sub(p, anchor).mul_(c)).norm() for p, anchor, c in self.terms).item() / lr
        if not bound + self.reach <= clipgrad:
            self.reach = math.inf
            return False
        for p, anchor, c in self.terms:
            p.lerp_(anchor, c)
        self.reach += self.steepest * lr * (bound + self.reach)
        return True
