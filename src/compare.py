"""Prints results of finished runs side by side.

    python src/compare.py res/a.txt res/b.txt
    python src/compare.py --experiment split:glyphs:6 --approaches sgd,hat
"""
import utils
from results import collect, overview, records
from runs import launch, parsing
from utils import UserError


def main(argv=None):
    """Print the table of the given results; return the exit status."""
    parser = parsing.Parser(prog='compare.py',
                            description='Prints results of finished runs side by side.')
    parser.add_argument('results', nargs='*', metavar='FILE', help='result matrices or their records')
    launch.add_results(parser)
    print('\n'.join(overview.side_by_side(chosen(parser.parse_args(argv)))))
    return 0


def chosen(args):
    """Return {file: record} of what a command line names. Raises UserError for those that are not there or of
    runs that have not finished."""
    if bool(args.results) == bool(args.experiment and args.approaches):
        raise UserError('compare.py takes files of results, or --experiment and --approaches')
    files = [utils.ROOT / f for f in args.results]
    if not files:
        folders = [utils.ROOT / d for d in args.folders]
        by = collect.collect(args.experiment, args.approaches, folders, args.seeds)
        files = [r['path'] for rows in by.values() for r in rows.values()]
    found = {str(f): records.read_record(f) for f in files}
    unfinished = [f for f, r in found.items() if r['status'] != 'finished']
    if unfinished:
        raise UserError('not of finished runs: %s' % ', '.join(unfinished))
    return found


if __name__ == '__main__':
    launch.script(main, 'compare.py')
