"""What one batch does to the weights: its gradients, clipped, and a step of SGD, in as few passes as that takes."""
import torch

from learning.recipe import is_plain


def descend(optimizer, tape, penalty, clipgrad):
    """Makes an optimizer's step by the gradients in .grad, those that wait on a tape, a list of
    products.Entry, and that of a penalty, a quadratic.Quadratic or None, after clipping their common norm.

    Plain SGD adds the gradients of linear layers to the weights in the very product that forms them, unless a
    norm may exceed clipgrad.
    """
    group = optimizer.param_groups[0]
    params = [p for g in optimizer.param_groups for p in g['params'] if p.grad is not None]
    if tape and within(bound(tape, params), penalty, clipgrad, group['lr']):
        for p in params:
            p.add_(p.grad, alpha=-group['lr'])
        for entry in tape:
            entry.add_(-group['lr'])
        return
    for entry in tape or ():
        entry.form()
    if penalty is not None:
        penalty.add_gradient()
    params = [p for g in optimizer.param_groups for p in g['params'] if p.grad is not None]
    grads = clip(params, clipgrad)
    if not is_plain(optimizer):
        optimizer.step()
    elif grads:
        torch._foreach_add_(params, grads, alpha=-group['lr'])


def within(bound, penalty, clipgrad, lr):
    """Whether no gradient needs clipping, the norm of the loss's being at most bound; if so, the penalty's
    step is made."""
    return bound <= clipgrad if penalty is None else penalty.descend(bound, clipgrad, lr)


def norm(params):
    """The common norm of the gradients of parameters, a scalar tensor."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm([p.grad for p in params])))


def bound(tape, params):
    """At least the norm of all gradients, those on the tape and those of params."""
    return float(sum(entry.bound() for entry in tape) + (norm(params) if params else 0))


def clip(params, clipgrad):
    """Scales the gradients of parameters so that their common norm is at most clipgrad; returns them. Does
    not wait for the device."""
    grads = [p.grad for p in params]
    if not grads:
        return grads
    coefficient = clipgrad / (norm(params) + 1e-6)
    if coefficient.device.type != 'cpu':
        torch._foreach_mul_(grads, coefficient.clamp(max=1))
    elif not coefficient >= 1:
        torch._foreach_mul_(grads, coefficient)
    return grads
