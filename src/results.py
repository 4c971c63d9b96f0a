"""Lists all runs of a folder.

    python src/results.py res
    python src/results.py res --tag first,long --table csv
    python src/results.py res --csv > runs.csv
"""
import utils
from results import overview
from runs import commandline, launch, locking, parsing


def main(argv=None):
    """Print the table of the results there are; return the exit status."""
    parser = parsing.Parser(prog='results.py', allow_abbrev=False,
                            description='Lists the runs whose results are in a folder: experiment, '
                            'approach, tags, settings that differ, average accuracy, forgetting, status.')
    parser.add_argument('folders', nargs='*', default=['res'], metavar='FOLDER', help='default res')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='only runs that '
                        'have these tags')
    parser.add_argument('--table', choices=('csv', 'latex', 'markdown'), default='markdown', help='default '
                        '%(default)s')
    parser.add_argument('--csv', action='store_true', help='for pandas, R or a spreadsheet: a line per run '
                        'with every measure, the accuracy on each task after the last, and every setting in '
                        'a column of its own, all numbers with all digits')
    args = parser.parse_args(argv)
    rows = overview.rows([utils.ROOT / f for f in args.folders], args.tag, locking.running)
    if args.csv:
        print(overview.plain_table(rows).text('csv'))
    else:
        print(overview.table(rows).text(args.table))
    return 0


if __name__ == '__main__':
    launch.script(main, 'results.py')
