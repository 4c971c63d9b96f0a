"""What one batch does to the weights: its gradients, clipped, and a step of SGD, in as few passes as that takes."""
import torch

from engine import dropout, products


def leaves_linear(hook):
    """Marks a before_step that leaves the gradients of linear layers alone, which then need not exist as tensors."""
    hook.leaves_linear = True
    return hook


def is_plain(optimizer):
    """Whether an optimizer does nothing but subtract lr * gradient from one group of parameters."""
    group = optimizer.param_groups[0]
    return type(optimizer) is torch.optim.SGD and len(optimizer.param_groups) == 1 and not any(
        group.get(k) for k in ('momentum', 'weight_decay', 'maximize', 'differentiable'))


def step(appr, t, x, y, lr=None):
    """Trains an approach on a batch x [B,C,H,W], y [B] of task t; returns the loss, detached.

    lr: the learning rate as a scalar tensor, instead of the optimizer's own number. Without it, on the CPU, the gradients of
    linear layers are added to the weights in the very product that forms them, unless something needs to see them before: a hook
    before_step, an optimizer with a memory, or a norm that may exceed clipgrad.
    """
    if dropout.ahead is not None:
        dropout.ahead.begin()
    plain, group = is_plain(appr.optimizer), appr.optimizer.param_groups[0]
    with products.deferred(plain and lr is None and appr.deferrable and x.device.type == 'cpu') as tape:
        with appr.precision():
            loss, _ = appr.forward(t, x, y)
        for p in (p for g in appr.optimizer.param_groups for p in g['params']):
            p.grad = None
        loss.backward()
        for p in appr.idle_heads():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
    with torch.no_grad():
        if not tape:
            complete(tape, appr.quadratic)
        appr.before_step(t)
        if tape and within(bound(tape, having(group)), appr, group['lr']):
            for p in having(group):
                p.add_(p.grad, alpha=-group['lr'])
            for entry in tape:
                entry.add_(-group['lr'])
        else:
            if tape:
                complete(tape, appr.quadratic)
            if plain:
                descend(having(group), appr.clipgrad, group['lr'] if lr is None else lr)
            else:
                clip([p for p in appr.trainable() if p.grad is not None], appr.clipgrad)
                appr.optimizer.step()
    appr.after_step(t)
    return loss.detach()


def having(group):
    """The parameters of an optimizer's group that have a gradient."""
    return [p for p in group['params'] if p.grad is not None]


def complete(tape, penalty):
    """Forms the gradients that wait on the tape, and adds that of the penalty, if there is one."""
    for entry in tape:
        entry.form()
    if penalty is not None:
        penalty.add_gradient()


def within(bound, appr, lr):
    """Whether no gradient needs clipping, the norm of the loss's being at most bound; if so, the penalty's step is made."""
    return bound <= appr.clipgrad if appr.quadratic is None else appr.quadratic.descend(bound, appr.clipgrad, lr)


def norm(params):
    """The common norm of the gradients of parameters, a scalar tensor."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm([p.grad for p in params])))


def bound(tape, params):
    """At least the norm of all gradients, those on the tape and those of params."""
    return float(sum(entry.bound() for entry in tape) + (norm(params) if params else 0))


def clip(params, clipgrad):
    """Scales the gradients of parameters so that their common norm is at most clipgrad; returns them. Does not wait for the
    device."""
    grads = [p.grad for p in params]
    if not grads:
        return grads
    coefficient = clipgrad / (norm(params) + 1e-6)
    if coefficient.device.type != 'cpu':
        torch._foreach_mul_(grads, coefficient.clamp(max=1))
    elif not coefficient >= 1:
        torch._foreach_mul_(grads, coefficient)
    return grads


def descend(params, clipgrad, lr):
    """p -= lr * gradient for all parameters, after clipping their gradients; lr: a number or a scalar tensor."""
    grads = clip(params, clipgrad)
    if not grads:
        return
    if isinstance(lr, torch.Tensor):
        torch._foreach_mul_(grads, -lr)
        torch._foreach_add_(params, grads)
    else:
        torch._foreach_add_(params, grads, alpha=-lr)
