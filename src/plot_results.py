"""Figures and tables of saved results.

    python src/plot_results.py --experiment cifar --approaches random,joint,sgd,hat --seeds 0-9 --output res/cifar.pdf
    python src/plot_results.py --figure bars --experiment glyphs --approaches sgd,hat --table markdown
    python src/plot_results.py --figure capacity --logs logs/mixture.pkz --output res/capacity.png
"""
from pathlib import Path

from runs import launch, options
from utils import ROOT, UserError

FIGURES = {
    'ratio': 'forgetting ratio against tasks (the original\'s figure); needs random and joint',
    'matrix': 'accuracy matrices', 'tasks': 'accuracy of each task over the sequence',
    'bars': 'average accuracy and forgetting', 'paired': 'differences from one approach, paired by seed (--against)',
    'orders': 'spread over orders of the tasks beside that over seeds (of run_multi.py --orders)',
    'ledger': 'what each task takes of every layer, reuses and leaves (one approach: hat)',
    'surface': 'accuracy over the hyper-parameters of a grid by work.py (one approach; --over)',
    'capacity': 'share of the layers that tasks use (--logs, one)',
    'overlap': 'overlap of the tasks\' masks (--logs, one)',
    'compression': 'weights kept against accuracy (--logs, one or more)',
}


def build():
    """The parser."""
    parser = options.Parser(prog='plot_results.py', allow_abbrev=False, description='Draws or prints saved results.',
                            epilog='Figures: ' + '; '.join('%s: %s' % item for item in FIGURES.items()) + '.')
    parser.add_argument('--figure', choices=list(FIGURES), default='ratio', help='default %(default)s; see below')
    parser.add_argument('--experiment')
    parser.add_argument('--approaches', metavar='A,...')
    parser.add_argument('--folders', nargs='+', default=['res'], metavar='DIR', help='where results are (default res)')
    parser.add_argument('--seeds', metavar='0-9', help='the seeds that must be there (default: those that are)')
    parser.add_argument('--against', metavar='A', help='what the others are compared with (default: the first approach)')
    parser.add_argument('--over', metavar='H,H', help='hyper-parameters of a surface (default: those that vary)')
    parser.add_argument('--logs', nargs='+', metavar='FILE', help='logs of hat-test')
    parser.add_argument('--output', metavar='FILE', help='file of the figure, .png or .pdf (default: a window, unless '
                        '--table is given)')
    parser.add_argument('--table', choices=('csv', 'latex', 'markdown'), help='print the numbers behind the figure')
    return parser


def compute(args):
    """(table, draw) of what the options ask for; draw fills a matplotlib figure. Raises UserError."""
    from results import collect, figures, ledger, masks, metrics, unit_figures
    from results.tables import Table
    if args.figure in ('capacity', 'overlap', 'compression'):
        logs = load_logs(args)
        what = logs if args.figure == 'compression' else next(iter(logs.values()))

        def tried(function, *values):
            try:
                return function(*values)
            except UserError:
                raise
            except Exception as e:  # anything may be in a stranger's log
                raise UserError('%s is not a log as hat-test writes it (%s)' % (' or '.join(args.logs), type(e).__name__))

        def draw(fig):
            getattr(unit_figures, args.figure)(fig, what)
            fig.draw_without_rendering()  # which lays out the names, whatever they are
        return tried(getattr(masks, args.figure + '_table'), what), lambda fig: tried(draw, fig)

    if not args.experiment or not args.approaches:
        raise UserError('--figure %s needs --experiment and --approaches' % args.figure)
    approaches, folders = list(dict.fromkeys(args.approaches.split(','))), [ROOT / d for d in args.folders]
    if args.figure in ('surface', 'ledger') and len(approaches) > 1:
        raise UserError('--figure %s takes one approach' % args.figure)
    if args.figure == 'surface':
        names, points, which = collect.surface(args.experiment, approaches[0], folders,
                                               args.over.split(',') if args.over else None)
        return (Table([*names, 'average %s accuracy %%' % which], [[*map(float, k), v] for k, v in points.items()]),
                lambda fig: figures.surface(fig, names, points, which))

    seeds = launch.seeds(args.seeds) if args.seeds else None
    if args.figure == 'ledger':
        found = collect.ledgers(args.experiment, approaches[0], folders, seeds)
        return ledger.table(found), lambda fig: unit_figures.ledger(fig, found)
    if args.figure == 'orders':
        values = metrics.over_orders(collect.orders(args.experiment, approaches, folders, seeds))
        return metrics.order_table(values), lambda fig: figures.orders(fig, values)
    found = collect.collect(args.experiment, approaches, folders, seeds)
    if args.figure == 'ratio':
        rho = metrics.ratios(found)
        return metrics.ratio_table(rho), lambda fig: figures.ratio(fig, rho)
    if args.figure == 'paired':
        against = args.against or approaches[0]
        diff = metrics.differences(found, against)
        return metrics.difference_table(diff, against), lambda fig: figures.paired(fig, diff, against)
    table = metrics.summary_table if args.figure == 'bars' else metrics.matrix_table
    return table(found), lambda fig: getattr(figures, args.figure)(fig, found)


def load_logs(args):
    """{name: log} of --logs, named by their files. Raises UserError naming all that cannot be read."""
    from results import unpickler
    if not args.logs or (len(args.logs) > 1 and args.figure != 'compression'):
        raise UserError('--figure %s needs --logs with %s' % (
            args.figure, 'one or more files' if args.figure == 'compression' else 'one file'))
    out, wrong = {}, []
    for f in args.logs:
        try:
            out[Path(f).stem] = unpickler.load_log(ROOT / f)
        except UserError as e:
            wrong.append(str(e))
    if wrong:
        raise UserError('; '.join(wrong))
    return out


def main(argv=None):
    """Runs a command line; returns the exit status."""
    args = build().parse_args(argv)
    from results import canvas
    output = canvas.target(args.output)
    table, draw = compute(args)
    if args.table:
        print(table.text(args.table))
    if output or not args.table:
        canvas.show(draw, output)
    return 0


if __name__ == '__main__':
    launch.script(main, 'plot_results.py')
