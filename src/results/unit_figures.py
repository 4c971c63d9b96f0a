"""Draw what masks.py and ledger.py computed of HAT's units: each function fills a page."""
import numpy as np

from results import captions, ledger as books, masks
from results.drawing import HATCHES, finish, greys, heat, plain, short, style, ticks

USED = 'a unit is used where attention is above %g' % masks.ON


def capacity(fig, logs):
    """Draw the share of each layer in use, by each task and by all so far."""
    each, total = masks.capacity(logs)
    names, start = short(masks.task_names(logs))
    axes = fig.panels(2, 2, 3.4)
    for ax, values, title in ((axes[0], each, 'each task'), (axes[1], total, 'all tasks so far')):
        for i, name in enumerate(masks.names(logs)):
            ax.plot(np.arange(len(values)) + 1, values[:, i], label=plain(str(name)), **style(i))
        ticks(ax, names, first=1)
        ax.set_ylim(-3, 103)
        finish(ax, 'task ' + start, 'units in use (%)' if ax is axes[0] else '', title)
    fig.key()
    fig.note(captions.log(logs), USED)


def ledger(fig, results, found):
    """Draw what each task takes of every layer, means over the ledgers of some seeds, and the network's
    capacity for each, where they say it."""
    left = books.capacity(found)
    layers, (names, remark) = len(found[0][0]['layers']), captions.places(results)
    names, start = short(names)
    axes = fig.panels(layers + (left is not None))
    for i, ax in enumerate(axes[:layers]):
        values, bottom = np.mean([books.shares(f, i) for f in found], 0), 0
        for k, name in enumerate(('reused', 'newly taken', 'taken before, not used', 'free')):
            color = ('C0', 'C1', '0.8', 'white')[k]
            ax.bar(np.arange(len(values)) + 1, values[:, k], bottom=bottom, label=name, hatch=HATCHES[k],
                   edgecolor='0.3', linewidth=0.5, color=color)
            bottom = bottom + values[:, k]
        ticks(ax, names, first=1)
        finish(ax, 'task ' + start, 'units (%)' if i % 3 == 0 else '', 'layer %d' % (i + 1))
    if left is not None:
        axes[layers].plot(np.arange(len(left)) + 1, left, **style(0))
        ticks(axes[layers], names, first=1)
        axes[layers].set_ylim(0, 103)
        finish(axes[layers], 'task ' + start, 'mean rate of the weights (%)', 'network capacity')
    fig.key()
    fig.note(captions.label(results, ''), ', '.join(results), 'means over ' + captions.seeds(results), USED,
             remark)


def overlap(fig, logs):
    """Draw how many of a task's units each other task uses too, and how many would be by chance."""
    names, start = short(masks.task_names(logs))
    n, chance = len(names), masks.by_chance(logs)
    fig.size(1.9 + max(2.4, 0.55 * n), wide=n > 6)
    ax = fig.subplots()
    below = np.full((n, n), '', object) + np.array(['(%.0f)' % c for c in chance], object)
    np.fill_diagonal(below, '')
    image = heat(ax, masks.overlap(logs), names, names, '', below=below if n <= 8 else None)
    finish(ax, 'task %s uses too' % start if start else 'this task uses too', 'of the units of task ' + start)
    ax.grid(False)
    fig.colorbar(image, label='% of the units of the row')
    by = ', '.join('%s %.0f' % item for item in zip(names, chance))
    said = 'expected by chance, in per cent: %s' % by if n <= 12 else 'the table has what chance would give'
    if n <= 8:
        said = 'in brackets: expected by chance, the share of all units that the column uses'
    fig.note(captions.log(logs), said, USED)


def compression(fig, by):
    """Draw validation accuracy against the weights kept, from epoch to epoch, a line per log {name: logs}."""
    fig.size(4.4)
    ax, most = fig.subplots(), 100.
    for i, (name, logs) in enumerate(by.items()):
        kept, acc = masks.compression(logs)
        line = {**style(i), 'marker': None}
        ax.plot(kept, acc, **line)
        best = masks.best_epochs(logs)[0]
        ax.plot(kept[0], acc[0], marker=style(i)['marker'], color=line['color'], markerfacecolor='white')
        label = '%s (%d epochs)' % (plain(name), len(kept))
        ax.plot(kept[best], acc[best], label=label, markersize=1.6 * fig.look.marker, **style(i))
        most = max(most, kept.max())
    room = 0.03 * most
    ax.set_xlim(most + room, -room)
    finish(ax, 'weights kept (%), from all on the left to none', 'validation accuracy (%)')
    fig.key()
    short_ones = masks.too_short(by)
    fig.note(', '.join(dict.fromkeys(map(captions.log, by.values()))) if len(by) < 4 else 'HAT, one run each',
             'a line goes from epoch to epoch of the first task, from the small open mark to the large one, '
             'the epoch kept', short_ones and 'too few epochs to show compression: %s' % ', '.join(
                 short_ones))


def attention(fig, logs):
    """Draw the attention of each task to each unit, a panel per layer."""
    layers, (names, start) = masks.attention(logs), short(masks.task_names(logs))
    axes = fig.panels(len(layers), 5, 4.2)
    for ax, values, name in zip(axes, layers, masks.names(logs)):
        image = ax.imshow(values, cmap=greys(), vmin=0, vmax=1, aspect='auto', interpolation='nearest')
        for t in range(1, len(names)):
            ax.axvline(t - 0.5, color='0.6', linewidth=0.5)
        ticks(ax, names)
        ax.set_xlabel('task ' + start)
        ax.set_title('%s (%d units)' % (plain(str(name)), len(values)))
    axes[0].set_ylabel('unit, sorted by the task that uses it first')
    fig.colorbar(image, ax=axes, label='attention')
    fig.note(captions.log(logs), 'at the epoch kept of each task', USED)
