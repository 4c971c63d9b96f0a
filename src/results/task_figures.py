"""Draw accuracies task by task, as metrics.py and curves.py computed them: each function fills a page."""
import numpy as np

from results import captions, curves as learning, steps
from results.drawing import MANY, band, heat, labels, plain, style, ticks

ACCURACY = 'accuracy (%)'
STD = '± standard deviation over the '


def matrix(fig, found, by):
    """Draw accuracy matrices as heat maps, one per approach, mean over seeds and standard deviation."""
    names, start, remark = labels(found)
    roomy = len(names) <= 6
    axes = fig.panels(len(by), 'after task ' + start, 3 if roomy else 2, 3.6)
    later = np.triu(np.ones((len(names), len(names)), bool), 1)
    for ax, (a, each) in zip(axes, by.items()):
        below, title = None, plain(a)
        if len(each) > 1:
            std = each.std(0, ddof=1)
            if roomy:
                below = np.vectorize('±{:.1f}'.format)(std)
            else:
                title += ' (std up to %.1f)' % std[~later].max()
        image = heat(ax, np.ma.masked_array(each.mean(0), later), names, names, below)
        ax.set(title=title, xlabel='on task ' + start)
    fig.colorbar(image, ax=axes, label=ACCURACY)
    fig.note(captions.below(found, 'means, ' + STD + 'seeds'), remark)


def spread(ax, x, values, i):
    """Draw the standard deviation of the i-th series [runs, x] around its mean, if there are several runs."""
    if len(values) > 1:
        mean, std = values.mean(0), values.std(0, ddof=1)
        band(ax, x, mean - std, mean + std, i)


def tasks(fig, found, by):
    """Draw the accuracy of each task over the sequence, one plot per approach, mean and deviation."""
    names, start, remark = labels(found)
    n = len(names)
    shown = range(n) if n <= MANY else sorted({round(x) for x in np.linspace(0, n - 1, 10)})
    for ax, (a, each) in zip(fig.panels(len(by), ACCURACY), by.items()):
        for i, u in enumerate(shown):
            # a line goes on at its end, so that that of the last task is one
            x = np.append(np.arange(u, n) + 1, n + 0.4)
            values = np.append(each[:, u:, u], each[:, -1:, u], 1)
            ax.plot(x, values.mean(0), label=names[u], markevery=list(range(0, n - u, -(-n // MANY))),
                    **style(i))
            spread(ax, x, values, i)
        ax.set(title=plain(a), xlabel='tasks learnt', xlim=(0.7, n + 0.5), ylim=(-2, 102),
               xticks=np.arange(1, n + 1)[::-(-n // MANY)])
    fig.key(title='on task ' + start)
    fig.note(captions.below(found, 'lines: means, bands: ' + STD + 'seeds'),
             'a line begins where its task is learnt and goes on at its final value to the right edge',
             len(shown) < n and '%d of %d tasks are shown' % (len(shown), n), remark)


def gap(fig, found, runs):
    """Draw the accuracy on each task over the steps of the tasks after it, one plot per approach.

    runs: {approach: {seed: what steps.load returns}}.
    """
    names, start, remark = labels(found)
    shown = min(len(names), MANY)
    for ax, (a, tasks) in zip(fig.panels(len(runs), ACCURACY), steps.gather(runs).items()):
        for u in range(min(shown, len(tasks) - 1)):
            x, values = steps.later(tasks, u)
            mean, least, most, _ = learning.summary(values)
            ax.plot(x, mean, label=names[u], markevery=max(1, len(x) // 8), **style(u))
            band(ax, x, least, most, u)
        edges = np.cumsum([last[-1] for last, _ in tasks])
        for edge in edges[:-1]:
            ax.axvline(edge, color='0.4', linewidth=0.8)
        ax.set(title=plain(a), xlabel='step, task after task', xlim=(edges[0] - 0.02 * edges[-1], edges[-1]))
    fig.key(title='on task ' + start)
    bands = 'lines: means, bands: least to most, over the seeds'
    fig.note(captions.below(found, bands, captions.sizes(runs)),
             'a line begins at the end of its task; upright: a task ends',
             shown < len(names) and 'the first %d tasks are shown' % shown, remark)


def order(fig, found, by):
    """Draw the accuracy on the task at each place of the sequence, just learnt and at the end."""
    names, _, remark = labels(found)
    for ax, (a, each) in zip(fig.panels(len(by), ACCURACY), by.items()):
        learnt, last = np.diagonal(each, axis1=1, axis2=2), each[:, -1]
        for i, (values, label) in enumerate(((learnt, 'just learnt'), (last, 'after the last task'))):
            ax.plot(values.mean(0), label=label, **style(i))
            spread(ax, range(len(names)), values, i)
        ticks(ax.xaxis, names)
        ax.set(title=plain(a), xlabel='place in the sequence', ylim=(-2, 102))
    fig.key()
    what = 'seed' if all(isinstance(s, int) for r in found.values() for s in r) else 'run'
    fig.note(captions.below(found, 'lines: means, bands: %s%ss' % (STD, what), what=what),
             remark.replace('seed', what) or 'tasks in the order in which they were learnt')


def curves(fig, found, values):
    """Draw a number of every epoch, tasks one after another, a line per approach.

    values: ({approach: [values [seeds, epochs] of each task]}, the name of the measure).
    """
    names, start, remark = labels(found)
    runs, measure = values
    tasks = max(map(len, runs.values()))
    lengths = [max(values[t].shape[1] for values in runs.values() if t < len(values)) for t in range(tasks)]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    fig.size(4.6, wide=tasks > 3)
    ax = fig.subplots()
    for i, (a, each) in enumerate(runs.items()):
        for t, values in enumerate(each):
            curve(ax, i, plain(a) if t == 0 else None, starts[t], values)
    for edge in starts[1:-1]:
        ax.axvline(edge + 0.5, color='0.4', linewidth=0.8)
    ax.set(xlabel='epoch, task after task', ylabel=learning.MEASURES[measure], xlim=(0.5, starts[-1] + 0.5))
    above, step = ax.secondary_xaxis('top', xlabel='task ' + start), -(-tasks // MANY)
    crowded = max(map(len, names)) * tasks / step > fig.letters(fig.get_figwidth() - 1)
    turned = {'rotation': 30, 'ha': 'left'} if crowded else {}
    above.set_xticks(((starts[:-1] + starts[1:] + 1) / 2)[::step], names[:tasks:step], **turned)
    above.tick_params(length=0)
    fig.key()
    text = ('lines: means, bands: least to most, both over the seeds that reached the epoch, fainter where '
            'some had ended')
    fig.note(captions.below(found, text, {a: len(found[a]) for a in runs}), remark)


def curve(ax, i, label, start, values):
    """Draw the i-th approach's values [seeds, epochs] of one task, which begins after so many epochs."""
    mean, least, most, count = learning.summary(values)
    x, every = start + np.arange(1, len(mean) + 1), max(1, len(mean) // 4)
    full = count == count.max(initial=0)
    ax.plot(x, np.where(full, mean, np.nan), label=label, markevery=(i % every, every), **style(i))
    faint = ~full | np.append(~full[1:], False)  # fewer seeds: from the last epoch that all reached
    ax.plot(x, np.where(faint, mean, np.nan), alpha=0.4, **{**style(i), 'marker': None})
    if len(values) > 1:
        band(ax, x, least, most, i)
