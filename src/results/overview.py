"""All results of some folders, a line each: what they are of, in what they differ, what came out."""
import sys

from results import records
from results.collect import listing
from results.tables import Table
from utils import UserError

ALIKE = ('experiment', 'approach', 'seed', 'data')  # of a configuration, what a line says otherwise, or not at all


def found(folders, tags=()):
    """[(path, record)] of the results in some folders that have all of some tags, by experiment, approach and seed; warns of records that
    cannot be read. Raises UserError if there are none."""
    out, wrong = [], []
    for path in listing(folders):
        if path.suffix == '.json':
            try:
                record = records.read_record(path)
            except UserError as e:
                wrong.append(str(e))
                continue
            if records.tagged(record, tags):
                out.append((path, record))
    for line in wrong:
        print('warning: %s: left out' % line, file=sys.stderr)
    if not out:
        raise UserError('no results%s in %s: run.py and run_multi.py leave them in res' % (
            ' with the tag %s' % ','.join(tags) if tags else '', ', '.join(map(str, folders))))
    return sorted(out, key=lambda item: (*(item[1]['config'][k] for k in ('experiment', 'approach')), item[1]['config'].get('seed', 0),
                                         item[0].name))


def varying(configs):
    """The names of the settings that are not the same in all of some configurations of one approach."""
    return [k for k in keys(configs) if len({str(c.get(k)) for c in configs}) > 1]


def keys(configs):
    """The names of settings in some configurations, but for those that a line says otherwise."""
    return list(dict.fromkeys(k for c in configs for k in c if k not in ALIKE))


def differing(configs):
    """['name=value, ...'] of configurations: what varies among those of the same experiment and approach, and of what all approaches have
    on that experiment, or of the scenario, what varies among all."""
    by = {}
    for c in configs:
        by.setdefault(c['experiment'], {}).setdefault(c['approach'], []).append(c)
    own = {(e, a): varying(group) for e, groups in by.items() for a, group in groups.items()}
    general = {e: [k for k in varying([c for group in groups.values() for c in group]) if k == 'scenario' or k != 'network' and all(
        k in keys(group) for group in groups.values())] for e, groups in by.items()}
    names = [dict.fromkeys(general[c['experiment']] + own[c['experiment'], c['approach']]) for c in configs]
    return [', '.join('%s=%s' % (k, text(c.get(k, 'task' if k == 'scenario' else None))) for k in mine) for c, mine in zip(configs, names)]


def text(value):
    """A setting for reading."""
    if value is None:
        return '-'
    return ','.join(map(str, value)) if isinstance(value, list) else '%g' % value if isinstance(value, float) else str(value)


def status(record):
    """A record's status, and the tasks that have diverged, if there are any."""
    return record['status'] + (', diverged in task %s' % ','.join(map(str, record['diverged'])) if record.get('diverged') else '')


def table(there):
    """A row per result of found()."""
    differ = differing([r['config'] for _, r in there])
    rows = [[r['config']['experiment'], r['config']['approach'], r['config'].get('seed'), ','.join(r.get('tags', ())), differ[i],
             100 * r['average_accuracy'], None if r['forgetting'] is None else 100 * r['forgetting'], status(r), path.name]
            for i, (path, r) in enumerate(there)]
    return Table(['experiment', 'approach', 'seed', 'tags', 'settings that differ', 'average accuracy %', 'forgetting %', 'status', 'record'],
                 rows)
