"""Searches an approach's hyper-parameters: one run for each combination, judged by validation accuracy.

    python src/work.py 0 cifar hat res/grid --execute
    python src/work.py cpu glyphs hat res/grid --grid lamb=0.1,0.75 smax=100,400 --execute -- --nepochs 10
    python src/work.py cpu glyphs hat res/search --search optuna --trials 30 --nproc 2 --execute -- --nepochs 10
"""
import itertools
import math

import utils  # first: it says what is missing
import numpy as np

from results import records
from runs import advice, commandline, launch, options, plan, search, study
from utils import ROOT, UserError


def build():
    """The parser."""
    parser = commandline.Parser(prog='work.py', allow_abbrev=False, description='Runs an approach with every combination of '
                                'its hyper-parameters and prints them sorted by validation accuracy; options of run.py '
                                'after -- go to every run.')
    parser.add_argument('gpu_id', help='GPUs to share out, such as 0 or 0,1; or cpu')
    parser.add_argument('experiment')
    parser.add_argument('approach')
    parser.add_argument('output_path', help='folder of the results')
    parser.add_argument('--grid', nargs='+', metavar='NAME=V,...', help='values to try (default: the grid that the '
                        'approach declares; a hyper-parameter left out keeps its default)')
    parser.add_argument('--search', choices=('grid', 'random', 'optuna'), default='grid', help='all combinations; or --trials '
                        'samples, log-uniform between the smallest and the largest value; or so many that optuna (pip install optuna) '
                        'draws near the good ones, giving up runs that fall behind after a task (default %(default)s)')
    parser.add_argument('--trials', type=launch.whole, default=10, metavar='N', help='default %(default)s')
    parser.add_argument('--seed', type=commandline.ALL['seed'].parse, default=0, help='seed of the runs and of the search')
    launch.add_options(parser)
    return parser


def grid(declared, given=None):
    """{name: values to try} of an approach's declared hyper-parameters: theirs, or those given as ['lamb=0.1,0.75'].
    Raises UserError."""
    if not given:
        out = {h.name: list(h.grid) for h in declared if h.grid}
        if not out:
            raise UserError('this approach declares no grid; give --grid NAME=V,... or choose another')
        return out
    by, out = {h.name: h for h in declared if h.type is not str}, {}
    for part in given:
        name, equals, values = part.partition('=')
        if name not in by or not equals:
            raise UserError('--grid %s: expected NAME=V,... with a name of: %s' % (part, ', '.join(by) or 'none'))
        if name in out:
            raise UserError('--grid: %s is given twice' % name)
        out[name] = list(dict.fromkeys(by[name].parse(v) for v in values.split(',')))
    return out


def kinds(declared):
    """{name: int, float or str} of declared hyper-parameters."""
    return {h.name: h.type for h in declared}


def sample(declared, values, trials, seed):
    """Combinations like grid's, drawn log-uniformly between each one's smallest and largest value."""
    rs, types, out = np.random.RandomState(seed), kinds(declared), {}
    for _ in range(trials):
        drawn = {}
        for name, vs in values.items():
            if not study.spread(vs):
                raise UserError('--search random: the values of %s must be numbers > 0' % name)
            v = math.exp(rs.uniform(math.log(min(vs)), math.log(max(vs))))
            drawn[name] = study.rounded(types[name], v, vs)
        out[tuple(drawn.values())] = drawn
    return list(out.values())


def table(runs, names):
    """Lines of the finished runs' settings and figures, best validation accuracy first, then of those that were given up; and the
    winner's settings."""
    rows, pruned = [], []
    for run in runs:
        state, values = run.status(), [run.settings[n] for n in names]
        if state in ('finished', 'pruned'):
            r = records.read_record(run.output)
        if state == 'finished':
            rows.append((float(np.mean(r['valid_accuracy'])), values, r))
        elif state == 'pruned':
            pruned.append(''.join('%12s' % c for c in (*('%g' % v for v in values), '-')) + '   ' + r['status'])
    rows.sort(key=lambda row: -row[0])
    lines = [''.join('%12s' % h for h in (*names, 'validation', 'test', 'forgetting'))]
    for valid, values, r in rows:
        forgetting = '-' if r['forgetting'] is None else '%.2f%%' % (100 * r['forgetting'])
        lines.append(''.join('%12s' % c for c in (*('%g' % v for v in values), '%.2f%%' % (100 * valid),
                                                 '%.2f%%' % (100 * r['average_accuracy']), forgetting)))
    return lines + pruned, dict(zip(names, rows[0][1])) if rows else None


def adaptive(args, searched, gpus):
    """Shows a search.Search and, with --execute, carries it out. Returns (its runs, exit status)."""
    searched.show(args.trials, args.nproc)
    if not args.execute:
        print('Nothing was run: add --execute')
        return [], 0
    failed = searched.execute(args.trials, args.nproc, gpus, args.verbose)
    runs = searched.runs()
    return runs, launch.outcome(runs, failed)


def main(argv=None):
    """Runs a command line; returns the exit status."""
    own, passed = launch.passed_on(argv)
    args = build().parse_args(own)
    if not args.output_path:
        raise UserError('the folder of the results must not be empty')
    if args.search == 'optuna' and args.launcher == 'slurm':
        raise UserError('--search optuna needs --launcher local: it draws and stops runs while others go on, which a job array cannot')
    launch.names('experiment', args.experiment, 'dataloaders', several=False)
    launch.names('approach', args.approach, 'approaches', several=False)
    declared = getattr(utils.load('approaches', args.approach).Appr, 'hyperparameters', ())
    values = grid(declared, args.grid)
    launch.passed_on(['--', *passed], '--parameter', '--final-valid', *map(advice.flag, values))

    def make(point):
        tail = '%s_%d.txt' % ('-'.join([args.approach] + ['%.10g' % v for v in point.values()]), args.seed)
        return plan.Run(['--experiment', args.experiment, '--approach', args.approach, '--seed', str(args.seed),
                         '--final-valid', *('%s=%s' % (advice.flag(n), v) for n, v in point.items()), *passed],
                        lambda found: '%s/%s_%s' % (args.output_path.rstrip('/'), options.label(found), tail))
    folder, gpus = ROOT / args.output_path, launch.gpu_ids(args.gpu_id) if args.launcher == 'local' else ()
    if args.search == 'optuna':
        runs, status = adaptive(args, search.Search(folder, values, kinds(declared), make, args.seed), gpus)
    else:
        points = sample(declared, values, args.trials, args.seed) if args.search == 'random' else [
            dict(zip(values, point)) for point in itertools.product(*values.values())]
        runs = [make(point) for point in points]
        status = launch.carry_out(args, runs, folder, gpus)
    if args.execute and not (args.launcher == 'slurm' and args.no_wait):
        lines, winner = table(runs, list(values))
        if winner:
            print('\n'.join(lines))
            print('Best by validation accuracy: %s' % ', '.join('%s=%g' % item for item in winner.items()))
    return status


if __name__ == '__main__':
    launch.script(main, 'work.py')
