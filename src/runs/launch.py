"""What the scripts that carry out plans share: their options, and how they end."""
import re
import reprlib
import sys

import discovery
import utils
from approaches.hyper import Hyper
from runs import commandline, config, local, locking, plan
from runs.advice import flag
from utils import UserError


def add_options(parser):
    """Add the options of how a plan is carried out, for the scripts that make one."""
    how = parser.add_argument_group('carrying it out')
    how.add_argument('--execute', action='store_true', help='run the plan; without it, it is only shown')
    how.add_argument('--nproc', type=whole('--nproc'), default=1, metavar='N',
                     help='runs at a time (default %(default)s)')
    how.add_argument('--verbose', action='store_true', help='a line for every run that finishes')
    how.add_argument('--launcher', choices=('local', 'slurm'), default='local', help='here, or as one job '
                     'array of a Slurm cluster (default %(default)s)')
    slurm = parser.add_argument_group('with --launcher slurm (needs: pip install submitit)')
    slurm.add_argument('--partition', help='partition of the cluster')
    slurm.add_argument('--gpus-per-task', type=Hyper('--gpus-per-task', int, 0, least=0, most=64).parse,
                       default=0, metavar='N', help='default %(default)s')
    slurm.add_argument('--cpus-per-task', type=whole('--cpus-per-task'), default=1, metavar='N',
                       help='default %(default)s')
    slurm.add_argument('--timeout-min', type=whole('--timeout-min'), default=24 * 60, metavar='MINUTES',
                       help='default %(default)s')
    slurm.add_argument('--array-parallelism', type=whole('--array-parallelism'), default=100, metavar='N',
                       help='jobs at a time, at most (default %(default)s)')
    slurm.add_argument('--no-wait', action='store_true', help='return once the jobs are submitted')


def add_results(parser):
    """Add the options that choose results, for the scripts that show them."""
    parser.add_argument('--experiment', metavar='E',
                        help='as run.py takes it, split:glyphs:6 too, or as the names of the results begin')
    parser.add_argument('--approaches', type=listed, default=[], metavar='A,...', help='of the experiment')
    parser.add_argument('--folders', nargs='+', default=['res'], metavar='DIR',
                        help='where results are (default res)')
    parser.add_argument('--seeds', type=seeds, metavar='0-9',
                        help='the seeds that must be there (default: those that are)')


def add_model(parser):
    """Add what chooses the saved model of a run, for the scripts that use one."""
    parser.add_argument('run', metavar='RUN', help='a result or its record')
    parser.add_argument('--after', type=Hyper('--after', int, 0, least=0).parse, metavar='T',
                        help='the model after task T, counted from 0 (default: the last)')


def listed(text):
    """Return the names in a text, separated by commas, each once."""
    return list(dict.fromkeys(filter(None, text.split(','))))


def whole(option):
    """Return what parses an option that is a whole number of 1 to 10000."""
    return Hyper(option, int, 1, least=1, most=10000).parse


def passed_on(argv=None, *own):
    """Return (the script's own options, those after -- for run.py) of a command line, by default the
    program's. Raises UserError for one of those that the plan sets."""
    argv = list(sys.argv[1:] if argv is None else argv)
    cut = argv.index('--') if '--' in argv else len(argv)
    words, sources = config.expand(argv[cut + 1:])
    mine, passed = ('-h', *map(flag, plan.OWN), *own), []
    for word in words:
        name = word.split('=')[0]
        if name in mine and name in sources:
            continue  # of a file: the plan's count
        if name in mine:
            raise UserError('%s after --: the plan sets it' % word)
        if name in map(flag, commandline.TRIALS):
            raise UserError('%s after --: it is for a single run.py' % word)
        passed.append(word)
    return argv[:cut], passed


def names(what, text, folder):
    """Return the names in a text, comma-separated. Raises UserError for one that is not a choice."""
    return list(dict.fromkeys(discovery.choice(folder, name, what) for name in text.split(',')))


def gpu_ids(text=None, count=None):
    """Return the GPUs to use: those in a text ('0,1', or 'cpu' for none), or the first count (default: all
    there are). Raises UserError if they are not there."""
    import torch
    devices = list(range(torch.cuda.device_count()))
    if text is not None and text != 'cpu':
        wanted = text.split(',')
        if not all(w.isdecimal() and w.isascii() and int(w) in devices for w in wanted):
            raise UserError('GPU %s: this machine has %s; give cpu for none' % (text, devices or 'none'))
        return [int(w) for w in wanted]
    if text == 'cpu':
        return []
    if count is not None and not 0 <= count <= len(devices):
        raise UserError('--ngpus %d: this machine has %d' % (count, len(devices)))
    return devices[:count]


def seeds(text):
    """Return [0, 1, 2, 7] for '0-2,7'. Raises UserError."""
    out = []
    for part in text.split(','):
        if not re.fullmatch(r'\d{1,9}(-\d{1,9})?', part, re.ASCII):
            raise UserError('--seeds %s: expected numbers and ranges such as 0-9 or 0,2,5-7'
                            % reprlib.repr(text))
        first, _, last = part.partition('-')
        span = range(int(first), int(last or first) + 1)
        if not 0 < len(span) <= 10000:
            raise UserError('--seeds %s: the range %s has %d seeds' % (text, part, len(span)))
        out += span
    return list(dict.fromkeys(out))


def carry_out(args, runs, folder, gpus=()):
    """Show a plan and, with --execute, carry it out; return the exit status."""
    todo = plan.show(runs, folder, args.array_parallelism if args.launcher == 'slurm' else args.nproc)
    if not args.execute:
        print('Nothing was run: add --execute')
        return 0
    if args.launcher == 'slurm':
        from runs import slurm
        failed = slurm.execute(todo, args)
    else:
        failed = local.execute(todo, args.nproc, gpus, args.verbose)
    return outcome(runs, failed)


def outcome(runs, failed):
    """Print how many runs have finished, which failed, and which other processes are doing; return the exit
    status."""
    states = [run.status() for run in runs]
    missing = [run for run, state in zip(runs, states) if state != 'finished']
    elsewhere = [run for run in missing if locking.busy(run.output)]
    pruned = '%d pruned, ' % states.count('pruned') if 'pruned' in states else ''
    logs = ''.join('\n    ' + str(run.log) for run in failed)
    print('%d runs finished, %s%d failed%s' % (states.count('finished'), pruned, len(failed), logs))
    if elsewhere:
        print('%d are being done by another process%s' % (
            len(elsewhere), ''.join('\n    ' + str(run.output) for run in elsewhere)))
    return 1 if failed else 0


def script(main, prog):
    """Call main() as a command: UserErrors in one line with status 2, Ctrl-C with status 130."""
    try:
        status = main()
        sys.stdout.flush()
        sys.exit(status)
    except UserError as e:
        print('%s: %s' % (prog, e), file=sys.stderr)
        sys.exit(2)
    except (OSError, UnicodeError) as e:
        print('%s: %s: %s' % (prog, utils.visible(getattr(e, 'filename', None) or 'writing failed'),
                              getattr(e, 'strerror', None) or type(e).__name__), file=sys.stderr)
        utils.give_up_stdout()
        sys.exit(2)
    except KeyboardInterrupt:
        print('%s: interrupted; the workers are stopped, finished results stay' % prog, file=sys.stderr)
        sys.exit(130)
