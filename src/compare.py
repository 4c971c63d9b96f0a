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
    parser.add_argument('--experiment', metavar='E',
                        help='instead of files: as run.py takes it, or as the names of the results begin')
    parser.add_argument('--approaches', metavar='A,...', help='of the experiment')
    parser.add_argument('--folders', nargs='+', default=['res'], metavar='DIR',
                        help='where results are (default res)')
    parser.add_argument('--seeds', metavar='0-9',
                        help='the seeds that must be there (default: those that are)')
    print('\n'.join(overview.side_by_side(chosen(parser.parse_args(argv)))))
    return 0


def chosen(args):
    """Return {file: record} of what a command line names. Raises UserError for those that are not there or of runs
    that have not finished."""
    if bool(args.results) == bool(args.experiment and args.approaches):
        raise UserError('compare.py takes files of results, or --experiment and --approaches')
    if args.results:
        found = {f: records.read_record(utils.ROOT / f) for f in args.results}
    else:
        seeds = launch.seeds(args.seeds) if args.seeds else None
        by = collect.collect(args.experiment, args.approaches.split(','),
                             [utils.ROOT / d for d in args.folders], seeds)
        found = {r['path']: records.read_record(r['path']) for rows in by.values() for r in rows.values()}
    unfinished = [str(f) for f, r in found.items() if r['status'] != 'finished']
    if unfinished:
        raise UserError('not of finished runs: %s' % ', '.join(unfinished))
    return found


if __name__ == '__main__':
    launch.script(main, 'compare.py')
