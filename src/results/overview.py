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
            if set(tags) <= set(record.get('tags', ())):
                out.append((path, record))
    for line in wrong:
        print('warning: %s: left out' % line, file=sys.stderr)
    if not out:
        raise UserError('no results%s in %s: run.py and run_multi.py leave them in res' % (
            ' with the tag %s' % ','.join(tags) if tags else '', ', '.join(map(str, folders))))
    return sorted(out, key=lambda item: (*(item[1]['config'][k] for k in ('experiment', 'approach')), item[1]['config'].get('seed', 0),
                                         item[0].name))


def varying(configs, everywhere):
    """The names of the settings that are not the same in some configurations: where they are there, or everywhere."""
    names = dict.fromkeys(k for c in configs for k in c if k not in ALIKE)
    return [k for k in names if len({str(c.get(k)) for c in configs if everywhere or k in c}) > 1]


def differing(configs):
    """['name=value, ...'] of configurations: what varies among those of its experiment, or of its approach on that."""
    def names(keys, everywhere):
        groups = {}
        for c in configs:
            groups.setdefault(tuple(c[k] for k in keys), []).append(c)
        return {key: varying(group, everywhere) for key, group in groups.items()}
    general, own = names(['experiment'], False), names(['experiment', 'approach'], True)
    out = []
    for c in configs:
        mine = dict.fromkeys([k for k in general[c['experiment'],] if k in c] + own[c['experiment'], c['approach']])
        out.append(', '.join('%s=%s' % (k, text(c.get(k))) for k in mine))
    return out


def text(value):
    """A setting for reading."""
    if value is None:
        return '-'
    return ','.join(map(str, value)) if isinstance(value, list) else '%g' % value if isinstance(value, float) else str(value)


def table(there):
    """A row per result of found()."""
    differ = differing([r['config'] for _, r in there])
    rows = [[r['config']['experiment'], r['config']['approach'], r['config'].get('seed'), ','.join(r.get('tags', ())), differ[i],
             100 * r['average_accuracy'], None if r['forgetting'] is None else 100 * r['forgetting'], r['status'], path.name]
            for i, (path, r) in enumerate(there)]
    return Table(['experiment', 'approach', 'seed', 'tags', 'settings that differ', 'average accuracy %', 'forgetting %', 'status', 'record'],
                 rows)
