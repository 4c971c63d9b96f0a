"""Draw what masks.py and ledger.py computed of HAT's units: each function fills a page."""
import numpy as np

from results import captions, ledger as books, masks
from results.drawing import HATCHES, greys, heat, labels, plain, short, style, ticks

USED = 'a unit is used where attention is above %g' % masks.ON


def capacity(fig, logs):
    """Draw the share of each layer in use, by each task and by all so far."""
    names, start = short(masks.task_names(logs))
    axes = fig.panels(2, 'units in use (%)', height=3.4)
    for ax, values, title in zip(axes, masks.capacity(logs), ('each task', 'all tasks so far')):
        for i, name in enumerate(masks.names(logs)):
            ax.plot(values[:, i], label=plain(str(name)), **style(i))
        ticks(ax.xaxis, names)
        ax.set(title=title, xlabel='task ' + start, ylim=(-3, 103))
    fig.key()
    fig.note(captions.log(logs), USED)


def ledger(fig, results, found):
    """Draw what each task takes of every layer, means over the ledgers of some seeds, and the network's
    capacity for each, where they say it."""
    left = books.capacity(found)
    layers, (names, start, remark) = len(found[0][0]['layers']), labels(results)
    axes = fig.panels(layers + (left is not None), 'units (%)')
    for i, ax in enumerate(axes[:layers]):
        values, bottom = np.mean([books.shares(f, i) for f in found], 0), 0
        for k, name in enumerate(('reused', 'newly taken', 'taken before, not used', 'free')):
            ax.bar(range(len(values)), values[:, k], bottom=bottom, label=name, hatch=HATCHES[k],
                   edgecolor='0.3', linewidth=0.5, color=('C0', 'C1', '0.8', 'white')[k])
            bottom = bottom + values[:, k]
        ax.set(title='layer %d' % (i + 1))
    if left is not None:
        axes[layers].plot(left, **style(0))
        axes[layers].set(title='mean rate of the weights (%)')
    for ax in axes:
        ticks(ax.xaxis, names)
        ax.set(xlabel='task ' + start, ylim=(0, 103))
    fig.key()
    fig.note(captions.of(results, ', '.join(results)), 'means over the seeds', USED, remark)


def overlap(fig, logs):
    """Draw how many of a task's units each other task uses too, and how many would be by chance."""
    names, start = short(masks.task_names(logs))
    n = len(names)
    fig.size(1.9 + max(2.4, 0.55 * n), wide=n > 6)
    ax, below = fig.subplots(), None
    if n <= 8:
        below = np.tile(['(%.0f)' % c for c in masks.by_chance(logs)], (n, 1))
        np.fill_diagonal(below, '')
    image = heat(ax, masks.overlap(logs), names, names, below)
    ax.set(xlabel='this task uses too', ylabel='of the units of task ' + start)
    fig.colorbar(image, label='% of the units of the row')
    said = 'in brackets: expected by chance, the share of all units that the column uses'
    fig.note(captions.log(logs), said if n <= 8 else 'the table has what chance would give', USED)


def compression(fig, by):
    """Draw validation accuracy against the weights kept, from epoch to epoch, a line per log {name: logs}."""
    fig.size(4.4)
    ax, most = fig.subplots(), 100.
    for i, (name, logs) in enumerate(by.items()):
        kept, acc = masks.compression(logs)
        ax.plot(kept[0], acc[0], markerfacecolor='white', **style(i))
        ax.plot(kept, acc, label='%s (%d epochs)' % (plain(name), len(kept)), **style(i),
                markevery=[masks.best_epochs(logs)[0]], markersize=1.6 * fig.look.marker)
        most = max(most, kept.max())
    ax.set(xlabel='weights kept (%), from all on the left to none', ylabel='validation accuracy (%)',
           xlim=(1.03 * most, -0.03 * most))
    fig.key()
    few = masks.too_short(by)
    fig.note(', '.join(dict.fromkeys(map(captions.log, by.values()))) if len(by) < 4 else 'HAT, one run each',
             'a line goes from epoch to epoch of the first task, from the small open mark to the large one, '
             'the epoch kept', few and 'too few epochs to show compression: %s' % ', '.join(few))


def attention(fig, logs):
    """Draw the attention of each task to each unit, a panel per layer."""
    layers, (names, start) = masks.attention(logs), short(masks.task_names(logs))
    axes = fig.panels(len(layers), 'unit, sorted by the task that uses it first', 5, 4.2, share=False)
    for ax, values, name in zip(axes, layers, masks.names(logs)):
        image = ax.imshow(values, cmap=greys(), vmin=0, vmax=1, interpolation='nearest')
        ticks(ax.xaxis, names)
        ax.grid(False)
        ax.set(title='%s (%d units)' % (plain(str(name)), len(values)), xlabel='task ' + start)
        for t in range(1, len(names)):
            ax.axvline(t - 0.5, color='0.6', linewidth=0.5)
    fig.colorbar(image, ax=axes, label='attention')
    fig.note(captions.log(logs), 'at the epoch kept of each task', USED)
