"""Whether results may stand side by side: of one experiment and the same tasks, and of one configuration but
for the seed."""
import json
import reprlib
import sys

import utils

FREE = 'seed', 'tasks', 'logpath'  # in which results of one approach may differ; tasks in their order only


def warn(text):
    """Print a warning, one line on stderr."""
    print('warning: ' + utils.visible(' '.join(text.split())), file=sys.stderr)


def tried(read, items):
    """Return ({key: read(value)} of {key: value}, the messages of the UserErrors of the others)."""
    out, wrong = {}, []
    for key, value in items.items():
        try:
            out[key] = read(value)
        except utils.UserError as e:
            wrong.append(str(e))
    return out, wrong


def wrong(found):
    """Return why the rows {approach: {seed: row}} may not stand side by side, a list of texts."""
    out, everything = [], [(seed, r) for by in found.values() for seed, r in by.items()]
    for seed in {seed for seed, _ in everything}:
        names = {','.join(r['tasks']) for s, r in everything if s == seed and r['named']}
        if len(names) > 1:
            text = ' and '.join(sorted(names))
            out.append('the results of seed %s are of different tasks: %s' % (seed, text))
    sizes = {len(r['acc']) for _, r in everything}
    if len(sizes) > 1:
        text = ' and '.join(map(str, sorted(sizes)))
        out.append('the results are of %s tasks, expected the same number in all' % text)
    return out + experiments(r for _, r in everything)


def experiments(rows):
    """Return what is wrong with rows, a list of texts: that they are of several experiments."""
    by = {}
    for r in rows:
        if r['experiment']:
            by.setdefault(r['experiment'], []).append(r['path'].name)
    names = ['%s (%s)' % (e, some(paths)) for e, paths in sorted(by.items())]
    return ['the results are of different experiments: %s' % '; '.join(names)] * (len(by) > 1)


def some(names):
    """Return the first three of some names, as text."""
    return ', '.join([*names[:3], *['...'] * (len(names) > 3)])


def differences(results, free=FREE):
    """Return {setting: {value as text: [seeds]}} of the settings, not free ones, in which rows differ."""
    configs = {s: {**r['config'], 'the tasks': sorted(r['tasks'])} for s, r in results.items() if r['config']}
    out = {}
    for key in sorted({k for config in configs.values() for k in config} - set(free)):
        values = {}
        for seed, config in configs.items():
            value = json.dumps(config[key], sort_keys=True) if key in config else 'the default'
            values.setdefault(value, []).append(seed)
        if len(values) > 1:
            out[key] = values
    return out


def check(found, asked):
    """Warn of results that differ in their settings, and of those that are not what their names say."""
    for a, results in found.items():
        texts = []
        for key, values in differences(results).items():
            shown = ['%s (seed %s)' % (reprlib.repr(v) if len(v) > 40 else v, ','.join(map(str, seeds)))
                     for v, seeds in values.items()]
            texts.append('%s %s' % (key, ' and '.join(shown)))
        if texts:
            warn('the results of %s differ in more than the seed: %s' % (a, '; '.join(texts)))
        for r in results.values():
            config = r['config'] or {'approach': a, 'experiment': asked}
            if a != config['approach'] and not a.startswith(config['approach'] + '-'):
                warn('%s is of %s, by its record' % (r['path'], config['approach']))
            elif not asked.startswith(config['experiment'].replace(':', '-')):
                warn('%s is of the experiment %s, by its record' % (r['path'], r['experiment']))
