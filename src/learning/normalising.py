"""Layers that normalise by running statistics: buffers, which every batch in training mode moves, and no
gradient says so."""
from contextlib import ExitStack, contextmanager

from torch.nn.modules.batchnorm import _NormBase

from networks import parts


def layers(net):
    """{name: layer} of a network's normalising layers that keep running statistics."""
    return {n: m for n, m in net.named_modules() if isinstance(m, _NormBase) and m.running_mean is not None}


def hold(net):
    """Puts those in training mode into evaluation mode, where their statistics stay; returns them."""
    own = {id(m) for norms in parts.own(net) for m in norms}  # of a task that nobody else's training moves
    training = [m for m in layers(net).values() if m.training and id(m) not in own]
    for m in training:
        m.eval()
    return training


@contextmanager
def held(net):
    """Within it, none of them is in training mode."""
    training = hold(net)
    try:
        yield
    finally:
        for m in training:
            m.train()


def statistics(net):
    """{buffer's name: a copy} of their running means and variances."""
    out = {}
    for n, m in layers(net).items():
        out.update({n + '.running_mean': m.running_mean.clone(), n + '.running_var': m.running_var.clone()})
    return out


def merge(net, old, t):
    """Makes the statistics those of t + 1 tasks in equal parts: of the present ones, the last task's, and
    old, as statistics() has them, those of the t tasks before. The variance is that of the mixture: the mean
    of var + mean^2, less the merged mean^2."""
    for n, m in layers(net).items():
        mean, var = old[n + '.running_mean'], old[n + '.running_var']
        far = m.running_mean - mean
        m.running_mean.copy_(mean + far / (t + 1))
        m.running_var.copy_((m.running_var + var * t) / (t + 1) + far.square() * t / (t + 1) ** 2)


@contextmanager
def used(net):
    """Within it, a set of the names of the floating-point buffers of the modules that are run."""
    names = set()
    with ExitStack() as hooks:
        for n, module in net.named_modules():
            own = [b for b, v in module.named_buffers(n, recurse=False) if v.is_floating_point()]
            hooks.enter_context(module.register_forward_pre_hook(lambda *_, own=own: names.update(own)))
        yield names
