"""Drawing what metrics.py, surfaces.py and papers.py computed, one number a run: each function fills a page."""
import numpy as np

from results import about, metrics
from results.drawing import MARKERS, finish, heat, plain, style

INTERVALS = '95 % intervals over the seeds (Student\'s t)'


def published(fig, both, paper):
    """Ours against the published means, [(results.papers.Cell, our values)], a panel per measure, with the spreads of both."""
    kinds = list(dict.fromkeys(cell.measure for cell, _ in both))
    rows = list(dict.fromkeys(cell.row for cell, _ in both))
    for ax, kind in zip(fig.panels(len(kinds), 2), kinds):
        columns = list(dict.fromkeys(cell.column for cell, _ in both if cell.measure == kind))
        ends, named = [], set()
        for cell, ours in both:
            if cell.measure == kind:
                (mean, spread), k = cell.published, columns.index(cell.column)
                mine = np.std(ours, ddof=1) if len(ours) > 1 else 0
                ax.errorbar(mean, np.mean(ours), mine, spread, marker=MARKERS[k], color='C%d' % k, linestyle='', capsize=2,
                            label=None if cell.column in named else plain(cell.column))
                named.add(cell.column)
                ax.annotate(str(1 + rows.index(cell.row)), (mean, np.mean(ours)), xytext=(4, -8), textcoords='offset points',
                            fontsize=0.8 * fig.look.small)
                ends += [mean, np.mean(ours)]
        line = [min(ends), max(ends)]
        ax.plot(line, line, color='black', linewidth=0.8, zorder=0)
        finish(ax, 'published, %s' % kind, 'ours, %s' % kind, plain(paper.title, 80))
        ax.legend(loc='upper left', bbox_to_anchor=(1.01, 1), borderaxespad=0)
    fig.note(', '.join('%d %s' % (i + 1, plain(r)) for i, r in enumerate(rows)), 'bars: %s published, standard deviation over seeds ours' % {
        'sd': 'standard deviation', 'sem': 'standard error'}[paper.spread])


def ratio(fig, found, rho):
    """Forgetting ratio against the number of tasks, {approach: [seeds, T]}."""
    fig.size(4.4)
    ax = fig.subplots()
    for i, (a, values) in enumerate(rho.items()):
        mean, half, _ = metrics.interval(values)
        x = np.arange(1, len(mean) + 1) + 0.5 / max(5, len(rho)) * (i - (len(rho) - 1) / 2)  # side by side, so that no bar hides another
        if half is not None:
            ax.errorbar(x, mean, yerr=half, fmt='none', color=style(i)['color'], alpha=0.5, elinewidth=0.6 * fig.look.line, capsize=0)
        ax.plot(x, mean, label=plain(a), **style(i))
    ax.axhline(0, color='black', linewidth=0.8)
    ax.set_xticks(np.arange(1, len(mean) + 1)[::-(-len(mean) // 12)])
    finish(ax, 'tasks learnt', r'forgetting ratio $\rho$')
    fig.key()
    numbers = {a: len(values) for a, values in rho.items()}
    above = metrics.undertrained(rho)
    fig.note(about.label(found, ''), about.counted(numbers), about.spread('bars: ' + INTERVALS, numbers.values()),
             '0: as good as joint training, -1: as bad as guessing',
             above and 'above 0, so that joint is no ceiling and perhaps undertrained: %s' % ', '.join(above))


def bars(fig, found):
    """Average accuracy and forgetting of each approach, with 95 % intervals and a mark for each seed."""
    each = metrics.summaries(found)
    kinds = [(k, label) for k, label in (('average_accuracy', 'average accuracy (%)'), ('forgetting', 'forgetting (points)'))
             if all(k in s for s in each.values())]
    fig.size(1.5 + 0.5 * len(each), wide=len(kinds) > 1)
    for n, (ax, (k, label)) in enumerate(zip(fig.subplots(1, len(kinds), squeeze=False)[0], kinds)):
        for i, s in enumerate(each.values()):
            mean, half, _ = metrics.interval(s[k])
            ax.barh(i, mean, height=0.7, color='0.85', edgecolor='0.4', linewidth=0.8)
            ax.errorbar(mean, i, xerr=half, color='black', capsize=0.6 * fig.look.marker, elinewidth=fig.look.line)
            if len(s[k]) > 1:
                ax.plot(s[k], i + np.linspace(-0.2, 0.2, len(s[k])), 'o', color='black', markerfacecolor='white',
                        markersize=0.6 * fig.look.marker, markeredgewidth=0.6)
            ax.annotate('%.1f' % mean, (max(mean + (half or 0), s[k].max(), 0), i), xytext=(4, 0), textcoords='offset points',
                        va='center', fontsize=fig.look.small)
        ax.set_yticks(range(len(each)), list(map(plain, each)) if n == 0 else [''] * len(each))
        ax.invert_yaxis()
        ax.margins(x=0.18)
        finish(ax, label, '')
    fig.note(about.label(found, ''), about.seeds(found), about.spread(
        'marks: seeds; bars: means, lines: ' + INTERVALS, map(len, found.values())))


def orders(fig, found, values):
    """Average accuracy of each approach: a mark per order of the tasks, with the standard deviation over seeds, and a line at the
    mean of all."""
    fig.size(1.6 + 0.5 * len(values))
    ax = fig.subplots()
    for i, v in enumerate(values.values()):
        at = i + np.linspace(-0.25, 0.25, len(v)) if len(v) > 1 else [i]
        ax.errorbar(v.mean(1), at, xerr=v.std(1, ddof=1) if v.shape[1] > 1 else None, fmt='o', color='black',
                    markersize=0.6 * fig.look.marker, elinewidth=0.6 * fig.look.line, capsize=0.4 * fig.look.marker)
        ax.plot([v.mean()] * 2, [i - 0.4, i + 0.4], color='0.5', zorder=0)
    ax.set_yticks(range(len(values)), list(map(plain, values)))
    ax.invert_yaxis()
    finish(ax, 'average accuracy (%)', '')
    seeds = {a: v.shape[1] for a, v in values.items()}
    fig.note(about.label(next(iter(found.values())), ''), '%d orders' % len(found), about.counted(seeds),
             'a mark: an order of the tasks, grey: mean of all', about.spread('lines: ± standard deviation over the seeds', seeds.values()))


def paired(fig, found, diff, against):
    """Differences of average accuracy from one approach, paired by seed, with 95 % intervals and p-values."""
    fig.size(1.7 + 0.55 * len(diff))
    ax = fig.subplots()
    for i, d in enumerate(diff.values()):
        ax.errorbar(d['mean'], i, xerr=d['half'], fmt=MARKERS[i % len(MARKERS)], color='black', capsize=0.6 * fig.look.marker)
    ax.axvline(0, color='black', linewidth=0.8)
    ax.set_yticks(range(len(diff)), ['%s\nn=%d%s' % (plain(a), d['n'], '' if d['p'] is None else ', p=%.2g' % d['holm']) for a, d in diff.items()])
    ax.set_ylim(len(diff) - 0.5, -0.5)
    finish(ax, 'points above %s' % plain(against), '')
    fig.note(about.label(found, ''), 'average accuracy after the last task, differences paired by seed, n seeds', 'bars: ' + INTERVALS,
             'p: paired t-test%s' % (', corrected for %d comparisons (Holm)' % len(diff) if len(diff) > 1 else ''))


def surface(fig, found):
    """Average accuracy over one or two hyper-parameters, of surfaces.surface()."""
    names, points, label = found['names'], found['points'], 'average %s accuracy (%%)' % found['which']
    runs = sorted({len(v) for v in points.values()})
    text = [about.plain('experiment %s, %s' % (found['experiment'], found['approach'])),
            '%s run%s a point' % ('-'.join(map(str, (runs[0], runs[-1])[:len(runs)])), 's' * (runs[-1] > 1))]
    if len(names) == 1:
        xs, means = [k[0] for k in points], [np.mean(v) for v in points.values()]
        ax = fig.subplots()
        ax.plot(xs, means, **style(0))
        if runs[-1] > 1:
            ax.errorbar(xs, means, [np.std(v, ddof=1) if len(v) > 1 else 0 for v in points.values()], fmt='none', color='C0', capsize=3)
        ax.set_ylim(*shades([x for v in points.values() for x in v]))
        if min(points)[0] > 0:
            ax.set_xscale('log')
        ax.set_xticks(xs, ['%g' % x for x in xs])
        ax.minorticks_off()
        finish(ax, names[0], label)
        fig.note(*text, runs[-1] > 1 and 'bars: ± standard deviation over the runs')
        return
    xs, ys = (sorted({k[i] for k in points}) for i in (0, 1))
    values = np.array([[np.mean(points.get((x, y), np.nan)) for x in xs] for y in ys])
    spreads = [[points.get((x, y), []) for x in xs] for y in ys]
    below = [['±%.1f' % np.std(v, ddof=1) if len(v) > 1 else '' for v in row] for row in spreads]
    fig.size(max(3.8, 2.2 + 0.5 * len(ys)), wide=len(xs) > 6)
    ax = fig.subplots()
    span = shades(values)
    image = heat(ax, values, ['%g' % y for y in ys], ['%g' % x for x in xs], '', below=below if len(xs) <= 8 else None, span=span)
    ax.invert_yaxis()  # the larger above
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    fig.colorbar(image, label=label)
    fig.note(*text, runs[-1] > 1 and '±: standard deviation over the runs', 'shades: %.0f to %.0f' % span)


def shades(values, least=10):
    """(lowest, highest) per cent of a colour scale for some values: whole numbers around them, at least so many points apart, so that a
    difference of one point does not look like all."""
    low, high = np.floor(np.nanmin(values)), np.ceil(np.nanmax(values))
    more = max(0, least - (high - low)) / 2
    low, high = low - np.ceil(more), high + np.ceil(more)
    low, high = (0, max(high, least)) if low < 0 else (low, high)
    return (min(low, 100 - least), 100) if high > 100 else (low, high)
