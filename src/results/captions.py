"""What a figure or a table has to say of the results it shows: their experiment, their tasks, how many
seeds."""
import json

from results import records


def label(found):
    """Return the experiment of {approach: {seed: row}}, as far as the records say it."""
    names = [r['experiment'] for by in found.values() for r in by.values() if r['experiment']]
    return 'experiment ' + next(iter(names), '')


def places(found):
    """Return (names of the tasks, '') or, if the results of {approach: {seed: row}} have them in no one
    order, ('place 1' and so on, a remark where seeds differ)."""
    rows = [r for by in found.values() for r in by.values()]
    orders = {tuple(r['tasks']) for r in rows if r['named']}
    if len(orders) == 1:
        return list(*orders), ''
    labels = ['place %d' % (t + 1) for t in range(max(len(r['acc']) for r in rows))]
    differ = len({tuple(r['tasks']) for r in rows}) > 1
    return labels, 'the order of the tasks differs from seed to seed' * differ


def counted(numbers, what='seed'):
    """Return '3 seeds' of {approach: 3}, or '3 seeds (sgd, hat), 1 seed (ewc)'."""
    by = {}
    for a, n in numbers.items():
        by.setdefault('%d %s%s' % (n, what, '' if n == 1 else 's'), []).append(a)
    if len(by) == 1:
        return next(iter(by))
    return ', '.join('%s (%s)' % (text, ', '.join(names)) for text, names in by.items())


def of(found, what, numbers=None):
    """Return the caption of a table of {approach: {seed: row}}; numbers: {approach: seeds}, if not all."""
    return '%s, %s; %s' % (what, label(found), counted(numbers or sizes(found)))


def below(found, spread, numbers=None, what='seed'):
    """Return what a figure of {approach: {seed: row}} says first; spread: what bars or bands mean, of which
    there are none with one seed."""
    numbers = numbers or sizes(found)
    spread = spread if max(numbers.values()) > 1 else 'no spread, being of one seed'
    return '%s; %s; %s' % (label(found), counted(numbers, what), spread)


def sizes(found):
    """Return {approach: number of seeds} of {approach: {seed: row}}."""
    return {a: len(by) for a, by in found.items()}


def log(logs):
    """Return experiment and seed of a log of hat-test, as far as it says so."""
    try:
        config = json.loads(logs['config'])
        return 'experiment %s, HAT, one run (seed %d)' % (records.experiment(config), config['seed'])
    except (KeyError, TypeError, ValueError):
        return 'one run of HAT'
