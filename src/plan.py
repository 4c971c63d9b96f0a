"""A plan of many runs of run.py: which are done, how long the others may take, and carrying them out side by side."""
import os
import queue
import re
import reprlib
import signal
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

import checkpoint
import metrics
import options
import results
import utils
from utils import ROOT, UserError


@dataclass
class Run:
    """One call of run.py: its options, --output included, checked by the parser. Raises UserError for bad ones."""
    argv: list
    settings: dict = field(init=False)
    output: Path = field(init=False)

    def __post_init__(self):
        try:
            args, _ = options.parse(self.argv)
        except UserError as e:
            raise UserError('%s: %s' % (' '.join(self.argv), e))
        except SystemExit:
            raise UserError('--help is an option of run.py, not of a plan')
        self.args, self.settings, self.output = args, options.settings(args), ROOT / args.output

    @property
    def command(self):
        """The call as a list of words."""
        return [sys.executable, str(ROOT / 'src' / 'run.py'), *self.argv] + ['--resume'] * (not self.args.overwrite)

    @property
    def log(self):
        """Where the call's output goes."""
        return checkpoint.folder(self.output).with_suffix('.log')

    def status(self):
        """'finished', 'unfinished', 'missing', or 'other': there is a result of another configuration."""
        if not (self.output.exists() or results.record_path(self.output).exists()):
            started = (checkpoint.folder(self.output) / 'checkpoint.pt').exists()
            return 'unfinished' if started else 'missing'
        try:
            record = results.read_record(self.output)
            same = options.settings(options.parse(record['command'][1:])[0]) == self.settings
            metrics.read(self.output)
        except (UserError, SystemExit):
            return 'other'
        if not same:
            return 'missing' if self.args.overwrite else 'other'
        done = record.get('status') == 'finished' and ('valid_accuracy' in record or not self.args.final_valid)
        return 'finished' if done else 'unfinished'


def estimate(runs, folder):
    """Seconds that each run may take, from the finished results in a folder: of the same settings but for the seed, or
    else of the same experiment and approach, in proportion to the epochs; None where there is none."""
    records = []
    for path in sorted(Path(folder).glob('*.json')):
        try:
            record = results.read_record(path)
            if record['status'] == 'finished':
                records.append((options.settings(options.parse(record['command'][1:])[0]), record['seconds']))
        except (UserError, SystemExit):
            continue

    def guess(run):
        like = [s for settings, s in records if {**settings, 'seed': 0} == {**run.settings, 'seed': 0}]
        like = like or [s * run.settings['nepochs'] / settings['nepochs'] for settings, s in records
                        if all(settings[k] == run.settings[k] for k in ('experiment', 'approach', 'tasks'))]
        return statistics.mean(like) if like else None
    return [guess(run) for run in runs]


def show(runs, folder, nproc, verbose=True):
    """Prints every call and whether its result exists, and the time that may be left. Returns the runs still to do."""
    for what, names in (('result', [str(run.output) for run in runs]),
                        ('log', [run.settings['logpath'] for run in runs if run.settings.get('logpath')])):
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise UserError('several runs would write the same %s: %s' % (what, ', '.join(twice[:3])))
    states = [run.status() for run in runs]
    todo = [run for run, state in zip(runs, states) if state != 'finished']
    for run, state in zip(runs, states):
        if verbose or state == 'other':
            print('%-10s python src/run.py %s' % (state, ' '.join(run.argv)))
    seconds, nproc = estimate(todo, folder), max(1, min(nproc, len(todo)))
    known, unknown = [s for s in seconds if s is not None], seconds.count(None)
    left = 'about %s left' % clock(sum(known) / nproc) if known else 'time left unknown'
    if known and unknown:
        left += ', and %d of unknown length' % unknown
    print('%d runs: %s%s' % (len(runs), ', '.join('%d %s' % (states.count(s), s) for s in sorted(set(states))),
                             '; %s with %d at a time' % (left, nproc) if todo else ''))
    other = [str(run.output) for run, state in zip(runs, states) if state == 'other']
    if other:
        raise UserError('results of another configuration (or without a record) are in the way: %s; choose another '
                        'folder, or pass -- --overwrite' % ', '.join(other))
    return todo


def clock(seconds):
    """4000 -> '1 h 7 min'."""
    if seconds < 100:
        return '%d s' % round(seconds)
    return ('%d h ' % (seconds // 3600) if seconds >= 3600 else '') + '%d min' % round(seconds % 3600 / 60)


def execute(runs, nproc=1, gpus=(), verbose=False):
    """Carries runs out, nproc at a time, over the given GPUs (or the CPU, its threads shared fairly), each with its own
    log. Returns the failed ones. Ctrl-C stops the workers and is passed on."""
    slots, workers, lock = queue.SimpleQueue(), set(), threading.Lock()
    for i in range(nproc):
        slots.put(gpus[i % len(gpus)] if gpus else None)
    visible = [v for v in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if v]  # what GPU 0, 1, ... are here
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    threads = str(max(1, cpus // nproc))
    failed, stop = [], threading.Event()
    bar = tqdm(total=len(runs), desc='runs', unit='run', file=sys.stderr, disable=None)

    def work(run):
        if stop.is_set():
            return
        gpu = slots.get()
        env = {**os.environ, 'OMP_NUM_THREADS': threads, 'PYTHONUNBUFFERED': '1'}
        env['CUDA_VISIBLE_DEVICES'] = '' if gpu is None else visible[gpu] if visible else str(gpu)
        tick = time.time()
        try:
            run.log.parent.mkdir(parents=True, exist_ok=True)
            with open(run.log, 'w', encoding='utf-8') as log:
                with lock:
                    if stop.is_set():
                        return
                    # A session of its own, so that a Ctrl-C at the terminal reaches this process alone.
                    worker = subprocess.Popen(run.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                              start_new_session=True)
                    workers.add(worker)
                progress()
                why = worker.wait() and 'exit status %d' % worker.returncode
        except OSError as e:
            worker, why = None, '%s: %s' % (e.filename, e.strerror)
        finally:
            slots.put(gpu)
        with lock:
            workers.discard(worker)
            if why and not stop.is_set():
                failed.append(run)
                bar.write(failure(run, why), file=sys.stderr)
            elif verbose and not stop.is_set():
                bar.write('finished %s in %s' % (run.output, clock(time.time() - tick)))
        bar.update()
        progress()

    def progress():
        bar.set_postfix(finished=bar.n - len(failed), failed=len(failed), running=len(workers))

    # Ending this process by a signal ends the workers too.
    handlers = {s: signal.signal(s, signal.default_int_handler) for s in (signal.SIGTERM, signal.SIGHUP)
                if signal.getsignal(s) != signal.SIG_IGN  # as under nohup
                } if threading.current_thread() is threading.main_thread() else {}
    pool = ThreadPoolExecutor(nproc)
    try:
        for future in [pool.submit(work, run) for run in runs]:
            future.result()
    except KeyboardInterrupt:
        with lock:
            stop.set()
            for worker in workers:
                worker.terminate()
        for worker in list(workers):
            try:
                worker.wait(10)
            except subprocess.TimeoutExpired:
                worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
        for s, handler in handlers.items():
            signal.signal(s, handler)
    return failed


def failure(run, why):
    """What to say of a run that failed: why, and the last lines of its log."""
    try:
        last = run.log.read_text(encoding='utf-8', errors='replace').strip().splitlines()[-5:]
    except OSError:
        last = []
    return '\n'.join(['failed (%s): run.py %s; log %s' % (why, ' '.join(run.argv), run.log)] + ['    ' + s for s in last])


def add_options(parser):
    """The options of how a plan is carried out, for the scripts that make one."""
    how = parser.add_argument_group('carrying it out')
    how.add_argument('--execute', action='store_true', help='run the plan; without it, it is only shown')
    how.add_argument('--nproc', type=whole, default=1, metavar='N', help='runs at a time (default %(default)s)')
    how.add_argument('--verbose', action='store_true', help='a line for every run that finishes')
    how.add_argument('--launcher', choices=('local', 'slurm'), default='local',
                     help='here, or as one job array of a Slurm cluster (default %(default)s)')
    slurm = parser.add_argument_group('with --launcher slurm (needs: pip install submitit)')
    slurm.add_argument('--partition', help='partition of the cluster')
    slurm.add_argument('--gpus-per-task', type=options.Hyper('gpus_per_task', int, 0, least=0, most=64).parse, default=0, metavar='N', help='default %(default)s')
    slurm.add_argument('--cpus-per-task', type=whole, default=1, metavar='N', help='default %(default)s')
    slurm.add_argument('--timeout-min', type=whole, default=24 * 60, metavar='MINUTES', help='default %(default)s')
    slurm.add_argument('--array-parallelism', type=whole, default=100, metavar='N',
                       help='jobs at a time, at most (default %(default)s)')
    slurm.add_argument('--no-wait', action='store_true', help='return once the jobs are submitted')


def whole(text):
    """A whole number of 1 to 10000."""
    return options.Hyper('the value', int, 1, least=1, most=10000).parse(text)


def passed_on(argv, *own):
    """(the script's own options, those after -- for run.py). Raises UserError for one of those that the plan sets."""
    cut = argv.index('--') if '--' in argv else len(argv)
    for option in argv[cut + 1:]:
        if option.split('=')[0] in ('--experiment', '--approach', '--seed', '--output', '--resume', '--rerun', *own):
            raise UserError('%s after --: the plan sets it' % option)
    return argv[:cut], argv[cut + 1:]


def names(what, text, folder, several=True):
    """The names in a text, comma-separated if there may be several. Raises UserError for one that is not a choice."""
    there, given = utils.choices(folder), text.split(',') if several else [text]
    for name in given:
        if name not in there:
            raise UserError('%s: no %r; there are: %s' % (what, name, ', '.join(there)))
    return list(dict.fromkeys(given))


def gpu_ids(text=None, count=None):
    """The GPUs to use: those in a text ('0,1', or 'cpu' for none), or the first count (default: all there are).
    Raises UserError if they are not there."""
    import torch
    there = list(range(torch.cuda.device_count()))
    if text is not None and text != 'cpu':
        wanted = text.split(',')
        if not all(w.isdecimal() and w.isascii() and int(w) in there for w in wanted):
            raise UserError('GPU %s: this machine has %s; give cpu for none' % (text, there or 'none'))
        return [int(w) for w in wanted]
    if text == 'cpu':
        return []
    if count is not None and not 0 <= count <= len(there):
        raise UserError('--ngpus %d: this machine has %d' % (count, len(there)))
    return there[:count]


def seeds(text):
    """[0, 1, 2, 7] of '0-2,7'. Raises UserError."""
    out = []
    for part in text.split(','):
        if not re.fullmatch(r'\d{1,9}(-\d{1,9})?', part, re.ASCII):
            raise UserError('--seeds %s: expected numbers and ranges such as 0-9 or 0,2,5-7' % reprlib.repr(text))
        first, _, last = part.partition('-')
        span = range(int(first), int(last or first) + 1)
        if not 0 < len(span) <= 10000:
            raise UserError('--seeds %s: the range %s has %d seeds' % (text, part, len(span)))
        out += span
    return list(dict.fromkeys(out))


def carry_out(args, runs, folder, gpus=()):
    """Shows a plan and, with --execute, carries it out; returns the exit status."""
    todo = show(runs, folder, args.array_parallelism if args.launcher == 'slurm' else args.nproc)
    if not args.execute:
        print('Nothing was run: add --execute')
        return 0
    if args.launcher == 'slurm':
        import slurm
        failed = slurm.execute(todo, args)
    else:
        failed = execute(todo, args.nproc, gpus, args.verbose)
    print('%d runs finished, %d failed%s' % (sum(run.status() == 'finished' for run in runs), len(failed),
                                             ''.join('\n    ' + str(run.log) for run in failed)))
    return 1 if failed else 0


def script(main, prog):
    """Calls main() as a command: UserErrors in one line with status 2, Ctrl-C with status 130."""
    try:
        sys.exit(main())
    except UserError as e:
        print('%s: %s' % (prog, ' '.join(str(e).split())), file=sys.stderr)
        sys.exit(2)
    except (OSError, UnicodeError) as e:
        print('%s: %s: %s' % (prog, getattr(e, 'filename', None) or 'writing failed',
                              getattr(e, 'strerror', None) or type(e).__name__), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print('%s: interrupted; the workers are stopped, finished results stay' % prog, file=sys.stderr)
        sys.exit(130)
