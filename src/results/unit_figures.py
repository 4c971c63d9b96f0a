"""Drawing what masks.py and ledger.py computed of HAT's units: each function fills a matplotlib figure."""
import numpy as np

from results import ledger as books
from results import masks
from results.drawing import HATCHES, finish, heat, panels, style


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
