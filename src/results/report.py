"""What the page of report.html shows: a part for each experiment with a table and figures, and each run."""
import base64
import dataclasses
import re
from pathlib import Path

from results import canvas, collect, epochs, ledger, measures, metrics, plots
from results.comparable import tried
from utils import UserError, visible

ORDER = 'bars', 'paired', 'ratio', 'tasks', 'matrix', 'order', 'curves'
WIDE = 600  # points: a figure of several panels in a row
SHOWN = {'accuracy', 'loss', 'config', 'origin', 'command', 'ledger', 'tasks', 'matrix_sha256',
         'seconds_per_task', 'stability_gaps'}


def page(**parts):
    """Return the page as HTML, of what report.html needs; texts are escaped, and what is not printable is
    made visible."""
    import jinja2
    page = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True,
                              undefined=jinja2.StrictUndefined, finalize=printable)
    return page.get_template('report.html').render(**parts)


def printable(value):
    """Return a text with what is not printable as escapes; anything else, such as HTML, as it is."""
    return visible(value) if type(value) is str else value


def groups(rows):
    """Return ({label: approaches}, {label: approaches of its orders}, [(label, approach)] of grids) of the
    rows, by the names that run.py, run_multi.py and work.py give their files."""
    plain, orders, grids = {}, {}, {}
    for r in rows:
        approach, seed = r['config']['approach'], r['config'].get('seed')
        found = re.fullmatch(r'(.+?)(-order\d+)?_%s(-.+)?_%s' % (re.escape(approach), seed), r['path'].stem)
        if found and r['status'] == 'finished' and r['path'].with_suffix('.txt').exists():
            label, order, grid = found.groups()
            kind = grids if grid else orders if order else plain
            kind.setdefault(label, {})[approach] = True
    return plain, orders, [(label, a) for label, approaches in grids.items() for a in approaches]


def figure(name, label, approaches, query):
    """Return {'svg' as base64 or None, 'wide', 'caption', 'reason' why there is none} of a figure."""
    wanted = dataclasses.replace(query, figure=name, experiment=label, approaches=approaches)
    try:
        svg = canvas.svg(plots.compute(wanted)[1])
    except UserError as e:
        reason = '%s: %s' % (name, e)
        return {'svg': None, 'reason': reason if len(reason) < 200 else reason[:200] + '...'}
    width = re.search(rb'width="([\d.]+)pt"', svg)
    return {'svg': base64.b64encode(svg).decode(), 'wide': float(width[1]) > WIDE,
            'caption': plots.KINDS[name].about.split(' (')[0] + ', ' + label}


def section(label, approaches, query):
    """Return the part of the page on one experiment: table and figures, or why there are none."""
    try:
        found = collect.collect(label, approaches, query.folders, None, query.tags)
    except UserError as e:
        return {'label': label, 'table': None, 'reason': str(e)}
    names = [n for n in ORDER if n not in ('paired', 'bars') or len(approaches) > 1]
    drawn = [figure(n, label, approaches, query) for n in names]
    drawn += [figure('ledger', label, [a], query) for a in approaches if a in ('hat', 'adahat')]
    return {'label': label, 'table': metrics.summary_table(found, metrics.summaries(found)), 'figures': drawn}


def run(row, query):
    """Return a row with what the page shows of it, as texts."""
    record, config, acc = row['record'], row['config'], row['record']['accuracy']
    names, origin = row['tasks'][:len(acc)], record.get('origin', {})
    matrix = []
    for t, (name, values) in enumerate(zip(names, acc)):
        shown = ['%.1f' % (100 * a) for a in values[:t + 1]]
        matrix.append([name, *shown, *[''] * (len(acc) - len(shown))])
    lines, wrong = tried(epochs.load, {'': query.logs_of(row['path']) / 'epochs.csv'})
    found = ledger.of(record)
    layers = ['layer %d' % (i + 1) for i in range(len(found[-1]['layers']) if found else 0)]
    return {**row, 'names': names, 'matrix': matrix,
            'measures': [line.rsplit(None, 1) for line in measures.lines(measures.of(record))],
            'settings': [[k, text(v), origin.get(k, '')] for k, v in config.items() if k != 'data'],
            'rest': [[k, text(v)] for k, v in record.items() if k not in {*config, *SHOWN}],
            'curve': lines.get('') and curve(lines['']), 'reason': wrong[0] if wrong else 'no epochs',
            'ledger': found and ledger.lines(found, layers)}


def text(value):
    """Return a value of a record for reading."""
    if isinstance(value, dict):
        return ', '.join('%s %s' % item for item in value.items())
    return ','.join(map(str, value)) if isinstance(value, list) else str(value)


def curve(rows):
    """Return validation accuracies, rows of epochs.csv, as points of 600 x 120, and where tasks end."""
    step = 600 / len(rows)
    points = ['%.1f,%.1f' % (step * (i + .5), 116 - 112 * r['valid_accuracy']) for i, r in enumerate(rows)]
    ends = [i for i in range(1, len(rows)) if rows[i]['task'] != rows[i - 1]['task']]
    return {'points': ' '.join(points), 'ends': ['%.1f' % (step * i) for i in ends], 'count': len(rows)}
