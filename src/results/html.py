"""One page of results, whole in itself: HTML without scripts or anything from a network, for a phone, a screen, paper, light and dark."""
import base64
import re
from html import escape

from results import ledger, measures
from results.tables import cell

WIDE = 600  # points: a figure of several panels in a row
STYLE = '''
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#f2f2f2;--line:#bbb;--mark:#0b5cad}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#161616;--soft:#242424;--line:#555;--mark:#7db8f2}
 figure img,svg.curve{filter:invert(1) hue-rotate(180deg)}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:75rem;padding:1rem;color:var(--ink);background:var(--paper);overflow-wrap:anywhere;font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.25rem;border-bottom:1px solid var(--line);margin-top:2.5rem}h3{font-size:1.05rem}
a{color:var(--mark)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;margin:.5rem 0}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;vertical-align:top}
th:first-child,td:first-child,.text td,.text th{text-align:left}
thead th{background:var(--soft)}
.text td{white-space:normal;overflow-wrap:anywhere;min-width:5.5rem}.text td:last-child{min-width:9rem}
.figures{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr))}
figure{margin:0;min-width:0;break-inside:avoid;text-align:center}figure img{max-width:100%;height:auto}
figure.whole{grid-column:1/-1}figure.whole img{min-width:44rem}
figcaption{font-size:.875rem;text-align:left}
details{border:1px solid var(--line);border-radius:.3rem;margin:.5rem 0;padding:.3rem .7rem;break-inside:avoid}
summary{cursor:pointer;overflow-wrap:anywhere}
code,pre{font-size:.8125rem;overflow-wrap:anywhere}pre{overflow-x:auto}
.note{font-size:.875rem;opacity:.8}
svg.curve{max-width:100%;height:auto}
@media print{body{max-width:none;font-size:10pt}details::details-content{content-visibility:visible;height:auto}a{color:inherit}}
'''


def page(title, parts):
    """The whole page of its parts, texts of HTML."""
    return ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, '
            'initial-scale=1">\n<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n<h1>%s</h1>\n%s\n</body>\n</html>\n' % (
                escape(title), STYLE, escape(title), '\n'.join(parts)))


def table(columns, rows, kind='', raw=()):
    """A table of texts and numbers; raw: columns, by number, whose cells are HTML already."""
    def cells(row, tag):
        return ''.join('<%s>%s</%s>' % (tag, v if i in raw and tag == 'td' else escape(cell(v)), tag) for i, v in enumerate(row))
    head = '<thead><tr>%s</tr></thead>' % cells(columns, 'th') if columns else ''
    return '<div class="wide"><table class="%s">%s<tbody>%s</tbody></table></div>' % (
        kind, head, ''.join('<tr>%s</tr>' % cells(row, 'td') for row in rows))


def best(table_, columns, out):
    """The rows of a results.tables.Table, with the best cell of some columns, {number: max or min}, in bold; out: first cells of rows
    that do not compete. Returns (rows, the columns that are HTML)."""
    rows = [list(row) for row in table_.rows]
    for k, better in columns.items():
        there = [row[k] for row in table_.rows if row[k] is not None and row[0] not in out]
        for row in rows:
            text, mine = escape(cell(row[k])), row[k] is not None and row[0] not in out
            row[k] = '<strong>%s</strong>' % text if mine and len(there) > 1 and cell(row[k]) == cell(better(there)) else text
    return rows, tuple(columns)


def figure(svg, caption):
    """A figure, bytes of SVG, with a line below; a wide one takes the whole width, and is scrolled through on a phone."""
    found = re.search(rb'width="([\d.]+)pt"', svg[:2000])
    kind = ' class="whole"' if found and float(found[1]) > WIDE else ''
    return '<figure%s><div class="wide"><img alt="%s" src="data:image/svg+xml;base64,%s"></div><figcaption>%s</figcaption></figure>' % (
        kind, escape(caption, quote=True), base64.b64encode(svg).decode(), escape(caption))


def curve(rows):
    """The validation accuracies of a run's epochs, rows of epochs.csv, as a small drawing; a line between tasks."""
    width, height, n = 600, 120, len(rows)
    xs = [round(width * (i + .5) / n, 1) for i in range(n)]
    ends = [xs[i] - width / n / 2 for i in range(1, n) if rows[i]['task'] != rows[i - 1]['task']]
    points = ' '.join('%.1f,%.1f' % (x, height - 4 - (height - 8) * row['valid_accuracy']) for x, row in zip(xs, rows))
    return ('<svg class="curve" role="img" aria-label="validation accuracy" viewBox="0 0 %d %d" width="%d" height="%d"><rect width="%d" '
            'height="%d" fill="none" stroke="#999"/>%s<polyline points="%s" fill="none" stroke="#000" stroke-width="1.5"/></svg>' % (
                width, height, width, height, width, height, ''.join(
                    '<line x1="%.1f" x2="%.1f" y1="0" y2="%d" stroke="#999" stroke-dasharray="3"/>' % (x, x, height) for x in ends), points))


def run(path, record, epochs):
    """A run: what came out, its settings with their origin, its record, ledger and epochs (rows of epochs.csv, or the reason there are
    none)."""
    config, origin, acc = record['config'], record.get('origin', {}), record['accuracy']
    seen = {*config, 'accuracy', 'loss', 'config', 'origin', 'command', 'ledger', 'tasks', 'matrix_sha256', 'seconds_per_task'}
    settings = [[k, ','.join(map(str, v)) if isinstance(v, list) else str(v), origin.get(k, '')] for k, v in config.items() if k != 'data']
    rest = [[k, ', '.join('%s %s' % item for item in v.items()) if isinstance(v, dict) else str(v)]
            for k, v in record.items() if k not in seen]
    names = record['tasks'][:len(acc)]
    parts = ['<p><code>python %s</code></p>' % escape(' '.join(record['command'])),
             table(['measure', ''], [line.rsplit(None, 1) for line in measures.lines(measures.summary(acc, record.get(
                 'before_learning'), record.get('untrained')))]),
             '<h3>Accuracy in per cent, after each task on each so far</h3>',
             table(['after'] + names, [[n] + ['%.1f' % (100 * a) for a in row[:t + 1]] + [''] * (len(acc) - t - 1)
                                       for t, (n, row) in enumerate(zip(names, acc))]),
             '<h3>Validation accuracy, epoch by epoch</h3>', '<p class="note">%s</p>' % escape(epochs) if isinstance(epochs, str) else
             curve(epochs) + '<p class="note">%d epochs; from 0 at the bottom to 100 %% at the top, a line between tasks</p>' % len(epochs)]
    if record.get('ledger'):
        layers = ['layer %d' % (i + 1) for i in range(len(record['ledger'][-1]['layers']))]
        parts += ['<h3>Ledger after the last task</h3>', '<pre>%s</pre>' % escape('\n'.join(ledger.lines(record['ledger'], layers)))]
    parts += ['<h3>Settings and where they come from</h3>', table(['setting', 'value', 'from'], settings, 'text'),
              '<h3>Record</h3>', table([], rest, 'text')]
    return '<details id="%s"><summary>%s: %s on %s, seed %s, %.1f %%, %s</summary>%s</details>' % (
        escape(path.name, quote=True), escape(path.stem), escape(config['approach']), escape(config['experiment']), config.get('seed'),
        100 * record['average_accuracy'], escape(record['status']), ''.join(parts))
