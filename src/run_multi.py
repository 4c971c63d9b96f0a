"""Runs every approach on every experiment with every seed.

    python src/run_multi.py --experiments pmnist,cifar --approaches random,joint,hat --seeds 0-9 --nproc 3 --execute
"""
import random

from runs import commandline, launch, options, plan
from utils import ROOT, UserError


def build():
    """The parser."""
    parser = commandline.Parser(prog='run_multi.py', allow_abbrev=False, description='Runs every approach on every experiment '
                                'with every seed; options of run.py after -- go to every run.')
    parser.add_argument('--experiments', required=True, metavar='E,...', help='experiments of run.py')
    parser.add_argument('--approaches', required=True, metavar='A,...', help='approaches of run.py')
    parser.add_argument('--nruns', type=launch.whole, metavar='N', help='seeds 0 to N-1 (default 10)')
    parser.add_argument('--seeds', metavar='0-9', help='the seeds, instead of --nruns: 0-9 or 0,2,5-7')
    parser.add_argument('--orders', type=launch.whole, metavar='N', help='every run in N orders of the tasks, balanced: with as many '
                        'orders as tasks, each task stands at each place once (results <experiment>-order<k>_...)')
    parser.add_argument('--res_folder', '--res-folder', default='res', help='folder of the results (default %(default)s)')
    parser.add_argument('--tag', type=commandline.tags, default=[], metavar='A,...', help='words to find the runs by; results that are there '
                        'already get them, too')
    parser.add_argument('--ngpus', type=int, metavar='N', help='GPUs to share out, 0 for the CPU (default: all)')
    launch.add_options(parser)
    return parser


def name(folder, approach, seed, tail):
    """What gives the result of a run its name, from its parsed options."""
    return lambda args: '%s/%s%s_%s_%d.txt' % (folder, options.label(args), tail, approach, seed)


def orders(experiment, approach, passed, count):
    """[(end of the label, further options)] of the orders in which the tasks come: of a Latin square, and of others after it, so
    that in every block of as many orders as tasks each task stands at each place once."""
    if count is None:
        return [('', [])]
    from runs import build
    args = options.parse(['--experiment', experiment, '--approach', approach, *passed])[0]
    tasks, draw, out = args.tasks.split(',') if args.tasks else list(map(str, range(build.count_tasks(args)))), random.Random(0), []
    for k in range(count):
        if k and k % len(tasks) == 0:
            draw.shuffle(tasks)
        out.append(('-order%d' % k, ['--tasks', ','.join(tasks[k % len(tasks):] + tasks[:k % len(tasks)])]))
    return out


def main(argv=None):
    """Runs a command line; returns the exit status."""
    own, passed = launch.passed_on(argv)
    args = build().parse_args(own)
    if not args.res_folder:
        raise UserError('--res_folder must not be empty')
    if args.seeds is not None and args.nruns is not None:
        raise UserError('give either --seeds or --nruns')
    folder, passed = args.res_folder.rstrip('/'), passed + (['--tag', ','.join(args.tag)] if args.tag else [])
    runs = [plan.Run(['--experiment', e, '--approach', a, '--seed', str(seed), *passed, *order], name(folder, a, seed, tail))
            for e in launch.names('--experiments', args.experiments, 'dataloaders')
            for a in launch.names('--approaches', args.approaches, 'approaches')
            for tail, order in orders(e, a, passed, args.orders)
            for seed in (launch.seeds(args.seeds) if args.seeds is not None else range(args.nruns or 10))]
    gpus = launch.gpu_ids(count=args.ngpus) if args.launcher == 'local' else ()
    if args.execute:
        mark(runs, args.tag)
    return launch.carry_out(args, runs, ROOT / args.res_folder, gpus)


def mark(runs, tags):
    """Gives the results that there are of some runs further tags."""
    from results import records
    for run in runs:
        if tags and run.status() == 'finished':
            records.tag(run.output, tags)


if __name__ == '__main__':
    launch.script(main, 'run_multi.py')
