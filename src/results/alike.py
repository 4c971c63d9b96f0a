"""Whether results may stand side by side: of one experiment, and of one configuration but for the seed."""
import json
import reprlib
import sys

import utils

FREE = 'seed', 'tasks', 'logpath'  # in which the results of one approach may differ; the tasks in their order only


def experiments(found):
    """What is wrong with {approach: {seed: result}}, a list of texts: that they are of several experiments."""
    by = {}
    for r in (r for runs in found.values() for r in runs.values() if r['experiment']):
        by.setdefault(r['experiment'], []).append(r['path'].name)
    if len(by) < 2:
        return []
    return ['the results are of different experiments: %s' % '; '.join(
        '%s (%s%s)' % (e, ', '.join(names[:3]), ', ...' * (len(names) > 3)) for e, names in sorted(by.items()))]


def differences(results, free=FREE):
    """{setting: {value as text: [seeds]}} of those settings, not free ones, in which {seed: result} differ."""
    of = {s: {**r['config'], 'the tasks': sorted(r['tasks'])} for s, r in results.items() if r['config']}
    out = {}
    for key in sorted({k for config in of.values() for k in config} - set(free)):
        for seed, config in of.items():
            value = json.dumps(config[key], sort_keys=True) if key in config else 'the default'
            out.setdefault(key, {}).setdefault(value, []).append(seed)
    return {k: values for k, values in out.items() if len(values) > 1}


def warn(found, asked):
    """Warnings on stderr: of an approach whose results differ in their settings, of results that are not what their names say."""
    for a, results in found.items():
        differ = differences(results)
        if differ:
            say('the results of %s differ in more than the seed: %s' % (a, '; '.join('%s %s' % (k, ' and '.join(
                '%s (seed %s)' % (reprlib.repr(v) if len(v) > 40 else v, ','.join(map(str, s))) for v, s in values.items()))
                for k, values in differ.items())))
        for r in results.values():
            name = (r['config'] or {}).get('approach', a)
            if a != name and not a.startswith(name + '-'):
                say('%s is of %s, by its record' % (r['path'], name))
            elif r['config'] and not asked.startswith(r['config']['experiment'].replace(':', '-')):
                say('%s is of the experiment %s, by its record' % (r['path'], r['experiment']))


def say(text):
    """One line on stderr."""
    print('warning: ' + utils.visible(' '.join(text.split())), file=sys.stderr)
