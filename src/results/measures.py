"""What an accuracy matrix says in one number. a [T,T] in 0..1: a[t,u] is the accuracy on task u after
learning task t, both from 0 here and from 1 in the formulas; entries above the diagonal are not looked at.

Measures are of tasks, that is, of their test images, not of classes. Where a class comes again, what a later
task teaches of it counts for earlier tasks that have it: forgetting is then what is left of a loss that the
class's return did not make up for, and backward transfer, negative forgetting included, has what was learnt
of the class since. The diagonal, learning accuracy, is of tasks whose classes may not have been new."""
import numpy as np


def average_accuracy(a):
    """Return A_T = 1/T sum_u a[T,u] (Lopez-Paz & Ranzato, 2017, Eq. 2)."""
    return float(a[-1].mean())


def overall_accuracy(a, counts):
    """Return the accuracy over all test images of all tasks, of which there are counts [T]: sum_u n_u a[T,u]
    / sum_u n_u."""
    return float(np.average(a[-1], weights=counts))


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


def lowest_and_last(accuracy):
    """Return (lowest, last), accuracies [T,T]: row t the least and the last in the tests while task t is
    learnt, column u on task u, nan where u > t. accuracy[t]: of those tests, [tests, t + 1]."""
    lowest, last = np.full((2, len(accuracy), len(accuracy)), np.nan)
    for t, found in enumerate(accuracy):
        lowest[t, :t + 1], last[t, :t + 1] = np.min(found, 0), found[-1]
    return lowest, last


def minimum_accuracy(lowest):
    """Return min-ACC, 1/(T-1) sum_{u<T} min_{t>u} lowest[t,u], of how low the accuracy on u fell while task
    t was learnt (De Lange, van de Ven & Tuytelaars, ICLR 2023). None for one task."""
    n = len(lowest) - 1
    return float(np.mean([lowest[u + 1:, u].min() for u in range(n)])) if n else None


def worst_case_accuracy(lowest, last):
    """Return WC-ACC, last[T,T] / T + (1 - 1/T) min-ACC (De Lange et al., 2023)."""
    n = len(last)
    return float((last[-1, -1] + (n - 1) * (minimum_accuracy(lowest) or 0)) / n)


def stability_gaps(lowest, last):
    """Return [T,T], for u < t last[t-1,u] - lowest[t,u], else 0: how far the accuracy on task u fell below
    that before task t, while t was learnt."""
    return np.tril(np.concatenate([lowest[:1] * 0, last[:-1] - lowest[1:]]), -1)


def stability(lowest, last):
    """Return {name: value} of what lowest_and_last() says, for a record: accuracies in 0..1; stability_gap
    is the mean of the gaps. Of one task there is no more than its accuracy."""
    gaps, n = stability_gaps(lowest, last), len(last)
    out = {'worst_case_accuracy': worst_case_accuracy(lowest, last)}
    if n > 1:
        mean = float(gaps.sum() / (n * (n - 1) / 2))
        out.update(minimum_accuracy=minimum_accuracy(lowest), stability_gap=mean,
                   stability_gaps=gaps.round(6).tolist())
    return out


def windowed_forgetting(values, window):
    """Return the largest fall from one to a later of so many tests in a row, of accuracies on a task
    [tests], 0 where there is none (De Lange et al., 2023, WF)."""
    falls = [0.]
    for k in range(1, len(values)):
        falls.append(max(values[max(0, k - window + 1):k + 1]) - values[k])
    return float(max(falls))


WITHIN = 'minimum_accuracy', 'worst_case_accuracy', 'stability_gap'  # what tests within tasks say
MATRIX = average_accuracy, average_incremental_accuracy, learning_accuracy, forgetting, backward_transfer


def summary(acc, before=None, untrained=None, counts=None):
    """Return {name: number} of all that follows from a square accuracy matrix alone, in 0..1, None where it
    takes two tasks; with forward_transfer if the accuracies before learning and of the untrained network are
    given, with overall_accuracy if it is known how many test images tasks have."""
    acc = np.asarray(acc, dtype=float)
    out = {}
    for f in MATRIX:
        out[f.__name__] = f(acc)
        if f is average_accuracy and counts is not None:
            out['overall_accuracy'] = overall_accuracy(acc, counts[:len(acc)])
    if before is not None:
        out['forward_transfer'] = forward_transfer(before, untrained)
    return out


def of(record):
    """Return the summary() of what a record has, and what it says of tests within tasks."""
    found = summary(record['accuracy'], *map(record.get, ('before_learning', 'untrained', 'test_samples')))
    return {**found, **{k: record[k] for k in WITHIN if k in record}}


def lines(found):
    """Return what a summary says, as lines in per cent, or in points where it is a difference."""
    out = []
    for name, value in found.items():
        text = '-' if value is None or value != value else '%.2f%%' % (100 * value)
        out.append('{:<30s}{:>8s}'.format(name.replace('_', ' ').capitalize(), text))
    return out
