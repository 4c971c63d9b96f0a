"""Figures and tables of saved results.

    python src/plot_results.py --experiment cifar --approaches random,joint,sgd,hat --output res/cifar.pdf
    python src/plot_results.py --figure bars --experiment glyphs --approaches hat --table latex --spread std
    python src/plot_results.py --figure capacity --logs logs/mixture.pkz --output res/capacity.png
"""
from utils import ROOT  # first: it says which packages are missing
from results import plots
from runs import checkpoint, commandline, launch, parsing


def build():
    """Return the parser."""
    figures = '; '.join('%s: %s' % (name, kind.about) for name, kind in plots.KINDS.items())
    parser = parsing.Parser(prog='plot_results.py', allow_abbrev=False, epilog='Figures: %s.' % figures,
                            description='Draws or prints saved results.')
    parser.add_argument('--figure', choices=list(plots.KINDS), default='ratio',
                        help='default %(default)s; see below')
    launch.add_results(parser)
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...',
                        help='only results whose records have all of these tags')
    parser.add_argument('--against', metavar='A',
                        help='compare the others with this one (default: the first but random and joint)')
    parser.add_argument('--measure', choices=('valid_accuracy', 'valid_loss', 'train_loss', 'train_accuracy'),
                        help='of curves (default valid_accuracy)')
    parser.add_argument('--over', type=launch.listed, metavar='H,H',
                        help='hyper-parameters of a surface (default: those that vary)')
    parser.add_argument('--logs', nargs='+', default=[], metavar='FILE', help='logs of hat-test')
    parser.add_argument('--output', metavar='FILE', help='file of the figure, .png or .pdf (default: a '
                        'window, unless --table is given)')
    parser.add_argument('--style', choices=('screen', 'paper'), default='screen', help='paper: sizes and '
                        'letters for a page of two columns, 3.3 or 6.9 inches wide (default %(default)s)')
    parser.add_argument('--table', choices=('csv', 'latex', 'markdown'), help='print the numbers behind the '
                        'figure')
    parser.add_argument('--spread', choices=('std', 'ci'), default='ci', help='what to print after the means '
                        'of --table latex and markdown: std, the standard deviation over the seeds; ci, half '
                        'of the 95 %% interval (default %(default)s)')
    return parser


def main(argv=None):
    """Carry out a command line and return the exit status."""
    args = build().parse_args(argv)
    from results import canvas
    output = canvas.target(args.output)
    folders = [ROOT / d for d in args.folders]
    table, draw = plots.compute(plots.Query(
        args.figure, args.experiment, args.approaches, folders, args.seeds, args.tag, args.against,
        args.measure, args.over, args.logs, checkpoint.folder))
    if args.table:
        print(table.text(args.table, args.spread))
    if output or not args.table:
        canvas.show(draw, output, args.style)
    return 0


if __name__ == '__main__':
    launch.script(main, 'plot_results.py')
