"""Lists all runs of a folder.

    python src/results.py res
    python src/results.py res --tag first,long --table csv
"""
import utils
from results import overview
from runs import commandline, launch


def main(argv=None):
    """Prints the table of the results there are; returns the exit status."""
    parser = commandline.Parser(prog='results.py', allow_abbrev=False, description='Lists the runs whose results are in a folder: experiment, '
                                'approach, tags, settings that differ, average accuracy, forgetting, status.')
    parser.add_argument('folders', nargs='*', default=['res'], metavar='FOLDER', help='default res')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='only runs that have these tags')
    parser.add_argument('--table', choices=('csv', 'latex', 'markdown'), default='markdown', help='default %(default)s')
    args = parser.parse_args(argv)
    print(overview.table(overview.found([utils.ROOT / f for f in args.folders], args.tag)).text(args.table))
    return 0


if __name__ == '__main__':
    launch.script(main, 'results.py')
