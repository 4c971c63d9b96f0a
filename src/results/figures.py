"""Drawing what metrics.py and papers.py computed of accuracies: each function fills a matplotlib figure."""
import numpy as np

from results import metrics
from results.drawing import HATCHES, MARKERS, finish, heat, panels, style


def published(fig, both, paper):
    """Ours against the published means, [(results.papers.Cell, our values)], a panel per measure, with the spreads of both."""
    kinds = list(dict.fromkeys(cell.measure for cell, _ in both))
    rows = list(dict.fromkeys(cell.row for cell, _ in both))
    for ax, kind in zip(panels(fig, len(kinds), 2), kinds):
        columns = list(dict.fromkeys(cell.column for cell, _ in both if cell.measure == kind))
        ends = []
        for cell, ours in both:
            if cell.measure == kind:
                (mean, spread), k = cell.published, columns.index(cell.column)
                mine = np.std(ours, ddof=1) if len(ours) > 1 else 0
                ax.errorbar(mean, np.mean(ours), mine, spread, marker=MARKERS[k], color='C%d' % k, markersize=5, linestyle='', capsize=2,
                            label=cell.column if cell.column not in ax.get_legend_handles_labels()[1] else None)
                ax.annotate(str(1 + rows.index(cell.row)), (mean, np.mean(ours)), xytext=(4, -8), textcoords='offset points', fontsize=6)
                ends += [mean, np.mean(ours)]
        line = [min(ends), max(ends)]
        ax.plot(line, line, color='black', linewidth=0.8, zorder=0)
        finish(ax, 'published, %s' % kind, 'ours, %s' % kind, paper.title)
    fig.supxlabel(', '.join('%d %s' % (i + 1, r) for i, r in enumerate(rows)) + '\nbars: %s published, standard deviation over seeds ours' % (
        {'sd': 'standard deviation', 'sem': 'standard error'}[paper.spread]), fontsize=7, wrap=True)


def ratio(fig, rho):
    """Forgetting ratio against the number of tasks, {approach: [seeds, T]}."""
    ax = fig.subplots()
    for i, (a, values) in enumerate(rho.items()):
        mean, half, _ = metrics.interval(values)
        x = np.arange(1, len(mean) + 1) + 0.04 * (i - (len(rho) - 1) / 2)  # side by side, so that no bar hides another
        ax.errorbar(x, mean, yerr=half, capsize=3, label=a, **style(i))
    ax.axhline(0, color='black', linewidth=0.8)
    ax.set_xticks(np.arange(1, len(mean) + 1))
    finish(ax, 'tasks learnt', r'forgetting ratio $\rho$', '0: as good as joint training; -1: as bad as guessing')


def matrix(fig, found):
    """Accuracy matrices as heat maps, one per approach, mean over seeds."""
    means = metrics.mean_matrices(found)
    for ax, (a, m) in zip(panels(fig, len(means)), means.items()):
        tasks = ['%d' % (t + 1) for t in range(len(m))]
        heat(ax, m, tasks, tasks, '%s: accuracy (%%)' % a, hide=np.triu(np.ones_like(m), 1).astype(bool))
        ax.set_xlabel('on task')
        ax.set_ylabel('after task')
        ax.tick_params(axis='x', rotation=0)


def tasks(fig, found):
    """Accuracy of each task over the sequence, one plot per approach, mean over seeds."""
    means = metrics.mean_matrices(found)
    axes = panels(fig, len(means))
    for k, (ax, (a, m)) in enumerate(zip(axes, means.items())):
        for u in range(len(m)):
            ax.plot(np.arange(u, len(m)) + 1, m[u:, u], label='task %d' % (u + 1), **style(u))
        ax.set_xticks(np.arange(len(m)) + 1)
        ax.set_ylim(0, 101)
        finish(ax, 'tasks learnt', 'accuracy (%)', a, legend=k == len(axes) - 1)


def bars(fig, found):
    """Average accuracy and forgetting of each approach, with 95 % intervals."""
    each = metrics.summaries(found)
    kinds = [(k, label) for k, label in (('average_accuracy', 'average accuracy (%)'), ('forgetting', 'forgetting (points)'))
             if all(k in s for s in each.values())]
    fig.set_size_inches(4.2 * len(kinds), 1.2 + 0.42 * len(each))
    for n, (ax, (k, label)) in enumerate(zip(fig.subplots(1, len(kinds), squeeze=False)[0], kinds)):
        for i, s in enumerate(each.values()):
            mean, half, _ = metrics.interval(s[k])
            ax.barh(i, mean, xerr=half, height=0.65, color='0.8', edgecolor='black', hatch=HATCHES[i % len(HATCHES)],
                    capsize=3)
            ax.annotate('%.1f' % mean, (max(mean + (half or 0), 0), i), xytext=(4, 0), textcoords='offset points',
                        va='center', fontsize=8)
        ax.set_yticks(range(len(each)), list(each) if n == 0 else [''] * len(each))
        ax.invert_yaxis()
        ax.margins(x=0.18)
        finish(ax, label, '', legend=False)


def orders(fig, values):
    """Average accuracy of each approach: a mark per order of the tasks, with the standard deviation over seeds, and a line at the
    mean of all."""
    fig.set_size_inches(6.5, 1.4 + 0.45 * len(values))
    ax = fig.subplots()
    for i, v in enumerate(values.values()):
        at = i + np.linspace(-0.25, 0.25, len(v)) if len(v) > 1 else [i]
        ax.errorbar(v.mean(1), at, xerr=v.std(1, ddof=1) if v.shape[1] > 1 else None, fmt='o', color='black', markersize=3,
                    elinewidth=0.7, capsize=2)
        ax.plot([v.mean()] * 2, [i - 0.4, i + 0.4], color='0.5', zorder=0)
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    first = next(iter(values.values()))
    finish(ax, 'average accuracy (%%); marks: %d orders, +- std over %d seeds' % first.shape, '', legend=False)


def paired(fig, diff, against):
    """Differences of average accuracy from one approach, paired by seed, with 95 % intervals and p-values."""
    fig.set_size_inches(6.5, 1.4 + 0.45 * len(diff))
    ax = fig.subplots()
    for i, d in enumerate(diff.values()):
        ax.errorbar(d['mean'], i, xerr=d['half'], fmt=MARKERS[i % len(MARKERS)], color='black', capsize=4)
        ax.annotate('n=%d' % d['n'] if d['p'] is None else 'p=%.2g, n=%d' % (d['p'], d['n']), (d['mean'], i),
                    xytext=(0, 7), textcoords='offset points', ha='center', fontsize=8)
    ax.axvline(0, color='black', linewidth=0.8)
    ax.set_yticks(range(len(diff)), list(diff))
    ax.set_ylim(len(diff) - 0.5, -0.7)
    finish(ax, 'average accuracy minus that of %s (points)' % against, '', legend=False)


def surface(fig, names, points, which):
    """Average accuracy over one or two hyper-parameters."""
    label = 'average %s accuracy (%%)' % which
    ax = fig.subplots()
    if len(names) == 1:
        ax.plot([k[0] for k in points], list(points.values()), **style(0))
        if min(points)[0] > 0:
            ax.set_xscale('log')
        ax.set_xticks([k[0] for k in points], ['%g' % k[0] for k in points])
        ax.minorticks_off()
        finish(ax, names[0], label, legend=False)
        return
    xs, ys = (sorted({k[i] for k in points}) for i in (0, 1))
    values = np.array([[points.get((x, y), np.nan) for x in xs] for y in ys])
    fig.set_size_inches(2.5 + 0.7 * len(xs), 2 + 0.5 * len(ys))
    image = ax.imshow(values, cmap='Greys', aspect='auto', origin='lower')
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (i, j), v in np.ndenumerate(values):
        if np.isfinite(v):
            ax.text(j, i, '%.1f' % v, ha='center', va='center', fontsize=8, color='white' if v > middle else 'black')
    ax.set_xticks(range(len(xs)), ['%g' % x for x in xs])
    ax.set_yticks(range(len(ys)), ['%g' % y for y in ys])
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    fig.colorbar(image, label=label)
