"""What a figure or a table has to say of the results it shows: their experiment, their tasks, how many
seeds."""
import json

from results import records


def label(found, asked=''):
    """Return the experiment of {approach: {seed: row}}, by the records, or else the name asked for."""
    names = [r['experiment'] for by in found.values() for r in by.values() if r['experiment']]
    return 'experiment ' + next(iter(names), asked)


def tasks(found):
    """Return the tasks' names, if all of {approach: {seed: row}} have them in one order, else None."""
    orders = {tuple(r['tasks']) for by in found.values() for r in by.values() if r['named']}
    return list(orders.pop()) if len(orders) == 1 else None


def places(found):
    """Return (names of the tasks, '') or, if seeds differ in their order, ('place 1' and so on, a remark)."""
    names = tasks(found)
    if names:
        return names, ''
    rows = [r for by in found.values() for r in by.values()]
    differ = len({tuple(r['tasks']) for r in rows}) > 1
    n = max(len(r['acc']) for r in rows)
    labels = ['place %d' % (t + 1) for t in range(n)]
    return labels, 'the order of the tasks differs from seed to seed' * differ


def counted(numbers, what='seed'):
    """Return '3 seeds' of {approach: 3}, or '3 seeds (sgd, hat), 1 seed (ewc)'."""
    by = {}
    for a, n in numbers.items():
        by.setdefault(n, []).append(a)
    parts = []
    for n, names in by.items():
        text = '%d %s%s' % (n, what, '' if n == 1 else 's')
        parts.append(text if len(by) == 1 else '%s (%s)' % (text, ', '.join(names)))
    return ', '.join(parts)


def seeds(found):
    """Return counted() of {approach: {seed: row}}."""
    return counted({a: len(by) for a, by in found.items()})


def spread(text, numbers):
    """Return what bars or bands mean, of the numbers of seeds, or that there are none with one seed."""
    return text if max(numbers) > 1 else 'no spread, being of one seed'


def of(found, what):
    """Return the caption of a table of {approach: {seed: row}}."""
    return '%s, %s; %s' % (what, label(found), seeds(found))


def log(logs):
    """Return experiment and seed of a log of hat-test, as far as it says so."""
    try:
        config = json.loads(logs['config'])
        return 'experiment %s, HAT, one run (seed %d)' % (records.experiment(config), config['seed'])
    except (KeyError, TypeError, ValueError):
        return 'one run of HAT'
