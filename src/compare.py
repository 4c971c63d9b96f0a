"""Prints results of finished runs side by side.

    python src/compare.py res/a.txt res/b.txt
"""
import utils
from results import records, tables
from runs import commandline, launch
from utils import UserError


def main(argv=None):
    """Prints the table of the given results; returns the exit status."""
    parser = commandline.Parser(prog='compare.py', description='Prints results of finished runs side by side.')
    parser.add_argument('results', nargs='+', metavar='FILE', help='result matrices or their records')
    there = {f: records.read_record(utils.ROOT / f) for f in parser.parse_args(argv).results}
    unfinished = [f for f, r in there.items() if r['status'] != 'finished']
    if unfinished:
        raise UserError('not of finished runs: %s' % ', '.join(unfinished))
    print('\n'.join(tables.side_by_side(list(there.values()))))
    return 0


if __name__ == '__main__':
    launch.script(main, 'compare.py')
