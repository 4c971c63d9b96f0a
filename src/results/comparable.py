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


def wrong(found):
    """Return why the rows {approach: {seed: row}} may not stand side by side, a list of texts."""
    out = []
    for seed in {s for by in found.values() for s in by}:
        named = [by[seed] for by in found.values() if seed in by and by[seed]['named']]
        names = {','.join(r['tasks']) for r in named}
        if len(names) > 1:
            text = ' and '.join(sorted(names))
            out.append('the results of seed %s are of different tasks: %s' % (seed, text))
    sizes = {len(r['acc']) for by in found.values() for r in by.values()}
    if len(sizes) > 1:
        text = ' and '.join(map(str, sorted(sizes)))
        out.append('the results are of %s tasks, expected the same number in all' % text)
    return out + experiments(r for by in found.values() for r in by.values())


def experiments(rows):
    """Return what is wrong with rows, a list of texts: that they are of several experiments."""
    by = {}
    for r in rows:
        if r['experiment']:
            by.setdefault(r['experiment'], []).append(r['path'].name)
    if len(by) < 2:
        return []
    names = ['%s (%s%s)' % (e, ', '.join(paths[:3]), ', ...' * (len(paths) > 3))
             for e, paths in sorted(by.items())]
    return ['the results are of different experiments: %s' % '; '.join(names)]


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
            shown = {reprlib.repr(v) if len(v) > 40 else v: ','.join(map(str, seeds))
                     for v, seeds in values.items()}
            texts.append('%s %s' % (key, ' and '.join('%s (seed %s)' % item for item in shown.items())))
        if texts:
            warn('the results of %s differ in more than the seed: %s' % (a, '; '.join(texts)))
        for r in results.values():
            if r['config']:
                check_name(r, a, asked)


def check_name(row, approach, asked):
    """Warn of a row whose approach or experiment is not what the name of its file says."""
    name, experiment = row['config']['approach'], row['config']['experiment']
    if approach != name and not approach.startswith(name + '-'):
        warn('%s is of %s, by its record' % (row['path'], name))
    elif not asked.startswith(experiment.replace(':', '-')):
        warn('%s is of the experiment %s, by its record' % (row['path'], row['experiment']))
