"""One HTML page of all results in some folders: tables, figures, and every run with its settings.

    python src/report.py res/try --output res/try.html
"""
import contextlib
import io
from pathlib import Path

import utils
from results import collect, metrics, overview, plots, records, report
from runs import checkpoint, commandline, launch, locking, parsing
from utils import ROOT, UserError


def build():
    """Return the parser."""
    parser = parsing.Parser(prog='report.py', allow_abbrev=False,
                            description='Writes one HTML page of all results in some '
                            'folders, which needs no network and no other file.')
    parser.add_argument('folders', nargs='*', default=['res'], metavar='FOLDER', help='default res')
    parser.add_argument('--experiment', metavar='E', help='only its results, named as run.py takes it, or as '
                        'the names of the results begin')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='only runs that '
                        'have these tags')
    parser.add_argument('--output', metavar='FILE', help='default <first folder>/report.html')
    return parser


def sort(approaches):
    """Return approaches by name, the floor and the ceiling last."""
    return sorted(approaches, key=lambda a: (a in metrics.BOUNDS, a))


def chosen(rows, args):
    """Return the rows of the experiment that a command line names. Raises UserError if there are none."""
    if not args.experiment:
        return rows
    label = collect.label(args.experiment)
    out = [r for r in rows if r['path'].name.startswith((label + '_', label + '-order'))]
    if not out:
        raise UserError('no results of %s in %s' % (label, ', '.join(args.folders)))
    return out


def main(argv=None):
    """Write the page; return the exit status."""
    args = build().parse_args(argv)
    folders = [ROOT / f for f in args.folders]
    output = ROOT / (args.output or Path(args.folders[0]) / 'report.html')
    if output.suffix != '.html':
        raise UserError('--output %s: expected a name that ends in .html' % args.output)
    rows = chosen(overview.rows(folders, args.tag, locking.running), args)
    records.check_writable(output)
    plain, orders, grids = report.groups(rows)
    query = plots.Query('', folders=folders, tags=args.tag, logs_of=checkpoint.folder, lenient=True)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        sections = [report.section(label, sort(approaches), query)
                    for label, approaches in sorted(plain.items())]
        others = [report.figure('orders', label, sort(approaches), query)
                  for label, approaches in sorted(orders.items())]
        others += [report.figure('surface', label, [approach], query) for label, approach in sorted(grids)]
    title = 'Results in ' + ', '.join(args.folders) + (' with the tag ' + ','.join(args.tag)) * bool(args.tag)
    text = report.page(title=title, experiments=sorted({r['config']['experiment'] for r in rows}),
                       sections=sections, others=others,
                       warnings=list(dict.fromkeys(said.getvalue().splitlines())),
                       overview=overview.table(rows).cells(),
                       runs=[report.run(r, query) for r in rows])
    with utils.replacing(output) as f:
        f.write(text)
    print('Report of %d runs at %s (%.1f MB)' % (len(rows), output, output.stat().st_size / 1e6))
    return 0


if __name__ == '__main__':
    launch.script(main, 'report.py')
