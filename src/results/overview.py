"""All results of some folders, a line each, or some side by side: what they are of, in what they differ, what
came out."""
from results import collect, measures
from results.tables import Table
from utils import UserError, visible

ALIKE = 'experiment', 'approach', 'seed', 'data'  # settings that a line says otherwise, or not at all


def rows(folders, tags=(), running=None):
    """Return the rows of the results in some folders that have all of some tags, by experiment, approach and
    seed; running(path): what to call the status of a result whose record says that it is running.

    Warns of records that cannot be read. Raises UserError if there are none.
    """
    out = collect.rows(folders, tags)
    for r in out:
        if running and r['status'] == 'running':
            r['status'] = running(r['path'])
    if not out:
        raise UserError('no results%s in %s: run.py and run_multi.py leave them in res' % (
            ' with the tag %s' % ','.join(tags) if tags else '', ', '.join(map(str, folders))))

    def place(r):
        return r['config']['experiment'], r['config']['approach'], r['config'].get('seed', 0), r['path'].name
    return sorted(out, key=place)


def varying(configs):
    """Return the names of the settings that are not the same in all configurations, but for those that a line
    says otherwise."""
    names = dict.fromkeys(k for c in configs for k in c if k not in ALIKE)
    return [k for k in names if len({str(c.get(k)) for c in configs}) > 1]


def grouped(configs, name):
    """Return {value of a setting: configurations that have it}."""
    out = {}
    for c in configs:
        out.setdefault(c[name], []).append(c)
    return out


def differing(configs):
    """Return ['name=value, ...'] of configurations: what varies among those of the same experiment and
    approach, and of what all approaches have on that experiment, or of the scenario, what varies among
    all."""
    names = {}
    for e, mine in grouped(configs, 'experiment').items():
        groups = grouped(mine, 'approach')
        shared = set.intersection(*(set().union(*group) for group in groups.values())) - {'network'}
        general = [k for k in varying(mine) if k in shared | {'scenario'}]
        for a, group in groups.items():
            names[e, a] = dict.fromkeys(general + varying(group))
    return [', '.join(setting(c, k) for k in names[c['experiment'], c['approach']]) for c in configs]


def setting(config, name):
    """Return 'name=value' for reading."""
    value = config.get(name, 'task' if name == 'scenario' else None)
    value = '-' if value is None else value
    if isinstance(value, list):
        value = ','.join(map(str, value))
    return '%s=%s' % (name, '%g' % value if isinstance(value, float) else value)


def status(row):
    """Return a row's status, and the tasks that have diverged, if there are any."""
    diverged = ','.join(map(str, row['record'].get('diverged', ())))
    return row['status'] + (', diverged in task ' + diverged if diverged else '')


def table(found):
    """Return a row per result of rows()."""
    lines = []
    for r, differ in zip(found, differing([r['config'] for r in found])):
        measured, config = r['record'], r['config']
        names = 'average_accuracy', 'overall_accuracy', 'forgetting'
        shares = [None if measured.get(k) is None else 100 * measured[k] for k in names]
        lines.append([config['experiment'], config['approach'], config.get('seed'), ','.join(r['tags']),
                      differ, *shares, status(r), r['path'].name])
    return Table(['experiment', 'approach', 'seed', 'tags', 'settings that differ', 'average accuracy %',
                  'overall accuracy %', 'forgetting %', 'status', 'record'], lines)


def flat(row):
    """Return a row as one of plain values: where it is, what came out, then every setting."""
    record, config = row['record'], row['config']
    out = {'record': str(row['path']), **{k: config.get(k) for k in ('experiment', 'approach', 'seed')},
           'scenario': config.get('scenario', 'task'), 'tags': ' '.join(row['tags']), 'status': row['status'],
           'seconds': row['seconds']}
    names = ['overall_accuracy', *(f.__name__ for f in measures.MATRIX), 'forward_transfer', *measures.WITHIN]
    out.update({k: record[k] for k in names if k in record})
    for u, name in enumerate(row['tasks'][:len(row['acc'])]):
        out.update({'task %d' % u: name, 'accuracy on task %d' % u: float(row['acc'][-1, u])})
    for k, v in config.items():
        out.setdefault(k, ' '.join(map(str, v)) if isinstance(v, list) else v)
    return out


def plain_table(found):
    """Return the rows() of some folders as a table of a column per plain value that any of them has."""
    flats = list(map(flat, found))
    columns = list(dict.fromkeys(k for row in flats for k in row))
    return Table(columns, [[row.get(c) for c in columns] for row in flats])


def headings(results):
    """Return what the columns of {file: record} are called: by their approaches, those of one approach also
    by the settings that differ, or by their files where none does."""
    configs, out = [r['config'] for r in results.values()], []
    by = grouped(configs, 'approach')
    for c in configs:
        group = by[c['approach']]
        names = [k for k in ('experiment', 'seed') if len({g.get(k) for g in group}) > 1] + varying(group)
        out.append(', '.join([c['approach'], *(setting(c, k) for k in names)]))
    return [visible(h if out.count(h) == 1 else '%s (%s)' % (h, f)) for h, f in zip(out, results)]


def side_by_side(results):
    """Return lines of {file: record}, a column each: accuracy on every task after the last, and measures."""
    found = list(results.values())
    tasks = found[0]['tasks']
    if any(r['tasks'] != tasks for r in found):
        text = '; '.join(','.join(r['tasks']) for r in found)
        raise UserError('the results are of different tasks: %s' % text)
    lines = [('after the last task, on', headings(results))]
    for u, name in enumerate(tasks):
        lines.append((visible(name), [percent(r['accuracy'][-1][u]) for r in found]))
    for key in ('average_accuracy', 'overall_accuracy', 'forgetting'):
        lines.append((key.replace('_', ' '), [percent(r.get(key)) for r in found]))
    lines.append(('seconds', ['%.0f' % r['seconds'] for r in found]))
    first = max(len(name) for name, _ in lines)
    widths = [max(12, len(heading) + 2) for heading in lines[0][1]]
    return [name.ljust(first) + ''.join(map(str.rjust, cells, widths)) for name, cells in lines]


def percent(share):
    """Return a share in per cent, as text."""
    return '-' if share is None else '%5.1f%%' % (100 * share)
