"""Figures and tables of saved results.

    python src/plot_results.py --experiment cifar --approaches random,joint,sgd,hat --seeds 0-9 --output res/cifar.pdf
    python src/plot_results.py --figure bars --experiment glyphs --approaches sgd,hat --table markdown
    python src/plot_results.py --figure capacity --logs logs/mixture.pkz --output res/capacity.png
"""
from runs import commandline, launch, plots


def build():
    """The parser."""
    parser = commandline.Parser(prog='plot_results.py', allow_abbrev=False, description='Draws or prints saved results.',
                                epilog='Figures: ' + '; '.join('%s: %s' % item for item in plots.FIGURES.items()) + '.')
    parser.add_argument('--figure', choices=list(plots.FIGURES), default='ratio', help='default %(default)s; see below')
    parser.add_argument('--experiment')
    parser.add_argument('--approaches', metavar='A,...')
    parser.add_argument('--folders', nargs='+', default=['res'], metavar='DIR', help='where results are (default res)')
    parser.add_argument('--seeds', metavar='0-9', help='the seeds that must be there (default: those that are)')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='only results whose records have all of these tags')
    parser.add_argument('--against', metavar='A', help='what the others are compared with (default: the first approach but random and '
                        'joint)')
    parser.add_argument('--measure', choices=('valid_accuracy', 'valid_loss', 'train_loss', 'train_accuracy'), help='of curves (default '
                        'valid_accuracy)')
    parser.add_argument('--over', metavar='H,H', help='hyper-parameters of a surface (default: those that vary)')
    parser.add_argument('--logs', nargs='+', metavar='FILE', help='logs of hat-test')
    parser.add_argument('--output', metavar='FILE', help='file of the figure, .png or .pdf (default: a window, unless '
                        '--table is given)')
    parser.add_argument('--style', choices=('screen', 'paper'), default='screen', help='paper: sizes and letters for a page of two '
                        'columns, 3.3 or 6.9 inches wide (default %(default)s)')
    parser.add_argument('--table', choices=('csv', 'latex', 'markdown'), help='print the numbers behind the figure')
    return parser


def main(argv=None):
    """Runs a command line; returns the exit status."""
    args = build().parse_args(argv)
    from results import canvas
    output = canvas.target(args.output)
    table, draw = plots.compute(args)
    if args.table:
        print(table.text(args.table))
    if output or not args.table:
        canvas.show(draw, output, args.style)
    return 0


if __name__ == '__main__':
    launch.script(main, 'plot_results.py')
