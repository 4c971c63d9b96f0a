"""One HTML page of all results in some folders: tables, figures, and every run with its settings.

    python src/report.py res/try --output res/try.html
"""
import contextlib
import io
import re
from argparse import Namespace
from html import escape
from pathlib import Path

import utils
from results import canvas, collect, epochs, html, metrics, overview, records
from runs import checkpoint, commandline, launch, plots
from utils import ROOT, UserError

ORDER = 'bars', 'paired', 'ratio', 'tasks', 'matrix', 'order', 'curves'
NO_CONTEST = 'random', 'joint'  # the floor and the ceiling: never the best


def build():
    """The parser."""
    parser = commandline.Parser(prog='report.py', allow_abbrev=False, description='Writes one HTML page of all results in some folders, '
                                'which needs no network and no other file.')
    parser.add_argument('folders', nargs='*', default=['res'], metavar='FOLDER', help='default res')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='only runs that have these tags')
    parser.add_argument('--output', metavar='FILE', help='default <first folder>/report.html')
    return parser


def groups(there):
    """({label: approaches}, {label: approaches of its orders}, [(label, approach)] of grids) of the results, by the names that run.py,
    run_multi.py and work.py give them."""
    plain, orders, grids = {}, {}, {}
    for path, record in there:
        approach, seed = record['config']['approach'], record['config'].get('seed')
        found = re.fullmatch(r'(.+?)(-order\d+)?_%s(-.+)?_%s' % (re.escape(approach), seed), path.stem)
        if found and record['status'] == 'finished' and path.with_suffix('.txt').exists():
            label, order, grid = found.groups()
            if grid:
                grids[label, approach] = True
            else:
                (orders if order else plain).setdefault(label, {})[approach] = True
    return plain, orders, list(grids)


def sort(approaches):
    """Approaches by name, the floor and the ceiling last."""
    return sorted(approaches, key=lambda a: (a in NO_CONTEST, a))


def draw(figure, label, approaches, args):
    """(HTML of a figure, or '', why it is not there) of the results of some approaches."""
    wanted = Namespace(figure=figure, experiment=label, approaches=','.join(approaches), folders=args.folders, seeds=None, tag=args.tag,
                       against=None, measure=None, over=None, logs=None, lenient=True)
    try:
        return html.figure(canvas.svg(plots.compute(wanted)[1]), plots.FIGURES[figure].split(' (')[0] + ', ' + label), ''
    except UserError as e:
        return '', '%s: %s' % (figure, e)


def section(label, approaches, args):
    """The part of the page on one experiment."""
    approaches = sort(approaches)
    parts = ['<h2 id="%s">%s</h2>' % (escape(label, quote=True), escape(label))]
    try:
        table = metrics.summary_table(collect.collect(label, approaches, [ROOT / f for f in args.folders], None, args.tag))
        rows, raw = html.best(table, {2: max, 4: min}, NO_CONTEST)
        parts += [html.table(table.columns, rows, raw=raw), '<p class="note">+-: 95 % intervals over the seeds (Student\'s t). Bold: the '
                  'best, random and joint apart.</p>']
    except UserError as e:
        return parts + ['<p class="note">%s</p>' % escape(str(e))]
    tried = [draw(figure, label, approaches, args) for figure in ORDER if figure not in ('paired', 'bars') or len(approaches) > 1]
    tried += [draw('ledger', label, [a], args) for a in approaches if a == 'hat']
    return parts + figures(tried)


def figures(tried):
    """The figures that there are, and why others are not."""
    return ['<div class="figures">%s</div>' % ''.join(text for text, _ in tried), *(
        '<p class="note">Not drawn: %s</p>' % escape(why if len(why) < 200 else why[:200] + '...') for text, why in tried if not text)]


def epochs_of(path):
    """The lines of a run's epochs.csv, or why there are none."""
    try:
        return epochs.load(checkpoint.folder(path.with_suffix('.txt')) / 'epochs.csv') or 'no epochs'
    except UserError as e:
        return str(e)


def main(argv=None):
    """Writes the page; returns the exit status."""
    args = build().parse_args(argv)
    folders = [ROOT / f for f in args.folders]
    output = ROOT / (args.output or Path(args.folders[0]) / 'report.html')
    if output.suffix != '.html':
        raise UserError('--output %s: expected a name that ends in .html' % args.output)
    there = overview.found(folders, args.tag)
    records.check_writable(output)
    plain, orders, grids = groups(there)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        parts = [text for label, approaches in sorted(plain.items()) for text in section(label, approaches, args)]
        others = [draw('orders', label, sort(approaches), args) for label, approaches in sorted(orders.items())]
        others += [draw('surface', label, [approach], args) for label, approach in sorted(grids)]
    table = overview.table(there)
    links = [[*row[:-1], '<a href="#%s">%s</a>' % ((escape(row[-1], quote=True),) * 2)] for row in table.rows]
    title = 'Results in %s' % ', '.join(args.folders) + (' with the tag %s' % ','.join(args.tag) if args.tag else '')
    experiments = sorted({r['config']['experiment'] for _, r in there})
    head = ['<p>%d runs of %s. <a href="#runs">All runs</a></p>' % (len(there), escape(', '.join(experiments)))]
    head += ['<p class="note">%s</p>' % escape(line) for line in dict.fromkeys(said.getvalue().splitlines())]
    last = ['<h2>Orders and grids</h2>', *figures(others)] if others else []
    runs = ['<h2 id="runs">All runs</h2>', html.table(table.columns, links, 'text', raw=(len(table.columns) - 1,))]
    runs += [html.run(path, record, epochs_of(path)) for path, record in there]
    with utils.replacing(output) as f:
        f.write(html.page(title, [*head, *parts, *last, *runs]))
    print('Report of %d runs at %s (%.1f MB)' % (len(there), output, output.stat().st_size / 1e6))
    return 0


if __name__ == '__main__':
    launch.script(main, 'report.py')
