"""Drawing accuracies task by task, as metrics.py and curves.py computed them: each function fills a page."""
import numpy as np

from results import about, curves as learning, metrics
from results.drawing import MANY, band, finish, heat, plain, short, style, ticks


def matrix(fig, found):
    """Accuracy matrices as heat maps, one per approach, mean over seeds and standard deviation."""
    by, (names, remark) = metrics.matrices(found), about.places(found)
    names, start = short(names)
    n, roomy = len(names), len(names) <= 6
    columns = 3 if roomy else 2
    axes = fig.panels(len(by), columns, 3.6)
    above = np.triu(np.ones((n, n)), 1).astype(bool)
    for k, (ax, (a, (m, std))) in enumerate(zip(axes, by.items())):
        below = [[('±%.1f' if s < 9.95 else '±%.0f') % s for s in row] for row in std] if std is not None and roomy else None
        title = plain(a) if std is None or roomy else '%s (std up to %.1f)' % (plain(a), std[~above].max())
        image = heat(ax, m, names if k % columns == 0 else [''] * n, names, title, hide=above, below=below)
        ax.set_xlabel('on task ' + start)
        if k % columns == 0:
            ax.set_ylabel('after task ' + start)
    fig.colorbar(image, ax=axes, label='accuracy (%)', aspect=20 * -(-len(axes) // columns))
    fig.note(about.label(found, ''), about.seeds(found), 'means' + (', ± standard deviation over the seeds' if roomy else
             ', std: standard deviation over the seeds') * (max(map(len, found.values())) > 1), remark)


def tasks(fig, found):
    """Accuracy of each task over the sequence, one plot per approach, mean over seeds and standard deviation."""
    by, (names, remark) = metrics.matrices(found), about.places(found)
    names, start = short(names)
    n = len(names)
    shown = range(n) if n <= MANY else sorted({round(x) for x in np.linspace(0, n - 1, 10)})
    axes = fig.panels(len(by))
    for k, (ax, (a, (m, std))) in enumerate(zip(axes, by.items())):
        for i, u in enumerate(shown):
            x = np.arange(u, n) + 1
            x, place = np.append(x, n + 0.4), np.append(x - 1, n - 1)  # a line goes on at its end, so that that of the last task is one
            ax.plot(x, m[place, u], label=names[u], markevery=list(range(0, n - u, -(-n // MANY))), **style(i))
            if std is not None:
                band(ax, x, m[place, u] - std[place, u], m[place, u] + std[place, u], i)
        ax.set_xticks(np.arange(1, n + 1)[::-(-n // MANY)])
        ax.set_xlim(0.7, n + 0.5)
        ax.set_ylim(-2, 102)
        finish(ax, 'tasks learnt', 'accuracy (%)' if k % 3 == 0 else '', plain(a))
    fig.key(title='on task ' + start)
    fig.note(about.label(found, ''), about.seeds(found), about.spread('lines: means, bands: ± standard deviation over the seeds', map(
        len, found.values())), 'a line begins where its task is learnt and goes on at its final value to the right edge',
        len(shown) < n and '%d of %d tasks are shown' % (len(shown), n), remark)


def order(fig, found):
    """Accuracy on the task at each place of the sequence, just learnt and after the last task, one plot per approach."""
    by, (names, remark) = metrics.by_place(found), about.places(found)
    apart = not about.tasks(found)
    names, start = short([n.replace('place ', '') for n in names] if apart else names)
    axes = fig.panels(len(by))
    x = np.arange(1, len(names) + 1)
    for k, (ax, (a, values)) in enumerate(zip(axes, by.items())):
        for i, text in ((0, 'just learnt'), (1, 'after the last task')):
            mean, std = values[i].mean(0), values[i].std(0, ddof=1) if values.shape[1] > 1 else None
            ax.plot(x, mean, label=text, markerfacecolor=('white', None)[i], markersize=(1.6, 1)[i] * fig.look.marker, **style(i))
            if std is not None:
                band(ax, x, mean - std, mean + std, i)
        ticks(ax, names, first=1)
        ax.set_ylim(-2, 102)
        finish(ax, 'place in the sequence' if apart else 'task ' + start, 'accuracy (%)' if k % 3 == 0 else '', plain(a))
    fig.key()
    what = 'seed' if all(isinstance(s, int) for r in found.values() for s in r) else 'run'
    fig.note(about.label(found, ''), about.counted({a: len(r) for a, r in found.items()}, what),
             about.spread('lines: means, bands: ± standard deviation over the %ss' % what, map(len, found.values())),
             'each place is of several tasks' if apart else 'tasks in the order in which they were learnt',
             remark and 'the order of the tasks differs from %s to %s' % (what, what))


def curves(fig, found, runs, measure):
    """A number of every epoch, tasks one after another, a line per approach; of {approach: [values [seeds, epochs] of each task]}."""
    names, remark = about.places(found)
    tasks = max(map(len, runs.values()))
    names, start = short(names[:tasks])
    lengths = [max((values[t].shape[1] for values in runs.values() if t < len(values)), default=0) for t in range(tasks)]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    fig.size(4.6, wide=tasks > 3)
    ax = fig.subplots()
    for i, (a, each) in enumerate(runs.items()):
        for t, values in enumerate(each):
            mean, least, most, count = learning.summary(values)
            x = starts[t] + np.arange(1, len(mean) + 1)
            full = count == count.max(initial=0)
            every = max(1, len(mean) // 4)
            ax.plot(x, np.where(full, mean, np.nan), label=plain(a) if t == 0 else None, markevery=(i % every, every), **style(i))
            if not full.all():  # fewer seeds: fainter, from the last epoch that all reached
                ax.plot(x, np.where(~full | np.append(~full[1:], False), mean, np.nan), alpha=0.4, **{**style(i), 'marker': None})
            if len(values) > 1:
                band(ax, x, least, most, i)
    for edge in starts[1:-1]:
        ax.axvline(edge + 0.5, color='0.4', linewidth=0.8)
    ax.set_xlim(0.5, starts[-1] + 0.5)
    finish(ax, 'epoch, task after task', learning.MEASURES[measure])
    above = ax.secondary_xaxis('top')
    step = -(-tasks // MANY)
    crowded = max(map(len, names)) * tasks / step > fig.letters(fig.look.small, fig.get_figwidth() - 1)
    above.set_xticks([(a + b + 1) / 2 for a, b in zip(starts, starts[1:])][::step], names[::step],
                     **({'rotation': 30, 'ha': 'left'} if crowded else {}))
    above.tick_params(length=0)
    above.set_xlabel(('task ' + start) if start else '')
    fig.key(*ax.get_legend_handles_labels())
    seeds = {a: len(found[a]) for a in runs}
    text = 'lines: means, bands: least to most, both over the seeds that reached the epoch, fainter where some had ended'
    fig.note(about.label(found, ''), about.counted(seeds), about.spread(text, seeds.values()), remark)
