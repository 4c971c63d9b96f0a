"""Published tables beside ours: plans the runs, carries them out, says of every cell if it is reproduced.

    python src/paper.py hsu2018
    python src/paper.py hsu2018 --execute --seeds 0-9 --nproc 2
"""
from runs import launch, parsing, plan
from utils import ROOT, UserError


def build():
    """The parser."""
    from results import papers
    parser = parsing.Parser(prog='paper.py', allow_abbrev=False,
                            description='Compares a published table with results of ours, cell by '
                            'cell; exit status 1 if a cell that was run misses.',
                            epilog='A cell passes if the means differ by at most 3 '
                            'standard errors of both together, or by 2 points (or what the table says).')
    parser.add_argument('table', metavar='TABLE',
                        help='%s; or a .json file like these of src/papers' % ', '.join(papers.names()))
    parser.add_argument('--seeds', metavar='0-9', help="default: those of the table's file")
    parser.add_argument('--rows', metavar='R,...', help='only these, by name')
    parser.add_argument('--columns', metavar='C,...', help='only these, by name')
    parser.add_argument('--data-dir', default='dat', metavar='DIR', help='default %(default)s')
    parser.add_argument('--table', dest='kind', choices=('markdown', 'csv', 'latex'), default='markdown',
                        help='default %(default)s')
    parser.add_argument('--wide', action='store_true', help='a row per method, as the papers have it')
    parser.add_argument('--res_folder', '--res-folder', metavar='DIR', help='folder of the results (default '
                        'res/papers/<table>)')
    parser.add_argument('--output', metavar='FILE', help='figure of ours against the published, .png or .pdf')
    parser.add_argument('--keep', action='store_true', help='pack the finished results into '
                        'res/papers/<table>.tar.xz, from which they are taken where they are missing')
    launch.add_options(parser)
    return parser


def chosen(cells, args):
    """The cells of the rows and columns asked for. Raises UserError for one that is not there."""
    for kind, text in (('row', args.rows), ('column', args.columns)):
        there = list(dict.fromkeys(getattr(c, kind) for c in cells))
        wanted = text.split(',') if text else there
        for w in wanted:
            if w not in there:
                raise UserError('--%ss: there is no %r; there are: %s' % (kind, w, ', '.join(there)))
        cells = [c for c in cells if getattr(c, kind) in wanted]
    return cells


def lacking(cells, data_dir):
    """{index of a cell: why it cannot be run} where data are missing that have no public download."""
    from dataloaders import raw
    out = {}
    for i, cell in enumerate(cells):
        gone = [name for name in cell.data if not raw.obtainable(name, ROOT / data_dir)]
        if gone:
            out[i] = 'no data: ' + ', '.join(gone)
    return out


def planned(cells, seeds, without, args):
    """The runs of cells, each once, with the seeds of each; without: the indices of those without data."""
    wanted = {}
    for i, cell in enumerate(cells):
        for seed in seeds[i] if i not in without else ():
            wanted['%s/%s_%d' % (args.res_folder, cell.name, seed), tuple(cell.options)] = seed
    runs = []
    for (output, options), seed in wanted.items():
        words = [w.replace('{output}', output) for w in options]
        runs.append(plan.Run(['--seed', str(seed), *words, '--data-dir', args.data_dir,
                              '--output', output + '.txt']))
    return runs


def main(argv=None):
    """Runs a command line; returns the exit status."""
    from results import archive, canvas, comparable, papers
    args = build().parse_args(argv)
    paper = papers.Paper(args.table)
    cells, status = chosen(paper.cells, args), 0
    seeds = [launch.seeds(args.seeds or c.seeds) for c in cells]
    canvas.target(args.output)
    args.res_folder = args.res_folder or 'res/papers/' + paper.name
    folder, without = ROOT / args.res_folder, lacking(cells, args.data_dir)
    archive.unpack(paper, folder)
    runs = planned(cells, seeds, without, args)
    if args.execute:
        gpus = launch.gpu_ids() if args.launcher == 'local' else ()
        status = launch.carry_out(args, runs, folder, gpus)
    states = {str(run.output): run.status() for run in runs}
    other = [path for path, state in states.items() if state == 'other']
    if other:
        raise UserError('results of another configuration are in the way, remove them or give another '
                        '--res_folder: ' + comparable.some(other))
    if args.keep:
        print('%d results kept in %s' % (archive.pack(paper, folder), archive.path(paper)))
    found = [papers.values(c, folder, mine) for c, mine in zip(cells, seeds)]
    missed = show(paper, cells, found, without, args)
    missing = sum(state != 'finished' for state in states.values())
    if missing:
        how = '' if args.execute else ': --execute carries them out'
        print('%d of %d runs are missing%s' % (missing, len(runs), how))
    return status or int(missed > 0)


def show(paper, cells, found, without, args):
    """Prints the table and draws the figure; returns how many cells miss."""
    from results import canvas, figures, papers
    table, passed, missed = papers.table(paper, cells, found, without)
    print((papers.wide(table) if args.wide else table).text(args.kind))
    if args.kind == 'markdown':
        print('\n%s. %s; published as mean +- %s, ours as mean +- standard deviation over seeds. %d cells '
              'pass, %d miss, %d of %d were run.' % (paper.title, paper.source, papers.SPREADS[paper.spread],
                                               passed, missed, sum(map(bool, found)), len(cells)))
        remarks = dict.fromkeys('%s: %s' % (c.row, c.note) for c in cells if c.note)
        print(''.join('\n- ' + n for n in [*paper.notes, *remarks]))
    if args.output:
        both = [(c, ours) for c, ours in zip(cells, found) if ours and c.published is not None]
        if not both:
            raise UserError('--output: no cell that is published has been run')
        canvas.show(lambda fig: figures.published(fig, both, paper), canvas.target(args.output))
    return missed


if __name__ == '__main__':
    launch.script(main, 'paper.py')
