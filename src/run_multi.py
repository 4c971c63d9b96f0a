"""Runs every approach on every experiment with every seed.

    python src/run_multi.py --experiments pmnist,cifar --approaches random,joint,hat --seeds 0-9 --execute
"""
import random

from utils import ROOT, UserError  # first: it says which packages are missing
from runs import build as building, commandline, config, launch, options, parsing, plan


def build():
    """Return the parser."""
    parser = parsing.Parser(prog='run_multi.py', allow_abbrev=False, description='Runs every approach on '
                            'every experiment with every seed. Options of run.py after -- go to every '
                            'run; where an approach cannot take one, it is left out, and the plan '
                            'says so.')
    parser.add_argument('--experiments', required=True, metavar='E,...', help='experiments of run.py')
    parser.add_argument('--approaches', required=True, metavar='A,...', help='approaches of run.py')
    parser.add_argument('--nruns', type=launch.whole('--nruns'), metavar='N',
                        help='seeds 0 to N-1 (default 10)')
    parser.add_argument('--seeds', metavar='0-9', help='the seeds, instead of --nruns: 0-9 or 0,2,5-7')
    parser.add_argument('--settings', metavar='FILE', help='a .toml file with a table of options for each '
                        'approach, as in [hat] and below it lamb = 0.5 (work.py --keep writes it); what is '
                        'given after -- wins')
    parser.add_argument('--orders', type=launch.whole('--orders'), metavar='N',
                        help='every run in N orders of the tasks, balanced: with as many orders as tasks, '
                        'each task stands at each place once (results <experiment>-order<k>_...)')
    parser.add_argument('--res_folder', '--res-folder', default='res', help='folder of the results (default '
                        '%(default)s)')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='words to find the '
                        'runs by; results that are there already get them, too')
    parser.add_argument('--ngpus', type=int, metavar='N', help='GPUs to share out, 0 for the CPU (default: '
                        'all)')
    launch.add_options(parser)
    return parser


def orders(experiment, approach, passed, count):
    """Return [(end of the label, further options)] of the orders in which the tasks of a command line come:
    of a Latin square, and of others after it, so that in every block of as many orders as tasks each stands
    at each place once."""
    if count is None:
        return [('', [])]
    args, _ = options.parse(['--experiment', experiment, '--approach', approach, *passed])
    draw, out = random.Random(0), []
    tasks = building.tasks(args)
    for k in range(count):
        if k and k % len(tasks) == 0:
            draw.shuffle(tasks)
        out.append(('-order%d' % k, ['--tasks', ','.join(tasks[k % len(tasks):] + tasks[:k % len(tasks)])]))
    return out


def commands(args, passed):
    """Return [(experiment, approach, further options but seed and order)]; say what is left out of
    which."""
    from runs import tuned
    tables = tuned.read(ROOT / args.settings) if args.settings else {}
    approaches, out, left = launch.names('--approaches', args.approaches, 'approaches'), [], {}
    for e in launch.names('--experiments', args.experiments, 'dataloaders'):
        for a in approaches:
            more, _ = config.line(args.settings, tables.get(a, {}), passed, a)
            words, unfit = plan.fitted(['--experiment', e, '--approach', a, *more])
            out.append((e, a, words[4:]))
            left[a] = unfit
    for name in set.intersection(*map(set, left.values())):  # nobody can take it
        raise UserError(left[approaches[0]][name])
    for why in dict.fromkeys(why for unfit in left.values() for why in unfit.values()):
        print('Left out: ' + why)
    return out


def planned(args, passed):
    """Return the runs."""
    seeds = launch.seeds(args.seeds) if args.seeds is not None else range(args.nruns or 10)
    folder, out = args.res_folder.rstrip('/'), []
    for e, a, words in commands(args, passed):
        for tail, order in orders(e, a, words, args.orders):
            for seed in seeds:
                end = '%s_%s_%d.txt' % (tail, a, seed)
                out.append(plan.Run(['--experiment', e, '--approach', a, '--seed', str(seed), *words, *order],
                                    lambda found, end=end: folder + '/' + options.label(found) + end))
    return out


def main(argv=None):
    """Run a command line; return the exit status."""
    own, passed = launch.passed_on(argv)
    args = build().parse_args(own)
    if not args.res_folder:
        raise UserError('--res_folder must not be empty')
    if args.seeds is not None and args.nruns is not None:
        raise UserError('give either --seeds or --nruns')
    runs = planned(args, passed + (['--tag', ','.join(args.tag)] if args.tag else []))
    gpus = launch.gpu_ids(count=args.ngpus) if args.launcher == 'local' else ()
    if args.execute:
        mark(runs, args.tag)
    return launch.carry_out(args, runs, ROOT / args.res_folder, gpus)


def mark(runs, tags):
    """Give the results that there are of some runs further tags."""
    from results import records
    for run in runs:
        if tags and run.status() == 'finished':
            records.tag(run.output, tags)


if __name__ == '__main__':
    launch.script(main, 'run_multi.py')
