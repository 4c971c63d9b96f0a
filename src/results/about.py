"""What a figure has to say of the results it shows, as text: their experiment, their tasks, how many seeds."""
import json

from results.drawing import plain


def experiment(config):
    """The name of what a configuration is of: its experiment, and a scenario other than task."""
    scenario = config.get('scenario', 'task')
    return config['experiment'] + ('' if scenario == 'task' else ', %s-incremental' % scenario)


def label(found, asked):
    """The experiment of {approach: {seed: result}}, by the records; the name asked for where there are none."""
    return plain('experiment ' + next((r['experiment'] for by in found.values() for r in by.values() if r['experiment']), asked))


def tasks(found):
    """The tasks' names, if all of {approach: {seed: result}} have them in one order, else None: then only the places are the same."""
    orders = {tuple(r['tasks']) for by in found.values() for r in by.values() if r['named']}
    return list(orders.pop()) if len(orders) == 1 else None


def places(found):
    """(labels of the tasks as columns of a matrix, a remark): their names, or 'place 1' and so on if seeds differ in their order."""
    names = tasks(found)
    if names:
        return names, ''
    n = max(len(r['acc']) for by in found.values() for r in by.values())
    differ = len({tuple(r['tasks']) for by in found.values() for r in by.values()}) > 1
    return ['place %d' % (t + 1) for t in range(n)], 'the order of the tasks differs from seed to seed' if differ else ''


def counted(numbers, what='seed'):
    """'3 seeds' of {approach: 3}, or '3 seeds (sgd, hat), 1 seed (ewc)'."""
    by = {}
    for a, n in numbers.items():
        by.setdefault(n, []).append(a)
    texts = {n: '%d %s%s' % (n, what, '' if n == 1 else 's') for n in by}
    return ', '.join(texts[n] + ('' if len(by) == 1 else ' (%s)' % plain(', '.join(names), 200)) for n, names in by.items())


def seeds(found):
    """counted() of {approach: {seed: result}}."""
    return counted({a: len(by) for a, by in found.items()})


def spread(text, numbers):
    """What bars or bands mean, of the numbers of seeds; that there are none where all are of one seed."""
    return text if max(numbers) > 1 else 'no spread, being of one seed'


def log(logs):
    """Experiment and seed of a log of hat-test, as far as it says so."""
    try:
        config = json.loads(logs['config'])
        return plain('experiment %s, HAT, one run (seed %d)' % (experiment(config), config['seed']), 80)
    except (KeyError, TypeError, ValueError):
        return 'one run of HAT'
