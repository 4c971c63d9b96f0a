"""Drawing what metrics.py and masks.py computed: each function fills a matplotlib figure. Lines differ by marker and
dash and bars by hatch, so that figures can be read without colour."""
import numpy as np

from results import ledger as books
from results import masks, metrics

MARKERS, DASHES = 'os^Dv<>Xp*P', ('-', '--', '-.', ':')
HATCHES = ('', '///', '...', 'xxx', '\\\\\\', 'ooo', '+++')


def style(i):
    """Line style of the i-th series."""
    return {'marker': MARKERS[i % len(MARKERS)], 'linestyle': DASHES[i % len(DASHES)], 'markersize': 5, 'linewidth': 1.4}


def finish(ax, xlabel, ylabel, title=None, legend=True):
    """Labels, grid and legend of one plot."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    if title:
        ax.set_title(title, fontsize=10)
    if legend:
        ax.legend(fontsize=8, loc='upper left', bbox_to_anchor=(1.01, 1), borderaxespad=0)


def panels(fig, n, width=3):
    """n axes in rows of at most `width`; the figure grows with them."""
    columns = min(n, width)
    rows = -(-n // columns)
    fig.set_size_inches(1 + 3.6 * columns, 0.6 + 3.2 * rows)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.remove()
    return axes[:n]


def heat(ax, matrix, rows, columns, label, hide=None):
    """A matrix of per cents as shades with the numbers written in, in one colour scale of 0 to 100."""
    shown = np.ma.masked_array(matrix, hide)
    ax.imshow(shown, cmap='Greys', vmin=0, vmax=130, aspect='auto')
    small = 8 if max(matrix.shape) <= 8 else 6
    for (i, j), v in np.ndenumerate(matrix):
        if hide is None or not hide[i, j]:
            ax.text(j, i, '%.0f' % v if max(matrix.shape) > 8 else '%.1f' % v, ha='center', va='center', fontsize=small,
                    color='white' if v > 75 else 'black')
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha='right', fontsize=7)
    ax.set_yticks(range(len(rows)), rows, fontsize=7)
    ax.set_title(label, fontsize=10)


def confusion(fig, matrix, names):
    """Which classes are taken for which, in per cent of the images of each class."""
    there = matrix.sum(1) > 0
    side = max(4, 0.32 * len(names))
    fig.set_size_inches(side + 1.5, side)
    shares = 100 * matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    ax = fig.subplots()
    heat(ax, shares[there], [n for n, t in zip(names, there) if t], names, '% of the images of a class (row) that are told to be of another')
    ax.set_xlabel('told')
    ax.set_ylabel('class')


def sheet(fig, images, titles):
    """A contact sheet of images [H,W] or [H,W,3], uint8, with a title each."""
    columns = min(8, len(images))
    rows = -(-len(images) // columns)
    fig.set_size_inches(1.5 * columns, 1.8 * rows)
    for ax, image, title in zip(fig.subplots(rows, columns, squeeze=False).ravel(), images, titles):
        ax.imshow(image, cmap='gray', vmin=0, vmax=255)
        ax.set_title(title, fontsize=7)
    for ax in fig.axes:
        ax.set_axis_off()


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


def capacity(fig, logs):
    """Share of each layer in use, by each task and by all so far."""
    each, total = masks.capacity(logs)
    axes = panels(fig, 2)
    for ax, values, title in ((axes[0], each, 'each task'), (axes[1], total, 'all tasks so far')):
        for i, name in enumerate(masks.names(logs)):
            ax.plot(np.arange(len(values)) + 1, values[:, i], label=name, **style(i))
        ax.set_xticks(np.arange(len(values)) + 1)
        ax.set_ylim(0, 103)
        finish(ax, 'task', 'units in use (%)', title, legend=ax is axes[1])


def ledger(fig, found):
    """What each task takes of every layer, means over the ledgers of some seeds."""
    layers = len(found[0][0]['layers'])
    axes = panels(fig, layers)
    for i, ax in enumerate(axes):
        values, bottom = np.mean([books.shares(f, i) for f in found], 0), 0
        for k, name in enumerate(('reused', 'newly taken', 'taken before, not used', 'free')):
            ax.bar(np.arange(len(values)) + 1, values[:, k], bottom=bottom, label=name, hatch=HATCHES[k], edgecolor='black', linewidth=0.5,
                   color=('C0', 'C1', '0.8', 'white')[k])
            bottom = bottom + values[:, k]
        ax.set_xticks(np.arange(len(values)) + 1)
        finish(ax, 'task', 'units (%)', 'layer %d' % (i + 1), legend=i == layers - 1)


def overlap(fig, logs):
    """How many of a task's units each other task uses too."""
    names = [logs['task_name'].get(t, str(t)) for t in sorted(masks.used(logs))]
    fig.set_size_inches(2.4 + 0.7 * len(names), 1.9 + 0.6 * len(names))
    ax = fig.subplots()
    heat(ax, masks.overlap(logs), names, names, 'units of the row that\nthe column uses too (%)')


def compression(fig, by):
    """Validation accuracy against the weights kept, from epoch to epoch, a line per log {name: logs}."""
    ax = fig.subplots()
    for i, (name, logs) in enumerate(by.items()):
        kept, acc = masks.compression(logs)
        ax.plot(kept, acc, label='%s (epochs: %d)' % (name, len(kept)), markevery=[masks.best_epochs(logs)[0]], **{**style(i), 'markersize': 8})
    ax.set_xlim(max(100, ax.get_xlim()[1]), 0)
    finish(ax, 'weights kept (%); marker: the epoch kept', 'validation accuracy (%)')


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
