"""Draw what metrics.py, surfaces.py and papers.py computed, one number a run: each function fills a page."""
import numpy as np

from results import captions, metrics
from results.drawing import heat, label_points, plain, style
from results.papers import SPREADS, deviation
from results.tables import Mean, interval

INTERVALS = '95 % intervals over the seeds (Student\'s t)'


def published(fig, both, paper):
    """Draw ours against the published means, [(papers.Cell, our values)], a panel per column."""
    kinds = list(dict.fromkeys((cell.column, cell.measure) for cell, _ in both))
    rows = list(dict.fromkeys(cell.row for cell, _ in both))
    axes, labels = fig.panels(len(kinds), 'ours', 3, 3.9, share=False), []
    for ax, kind in zip(axes, kinds):
        mine = [(cell, ours) for cell, ours in both if (cell.column, cell.measure) == kind]
        points = [(cell.published[0], np.mean(ours)) for cell, ours in mine]
        stds = [(cell.published[1] or 0, deviation(ours) or 0) for cell, ours in mine]
        ax.errorbar(*zip(*points), *zip(*[s[::-1] for s in stds]), fmt='o', alpha=0.7)
        ax.axline(points[0][:1] * 2, slope=1, color='black', linewidth=0.8, zorder=0)
        ax.margins(0.1)
        ax.set(title=plain(kind[0]), xlabel='published, ' + kind[1])
        labels.append((ax, points, [str(1 + rows.index(cell.row)) for cell, _ in mine]))
    fig.suptitle(plain(paper.title, 80))
    fig.note(', '.join('%d %s' % (i + 1, r) for i, r in enumerate(rows)),
             'bars: %s published, standard deviation over seeds ours' % SPREADS[paper.spread])
    fig.draw_without_rendering()  # which lays the plots out
    for ax, points, texts in labels:
        label_points(ax, points, texts, fig.look.small)


def ratio(fig, found, rho):
    """Draw the forgetting ratio against the number of tasks, {approach: [seeds, T]}."""
    fig.size(4.4)
    ax = fig.subplots()
    for i, (a, values) in enumerate(rho.items()):
        mean, half, _ = interval(values)
        beside = 0.5 / max(5, len(rho)) * (i - (len(rho) - 1) / 2)  # so that no bar hides another
        x = np.arange(1, len(mean) + 1) + beside
        ax.errorbar(x, mean, half, label=plain(a), elinewidth=fig.look.line / 2, capsize=0, **style(i))
    ax.axhline(0, color='black', linewidth=0.8)
    ax.set(xlabel='tasks learnt', ylabel=r'forgetting ratio $\rho$',
           xticks=np.arange(1, len(mean) + 1)[::-(-len(mean) // 12)])
    fig.key()
    above = metrics.undertrained(rho)
    fig.note(captions.below(found, 'bars: ' + INTERVALS, captions.sizes(rho)),
             '0: as good as joint training, -1: as bad as guessing',
             above and 'above 0, so that joint is no ceiling and perhaps undertrained: %s' % ', '.join(above))


def rows(ax, names):
    """Name the rows of a plot, the first above."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)


def bars(fig, found, each):
    """Draw average accuracy and forgetting of each approach, with 95 % intervals and a mark for each seed."""
    labels = {'average_accuracy': 'average accuracy (%)', 'forgetting': 'forgetting (percentage points)'}
    kinds = [k for k in labels if all(k in s for s in each.values())]
    fig.size(1.5 + 0.5 * len(each), wide=len(kinds) > 1)
    for ax, k in zip(fig.subplots(1, len(kinds), squeeze=False, sharey=True)[0], kinds):
        means = [Mean.of(s[k]) for s in each.values()]
        drawn = ax.barh(range(len(each)), [m.mean for m in means], height=0.7, color='0.85', edgecolor='0.4',
                        xerr=[m.ci or 0 for m in means])
        ax.bar_label(drawn, fmt='%.1f', padding=4, fontsize=fig.look.small)
        for i, s in enumerate(each.values()):
            ax.plot(s[k], i + np.linspace(-0.2, 0.2, len(s[k])), 'o', color='black', markerfacecolor='white',
                    markersize=0.6 * fig.look.marker)
        ax.margins(x=0.18)
        ax.set_xlabel(labels[k])
        rows(ax, list(map(plain, each)))
    fig.note(captions.below(found, 'marks: seeds; bars: means, lines: ' + INTERVALS))


def orders(fig, found, values):
    """Draw the average accuracy of each approach: a mark per order of the tasks, with the standard deviation
    over seeds, and a line at the mean of all."""
    fig.size(1.6 + 0.5 * len(values))
    ax = fig.subplots()
    for i, v in enumerate(values.values()):
        at = i + np.linspace(-0.25, 0.25, len(v)) if len(v) > 1 else [i]
        ax.errorbar(v.mean(1), at, xerr=v.std(1, ddof=1) if v.shape[1] > 1 else None, fmt='o', color='black',
                    markersize=0.6 * fig.look.marker)
        ax.plot([v.mean()] * 2, [i - 0.4, i + 0.4], color='0.5', zorder=0)
    rows(ax, list(map(plain, values)))
    ax.set_xlabel('average accuracy (%)')
    fig.note('%d orders' % len(found),
             captions.below(next(iter(found.values())), 'lines: ± standard deviation over the seeds',
                            {a: v.shape[1] for a, v in values.items()}),
             'a mark: an order of the tasks, grey: mean of all')


def paired(fig, found, diff):
    """Draw differences of average accuracy from one approach, paired by seed, with 95 % intervals."""
    fig.size(1.7 + 0.55 * len(diff))
    ax, means = fig.subplots(), [d['mean'] for d in diff.values()]
    ax.errorbar([m.mean for m in means], range(len(diff)), xerr=[m.ci for m in means], fmt='o', color='black')
    names = ['%s\nn=%d%s' % (plain(a), d['n'], '' if d['p'] is None else ', p=%.2g' % d['holm'])
             for a, d in diff.items()]
    against = next(iter(diff.values()))['against']
    ax.axvline(0, color='black', linewidth=0.8)
    ax.set_xlabel('percentage points above %s' % plain(against))
    rows(ax, names)
    corrected = ', corrected for %d comparisons (Holm)' % len(diff) if len(diff) > 1 else ''
    fig.note(captions.label(found),
             'average accuracy after the last task, differences paired by seed, n seeds',
             'bars: ' + INTERVALS, 'p: paired t-test' + corrected)


def surface(fig, runs, found):
    """Draw average accuracy over one or two hyper-parameters, of surfaces.points()."""
    points, label = found['points'], 'average %s accuracy (%%)' % found['which']
    counts = {len(v) for v in points.values()}
    if len(found['names']) == 1:
        line(fig.subplots(), found['names'][0], points, label)
    else:
        plane(fig, found['names'], points, label)
    fig.note('experiment %s, %s' % (found['experiment'], found['approach']),
             '%s runs a point' % '-'.join(map(str, sorted({min(counts), max(counts)}))),
             max(counts) > 1 and '±: standard deviation over the runs')


def line(ax, name, points, label):
    """Draw {(value,): accuracies of the runs} of one hyper-parameter as a line."""
    xs, means = [k[0] for k in points], [np.mean(v) for v in points.values()]
    stds = [np.std(v, ddof=1) if len(v) > 1 else 0 for v in points.values()]
    ax.errorbar(xs, means, stds, **style(0))
    ax.set(xlabel=name, ylabel=label, ylim=shades(np.concatenate(list(points.values()))),
           xscale='log' if min(xs) > 0 else 'linear')
    ax.set_xticks(xs, ['%g' % x for x in xs])
    ax.minorticks_off()


def plane(fig, names, points, label):
    """Draw {(value, value): accuracies of the runs} of two hyper-parameters as shades."""
    xs, ys = (sorted({k[i] for k in points}) for i in (0, 1))
    values, below = np.full((len(ys), len(xs)), np.nan), np.full((len(ys), len(xs)), '', object)
    for (x, y), v in points.items():
        at = ys.index(y), xs.index(x)
        values[at] = np.mean(v)
        below[at] = '±%.1f' % np.std(v, ddof=1) if len(v) > 1 else ''
    fig.size(max(3.8, 2.2 + 0.5 * len(ys)), wide=len(xs) > 6)
    ax = fig.subplots()
    image = heat(ax, values, ['%g' % y for y in ys], ['%g' % x for x in xs], below, shades(values))
    ax.invert_yaxis()  # the larger above
    ax.set(xlabel=names[0], ylabel=names[1])
    fig.colorbar(image, label=label)


def shades(values, least=10):
    """Return (lowest, highest) per cent of a colour scale for some values.

    Whole numbers around them, at least so many points apart, so that a difference of one point does not look
    like all.
    """
    low, high = np.floor(np.nanmin(values)), np.ceil(np.nanmax(values))
    more = np.ceil(max(0, least - (high - low)) / 2)
    low, high = low - more, high + more
    if low < 0:
        return 0, min(100, max(high, least))
    return (min(low, 100 - least), 100) if high > 100 else (low, high)
