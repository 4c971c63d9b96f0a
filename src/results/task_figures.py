"""Draw accuracies task by task, as metrics.py and curves.py computed them: each function fills a page."""
import numpy as np

from results import captions, curves as learning, steps
from results.drawing import MANY, band, finish, heat, plain, short, style, ticks

ACCURACY = 'accuracy (%)'


def matrix(fig, found, by):
    """Draw accuracy matrices as heat maps, one per approach, mean over seeds and standard deviation."""
    names, remark = captions.places(found)
    names, start = short(names)
    n, roomy = len(names), len(names) <= 6
    columns = 3 if roomy else 2
    axes = fig.panels(len(by), columns, 3.6)
    above = np.triu(np.ones((n, n), bool), 1)
    for k, (ax, (a, each)) in enumerate(zip(axes, by.items())):
        below, title = None, plain(a)
        if len(each) > 1:
            std = each.std(0, ddof=1)
            if roomy:
                below = np.vectorize(lambda s: ('±%.1f' if s < 9.95 else '±%.0f') % s)(std)
            else:
                title += ' (std up to %.1f)' % std[~above].max()
        image = heat(ax, each.mean(0), names if k % columns == 0 else [''] * n, names, title, hide=above,
                     below=below)
        ax.set_xlabel('on task ' + start)
        if k % columns == 0:
            ax.set_ylabel('after task ' + start)
    fig.colorbar(image, ax=axes, label=ACCURACY, aspect=20 * -(-len(axes) // columns))
    mean = 'means, %s standard deviation over the seeds' % ('±' if roomy else 'std:')
    fig.note(captions.label(found), captions.seeds(found),
             mean if max(map(len, by.values())) > 1 else 'means', remark)


def spread(ax, x, values, i):
    """Draw the standard deviation of the i-th series [runs, x] around its mean, if there are several runs."""
    if len(values) > 1:
        mean, std = values.mean(0), values.std(0, ddof=1)
        band(ax, x, mean - std, mean + std, i)


def tasks(fig, found, by):
    """Draw the accuracy of each task over the sequence, one plot per approach, mean and deviation."""
    names, remark = captions.places(found)
    names, start = short(names)
    n = len(names)
    shown = range(n) if n <= MANY else sorted({round(x) for x in np.linspace(0, n - 1, 10)})
    for k, (ax, (a, each)) in enumerate(zip(fig.panels(len(by)), by.items())):
        for i, u in enumerate(shown):
            after = np.append(np.arange(u, n), n - 1)
            x = np.append(np.arange(u, n) + 1,
                          n + 0.4)  # a line goes on at its end, so that that of the last task is one
            values = each[:, after, u]
            ax.plot(x, values.mean(0), label=names[u], markevery=list(range(0, n - u, -(-n // MANY))),
                    **style(i))
            spread(ax, x, values, i)
        ax.set_xticks(np.arange(1, n + 1)[::-(-n // MANY)])
        ax.set_xlim(0.7, n + 0.5)
        ax.set_ylim(-2, 102)
        finish(ax, 'tasks learnt', ACCURACY if k % 3 == 0 else '', plain(a))
    fig.key(title='on task ' + start)
    bands = captions.spread('lines: means, bands: ± standard deviation over the seeds',
                            map(len, found.values()))
    fig.note(captions.label(found), captions.seeds(found), bands,
             'a line begins where its task is learnt and goes on at its final value to the right edge',
             len(shown) < n and '%d of %d tasks are shown' % (len(shown), n), remark)


def gap(fig, found, runs):
    """Draw the accuracy on each task over the steps of the tasks after it, one plot per approach.

    runs: {approach: {seed: what steps.load returns}}.
    """
    names, remark = captions.places(found)
    names, start = short(names)
    shown, axes = min(len(names), MANY), fig.panels(len(runs))
    for k, (ax, (a, tasks)) in enumerate(zip(axes, steps.gather(runs).items())):
        for u in range(min(shown, len(tasks) - 1)):
            x, values = steps.later(tasks, u)
            mean, least, most, _ = learning.summary(values)
            ax.plot(x, mean, label=names[u], markevery=max(1, len(x) // 8), **style(u))
            band(ax, x, least, most, u)
        edges = np.cumsum([last[-1] for last, _ in tasks])
        for edge in edges[:-1]:
            ax.axvline(edge, color='0.4', linewidth=0.8)
        ax.set_xlim(edges[0] - 0.02 * edges[-1], edges[-1])
        finish(ax, 'step, task after task', ACCURACY if k % 3 == 0 else '', plain(a))
    lowest, highest = (f(end for ax in axes for end in ax.get_ylim()) for f in (min, max))
    for ax in axes:
        ax.set_ylim(lowest, highest)
    fig.key(title='on task ' + start)
    bands = captions.spread('lines: means, bands: least to most, over the seeds', map(len, runs.values()))
    fig.note(captions.label(found), captions.seeds(found), bands,
             'a line begins at the end of its task; upright: a task ends',
             shown < len(names) and 'the first %d tasks are shown' % shown, remark)


def order(fig, found, by):
    """Draw the accuracy on the task at each place of the sequence, just learnt and at the end."""
    names, remark = captions.places(found)
    apart = not captions.tasks(found)
    names, start = short([n.replace('place ', '') for n in names] if apart else names)
    x = np.arange(1, len(names) + 1)
    for k, (ax, (a, each)) in enumerate(zip(fig.panels(len(by)), by.items())):
        learnt, last = np.diagonal(each, axis1=1, axis2=2), each[:, -1]
        ax.plot(x, learnt.mean(0), label='just learnt', markerfacecolor='white',
                markersize=1.6 * fig.look.marker, **style(0))
        ax.plot(x, last.mean(0), label='after the last task', **style(1))
        spread(ax, x, learnt, 0)
        spread(ax, x, last, 1)
        ticks(ax, names, first=1)
        ax.set_ylim(-2, 102)
        finish(ax, 'place in the sequence' if apart else 'task ' + start, ACCURACY if k % 3 == 0 else '',
               plain(a))
    fig.key()
    numbers = {a: len(r) for a, r in found.items()}
    what = 'seed' if all(isinstance(s, int) for r in found.values() for s in r) else 'run'
    bands = 'lines: means, bands: ± standard deviation over the %ss' % what
    fig.note(captions.label(found), captions.counted(numbers, what), captions.spread(bands, numbers.values()),
             'each place is of several tasks' if apart else 'tasks in the order in which they were learnt',
             remark and 'the order of the tasks differs from %s to %s' % (what, what))


def curves(fig, found, values):
    """Draw a number of every epoch, tasks one after another, a line per approach.

    values: ({approach: [values [seeds, epochs] of each task]}, the name of the measure).
    """
    names, remark = captions.places(found)
    runs, measure = values
    tasks = max(map(len, runs.values()))
    names, start = short(names[:tasks])
    lengths = [max(values[t].shape[1] for values in runs.values() if t < len(values)) for t in range(tasks)]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    fig.size(4.6, wide=tasks > 3)
    ax = fig.subplots()
    for i, (a, each) in enumerate(runs.items()):
        for t, values in enumerate(each):
            curve(ax, i, plain(a) if t == 0 else None, starts[t], values)
    for edge in starts[1:-1]:
        ax.axvline(edge + 0.5, color='0.4', linewidth=0.8)
    ax.set_xlim(0.5, starts[-1] + 0.5)
    finish(ax, 'epoch, task after task', learning.MEASURES[measure])
    above, step = ax.secondary_xaxis('top'), -(-tasks // MANY)
    crowded = max(map(len, names)) * tasks / step > fig.letters(fig.look.small, fig.get_figwidth() - 1)
    turned = {'rotation': 30, 'ha': 'left'} if crowded else {}
    above.set_xticks(((starts[:-1] + starts[1:] + 1) / 2)[::step], names[::step], **turned)
    above.tick_params(length=0)
    above.set_xlabel('task ' + start if start else '')
    fig.key(*ax.get_legend_handles_labels())
    seeds = {a: len(found[a]) for a in runs}
    text = ('lines: means, bands: least to most, both over the seeds that reached the epoch, fainter where '
            'some had ended')
    fig.note(captions.label(found), captions.counted(seeds), captions.spread(text, seeds.values()), remark)


def curve(ax, i, label, start, values):
    """Draw the i-th approach's values [seeds, epochs] of one task, which begins after so many epochs."""
    mean, least, most, count = learning.summary(values)
    x, every = start + np.arange(1, len(mean) + 1), max(1, len(mean) // 4)
    full = count == count.max(initial=0)
    ax.plot(x, np.where(full, mean, np.nan), label=label, markevery=(i % every, every), **style(i))
    if not full.all():  # fewer seeds: fainter, from the last epoch that all reached
        faint = ~full | np.append(~full[1:], False)
        ax.plot(x, np.where(faint, mean, np.nan), alpha=0.4, **{**style(i), 'marker': None})
    if len(values) > 1:
        band(ax, x, least, most, i)
