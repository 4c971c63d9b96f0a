"""Searches an approach's hyper-parameters: one run for each combination, judged by validation accuracy.

    python src/work.py 0 cifar hat res/grid --execute
    python src/work.py cpu glyphs hat res/grid --grid lamb=0.1,0.75 smax=100,400 --execute -- --nepochs 10
    python src/work.py cpu glyphs hat res/search --search optuna --trials 30 --execute -- --nepochs 10
    python src/work.py cpu smnist hat res/tuning --tune-tasks 2 --keep res/tuned.toml --execute
"""
import itertools
import math
from pathlib import Path

from utils import ROOT, UserError  # first: it says which packages are missing
import numpy as np

import discovery
from results import records
from runs import build as building, commandline, launch, options, parsing, plan, search, study, tuned
from runs.advice import flag

# What a grid may vary besides an approach's hyper-parameters.
NUMBERS = [option.number for option in commandline.OPTIONS['training'] if option.number]
NUMBERS = [h for h in NUMBERS if h.name not in ('seed', 'iterations')]


def build():
    """Return the parser."""
    parser = parsing.Parser(prog='work.py', allow_abbrev=False, description='Runs an approach with every '
                            'combination of its hyper-parameters and prints them sorted by validation '
                            'accuracy; options of run.py after -- go to every run.')
    parser.add_argument('gpu_id', help='GPUs to share out, such as 0 or 0,1; or cpu')
    parser.add_argument('experiment')
    parser.add_argument('approach')
    parser.add_argument('output_path', help='folder of the results')
    parser.add_argument('--grid', nargs='+', metavar='NAME=V,...', help='values to try, of hyper-parameters '
                        'or of %s (default: the grid that the approach declares; what is left out keeps its '
                        'default)' % (', '.join(h.name for h in NUMBERS)))
    parser.add_argument('--search', choices=('grid', 'random', 'optuna'), default='grid',
                        help='grid: all combinations. random: --trials samples, log-uniform between the '
                        'smallest and the largest value. optuna (pip install optuna): --trials samples near '
                        'good ones; a run that falls behind after a task is stopped (default %(default)s)')
    parser.add_argument('--trials', type=launch.whole('--trials'), default=10, metavar='N',
                        help='default %(default)s')
    parser.add_argument('--seed', type=commandline.ALL['seed'].parse, default=0,
                        help='seed of the runs and of the search')
    parser.add_argument('--tune-tasks', type=launch.whole('--tune-tasks'), metavar='K',
                        help='train and judge on the first K tasks only (default: all)')
    parser.add_argument('--keep', metavar='FILE', help='write the best setting into this .toml file, which '
                        'run_multi.py --settings takes, as the table of the approach; tables of others stay')
    launch.add_options(parser)
    return parser


def grid(declared, given=None):
    """Return {name: values to try} of an approach's declared hyper-parameters: theirs, or those given as
    ['lamb=0.1,0.75'], with which further numbers of a run may vary. Raises UserError."""
    if not given:
        out = {h.name: list(h.grid) for h in declared if h.grid}
        if not out:
            raise UserError('this approach declares no grid; give --grid NAME=V,... or choose another')
        return out
    by, out = {h.name: h for h in (*declared, *NUMBERS) if h.type is not str}, {}
    for part in given:
        name, equals, values = part.partition('=')
        if name not in by or not equals:
            raise UserError('--grid %s: expected NAME=V,... with a name of: %s' % (part, ', '.join(by)))
        if name in out:
            raise UserError('--grid: %s is given twice' % name)
        out[name] = list(dict.fromkeys(by[name].parse(v) for v in values.split(',')))
    return out


def kinds(declared):
    """Return {name: int, float or str} of what a grid may vary."""
    return {h.name: h.type for h in (*declared, *NUMBERS)}


def sample(declared, values, trials, seed):
    """Return combinations like grid's, drawn log-uniformly between each one's smallest and largest value."""
    rs, types, out = np.random.RandomState(seed), kinds(declared), {}
    for _ in range(trials):
        point = {}
        for name, vs in values.items():
            if not study.spread(vs):
                raise UserError('--search random: the values of %s must be numbers > 0' % name)
            v = math.exp(rs.uniform(math.log(min(vs)), math.log(max(vs))))
            point[name] = study.rounded(types[name], v, vs)
        out[tuple(point.values())] = point
    return list(out.values())


def table(runs, names):
    """Return lines of the finished runs' settings and figures, best validation accuracy first, then of those
    that were given up; and the winner: (its settings, its validation accuracy), or None."""
    def line(cells):
        return ''.join('%12s' % cell for cell in cells)
    rows, pruned = [], []
    for run in runs:
        state, values = run.status(), [run.settings[n] for n in names]
        shown = ['%g' % v for v in values]
        if state == 'pruned':
            pruned.append(line([*shown, '-']) + '   ' + records.read_record(run.output)['status'])
        if state == 'finished':
            r = records.read_record(run.output)
            valid, forgetting = float(np.mean(r['valid_accuracy'])), r['forgetting']
            shown += ['%.2f%%' % (100 * v) for v in (valid, r['average_accuracy'])]
            shown.append('-' if forgetting is None else '%.2f%%' % (100 * forgetting))
            rows.append((valid, values, line(shown)))
    rows.sort(key=lambda row: -row[0])
    lines = [line([*names, 'validation', 'test', 'forgetting']), *(row[2] for row in rows), *pruned]
    return lines, (dict(zip(names, rows[0][1])), rows[0][0]) if rows else None


def adaptive(args, searched, gpus):
    """Show a search.Search and, with --execute, carry it out. Return (its runs, exit status)."""
    searched.show(args.trials, args.nproc)
    if not args.execute:
        print('Nothing was run: add --execute')
        return [], 0
    failed = searched.execute(args.trials, args.nproc, gpus, args.verbose)
    runs = searched.runs()
    return runs, launch.outcome(runs, failed)


def head(args):
    """Return what every run's command line begins with."""
    return ['--experiment', args.experiment, '--approach', args.approach, '--seed', str(args.seed)]


def check(args, passed):
    """Return the options of the runs. Raise UserError for what cannot be searched, or be chosen by."""
    if not args.output_path:
        raise UserError('the folder of the results must not be empty')
    if args.search == 'optuna' and args.launcher == 'slurm':
        raise UserError('--search optuna needs --launcher local: it draws and stops runs while others go on, '
                        'which a job array cannot')
    discovery.choice('dataloaders', args.experiment, 'experiment')
    discovery.choice('approaches', args.approach, 'approach')
    if not (args.keep or args.tune_tasks):
        return passed
    found, _ = options.parse([*head(args), *passed])
    if args.keep:
        if Path(args.keep).suffix != '.toml':
            raise UserError('--keep %s: expected the name of a .toml file' % args.keep)
        if (ROOT / args.keep).exists():
            tuned.read(ROOT / args.keep, '--keep')
        tuned.held_out(found)
        if args.execute:
            records.check_writable(ROOT / args.keep)
    if args.tune_tasks:
        tasks = building.tasks(found)
        if args.tune_tasks > len(tasks):
            raise UserError('--tune-tasks %d: there are %d tasks' % (args.tune_tasks, len(tasks)))
        passed = [*options.without(passed, '--tasks'), '--tasks', ','.join(tasks[:args.tune_tasks])]
    return passed


def main(argv=None):
    """Run a command line; return the exit status."""
    own, passed = launch.passed_on(argv)
    args = build().parse_args(own)
    passed = check(args, passed)
    declared = getattr(options.approach(args.approach), 'hyperparameters', ())
    values = grid(declared, args.grid)
    launch.passed_on(['--', *passed], '--parameter', '--final-valid', *map(flag, values))

    def make(point):
        tail = '%s_%d.txt' % ('-'.join([args.approach] + ['%.10g' % v for v in point.values()]), args.seed)
        tried = ['%s=%s' % (flag(name), value) for name, value in point.items()]
        return plan.Run([*head(args), '--final-valid', *tried, *passed],
                        lambda found: '%s/%s_%s' % (args.output_path.rstrip('/'), options.label(found), tail))
    folder, gpus = ROOT / args.output_path, launch.gpu_ids(args.gpu_id) if args.launcher == 'local' else ()
    if args.search == 'optuna':
        runs, status = adaptive(args, search.Search(folder, values, kinds(declared), make, args.seed), gpus)
    else:
        points = [dict(zip(values, point)) for point in itertools.product(*values.values())]
        points = sample(declared, values, args.trials, args.seed) if args.search == 'random' else points
        runs = [make(point) for point in points]
        status = launch.carry_out(args, runs, folder, gpus)
    if args.execute and not (args.launcher == 'slurm' and args.no_wait):
        conclude(args, runs, list(values))
    return status


def conclude(args, runs, names):
    """Print the table of some runs and keep the best setting."""
    lines, winner = table(runs, names)
    if winner is None:
        return
    best, accuracy = winner
    print('\n'.join(lines))
    print('Best by validation accuracy: %s' % ', '.join('%s=%g' % item for item in best.items()))
    if args.keep:
        done = sum(run.status() == 'finished' for run in runs)
        tasks = 'all tasks' if runs[0].args.tasks is None else 'tasks ' + runs[0].args.tasks
        note = 'best of %d of %d runs on %s by validation accuracy of %s: %.2f %%' % (
            done, len(runs), args.experiment, tasks, 100 * accuracy)
        tuned.keep(ROOT / args.keep, args.approach, best, note)
        print('Kept as [%s] in %s' % (args.approach, args.keep))


if __name__ == '__main__':
    launch.script(main, 'work.py')
