"""What an accuracy matrix says in one number. a [T,T] in 0..1: a[t,u] is the accuracy on task u after
learning task t, both from 0 here and from 1 in the formulas; entries above the diagonal are not looked at.

Measures are of tasks, that is, of their test images, not of classes. Where a class comes again, what a later
task teaches of it counts for earlier tasks that have it: forgetting is then what is left of a loss that the
class's return did not make up for, and backward transfer, negative forgetting included, has what was learnt of
the class since. The diagonal, learning accuracy, is of tasks whose classes may not have been new."""
import numpy as np


def average_accuracy(a):
    """Return A_T = 1/T sum_u a[T,u] (Lopez-Paz & Ranzato, 2017, Eq. 2)."""
    return float(a[-1].mean())


def average_incremental_accuracy(a):
    """Return 1/T sum_t A_t, A_t the average accuracy on the tasks so far after task t (Rebuffi et al., 2017;
    the first included)."""
    return float(np.mean([a[t, :t + 1].mean() for t in range(len(a))]))


def learning_accuracy(a):
    """Return 1/T sum_t a[t,t]: how well each task was learnt (Riemer et al., 2019)."""
    return float(np.diag(a).mean())


def forgetting(a):
    """Return 1/(T-1) sum_{u<T} (max_{u<=l<T} a[l,u] - a[T,u]) (Chaudhry et al., ECCV 2018); can be negative.
    None for one task."""
    n = len(a) - 1
    return float(np.mean([a[u:n, u].max() - a[n, u] for u in range(n)])) if n else None


def backward_transfer(a):
    """Return 1/(T-1) sum_{u<T} (a[T,u] - a[u,u]) (Lopez-Paz & Ranzato, 2017, Eq. 3). None for one task."""
    return float((a[-1, :-1] - np.diag(a)[:-1]).mean()) if len(a) > 1 else None


def forward_transfer(before, untrained):
    """Return 1/(T-1) sum_{t>1} (a[t-1,t] - b[t]) (Lopez-Paz & Ranzato, 2017, Eq. 4), of the accuracies [T] on
    each task just before it is learnt and by the untrained network. None for one task."""
    return float(np.subtract(before, untrained)[1:].mean()) if len(before) > 1 else None


def intransigence(a, joint):
    """Return 1/T sum_t (a*[t] - a[t,t]), a*[t] the accuracy on task t of joint training on tasks 1..t, the
    diagonal of its matrix (Chaudhry et al., ECCV 2018)."""
    return float((np.diag(joint) - np.diag(a)).mean())


def forgetting_ratio(a, random, joint):
    """Return rho [T], after each task the mean over the tasks so far of (A - R) / (J - R) - 1, from three
    matrices [T,T]: the approach's, random's (whose diagonal is R) and joint's (Serrà et al., 2018, Section
    4.1). nan where J = R."""
    floor = np.diag(random)
    with np.errstate(divide='ignore', invalid='ignore'):
        rho = (a - floor) / (joint - floor) - 1
    return np.array([rho[t, :t + 1].mean() if np.isfinite(rho[t, :t + 1]).all() else np.nan
                     for t in range(len(a))])


def diverged(loss):
    """Return the tasks, numbers from 0, just after which their own loss, of [T,T], is not finite or above
    1000. Guessing costs ln K, 4.6 for 100 classes; distances to old weights or outputs are nothing as a task
    begins, whatever they are weighted with, and distillation costs less than 1000 with any weight that is
    searched: to end so far above, the steps must have led away."""
    return [t for t, value in enumerate(np.diag(loss).tolist()) if not value <= 1000]


MATRIX = average_accuracy, average_incremental_accuracy, learning_accuracy, forgetting, backward_transfer


def summary(acc, before=None, untrained=None):
    """Return {name: number} of all that follows from a square accuracy matrix alone, in 0..1, None where it
    takes two tasks; with forward_transfer if the accuracies before learning and of the untrained network are
    given."""
    acc = np.asarray(acc, dtype=float)
    out = {f.__name__: f(acc) for f in MATRIX}
    if before is not None:
        out['forward_transfer'] = forward_transfer(before, untrained)
    return out


def lines(found):
    """Return what a summary says, as lines in per cent, or in points where it is a difference."""
    out = []
    for name, value in found.items():
        text = '-' if value is None or value != value else '%.2f%%' % (100 * value)
        out.append('{:<30s}{:>8s}'.format(name.replace('_', ' ').capitalize(), text))
    return out
