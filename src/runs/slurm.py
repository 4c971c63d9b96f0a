"""Carrying a plan out as one job array of a Slurm cluster, through submitit."""
import json
import os
import re
import subprocess
import sys
import time

from tqdm import tqdm

import utils
from runs import checkpoint, plan
from utils import ROOT, UserError

FOLDER = ROOT / 'logs' / 'slurm'  # submitit's files: one log per job
SUBMITTED = FOLDER / 'submitted.json'  # {result: job}
# squeue's reasons of jobs that ask for what they cannot get
NEVER = re.compile(r'PartitionConfig|PartitionNodeLimit|PartitionTimeLimit|BadConstraints|Invalid\w+|'
                   r'\w+NotAllowed|\w+PerJob\w*|DependencyNeverSatisfied')
EVERY = 2  # seconds between two looks at the queue
TRIES = 5  # starts of a job in a row that may end without a new checkpoint


def execute(runs, args):
    """Submit the runs that are not queued already and, unless args.no_wait, wait for all; return the
    failed ones. Ctrl-C stops the waiting, not the jobs. Raises UserError if submitit or Slurm is missing."""
    executor = make_executor(args)
    SUBMITTED.parent.mkdir(parents=True, exist_ok=True)
    try:
        submitted = dict(json.loads(SUBMITTED.read_text()))
    except (OSError, ValueError, TypeError):
        submitted = {}
    jobs = {str(run.output): submitted.get(str(run.output)) for run in runs}
    queued = in_queue()
    new = [run for run in runs if jobs[str(run.output)] not in queued]
    if len(new) < len(runs):
        print('%d runs are in the queue already' % (len(runs) - len(new)))
    if new:
        for run in new:
            run.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            array = executor.map_array(Call(), [run.command for run in new], [str(run.log) for run in new],
                                       [str(checkpoint.folder(run.output) / 'checkpoint.pt') for run in new])
        except Exception as e:  # submitit passes on whatever sbatch says
            why = ' '.join(str(e).split())[-300:]
            raise UserError('--launcher slurm: the jobs were not taken (%s)' % why)
        jobs.update({str(run.output): job.job_id for run, job in zip(new, array)})
        print('Submitted %d jobs: %s to %s' % (len(new), array[0].job_id, array[-1].job_id))
        with utils.replacing(SUBMITTED) as f:
            json.dump({**submitted, **jobs}, f, indent=1)
    if args.no_wait:
        time.sleep(EVERY)
        cancel_hopeless(in_queue(), jobs.values())
        print('Not waiting: the same command picks up what is missing later')
        return []
    return wait(runs, jobs)


class Call:
    """A job: run.py with its output in the run's own log. When its time is up or it is preempted, run.py
    saves its state and the job is put back into the queue, to go on from there, as often as it takes."""

    idle = 0  # starts in a row that left no new checkpoint

    def __call__(self, command, log, saved):
        """Run the command, whose checkpoint is the file `saved`; raise CalledProcessError if it fails."""
        env = {'OMP_NUM_THREADS': os.environ.get('SLURM_CPUS_PER_TASK', '1'), **os.environ,
               'PYTHONUNBUFFERED': '1'}
        self.before = changed(saved)
        with open(log, 'a', encoding='utf-8') as f:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=f, stderr=f, env=env)
            self.wait(float('inf'))
            if self.process.returncode:
                raise subprocess.CalledProcessError(self.process.returncode, command)

    def wait(self, seconds):
        """Wait for the process by looking, as a signal may interrupt one wait and start another."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)

    def checkpoint(self, command, log, saved):
        """Return, before submitit stops the job, what to put back into the queue. Raises RuntimeError,
        which ends the job, if its starts get nowhere."""
        from submitit.helpers import DelayedSubmission
        self.process.terminate()
        self.wait(60)
        del self.process
        self.idle = 0 if changed(saved) != self.before else self.idle + 1
        if self.idle >= TRIES:
            why = ('%d starts in a row were stopped before the end of an epoch: give more than this '
                   '--timeout-min' % TRIES)
            with open(log, 'a', encoding='utf-8') as f:
                print(why, file=f)
            raise RuntimeError(why)
        return DelayedSubmission(self, command, log, saved)


def changed(path):
    """Return when a run's checkpoint was last changed, in ns, and that of one that is to replace a result;
    None where there is none."""
    folder, name = os.path.split(path)
    both = path, os.path.join(folder, 'next', name)
    return [os.stat(p).st_mtime_ns if os.path.exists(p) else None for p in both]


def make_executor(args):
    """Return submitit's executor for the options given."""
    try:
        import cloudpickle
        import submitit
    except ImportError:
        raise UserError('--launcher slurm needs submitit: pip install submitit')
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # jobs do not have src/ on their path
    try:
        executor = submitit.AutoExecutor(folder=str(FOLDER), cluster='slurm', slurm_max_num_timeout=10 ** 6)
    except RuntimeError as e:
        raise UserError('--launcher slurm: %s' % e)
    # when run.py is told, before the time is up
    settings = {'name': 'hat', 'timeout_min': args.timeout_min, 'cpus_per_task': args.cpus_per_task,
                'tasks_per_node': 1, 'slurm_array_parallelism': args.array_parallelism,
                'slurm_signal_delay_s': min(90, 15 * args.timeout_min)}
    if args.partition:
        settings['slurm_partition'] = args.partition
    if args.gpus_per_task:
        settings['slurm_gpus_per_task'] = args.gpus_per_task
    executor.update_parameters(**settings)
    return executor


def in_queue():
    """Return the jobs of this user that wait or run, as 'array_index', and why each does not run: {job:
    squeue's reason}."""
    try:
        done = subprocess.run(['squeue', '--me', '--noheader', '--array', '--format=%i %r'],
                              capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        why = ' '.join((getattr(e, 'stderr', '') or str(e)).split())
        raise UserError('--launcher slurm: squeue failed (%s)' % why)
    return dict(line.split(None, 1) for line in done.stdout.splitlines())


def cancel_hopeless(queued, ours):
    """Take the jobs out of the queue that can never start, and name them; return those that stay, as
    in_queue() does."""
    hopeless = sorted(j for j in ours if NEVER.match(queued.get(j, '')))
    if hopeless:
        print('%d jobs can never start (%s) and are taken out of the queue: ask for what the partition has'
              % (len(hopeless), ', '.join(sorted({queued[j] for j in hopeless}))), file=sys.stderr)
        subprocess.run(['scancel', *hopeless], capture_output=True)
    return {j: why for j, why in queued.items() if j not in hopeless}


def wait(runs, jobs):
    """Wait until no job is in the queue, with a progress bar; return the runs that did not finish."""
    with tqdm(total=len(runs), desc='jobs', unit='job', file=sys.stderr, disable=None) as bar:
        try:
            left, failures = list(runs), 0
            while left:
                time.sleep(EVERY)
                try:
                    queued = cancel_hopeless(in_queue(), [jobs[str(run.output)] for run in left])
                except UserError as e:  # the controller may be busy for a while
                    failures += 1
                    if failures > 30:
                        raise e
                    continue
                failures = 0
                left = [run for run in left if jobs[str(run.output)] in queued]
                bar.n = len(runs) - len(left)
                bar.refresh()
        except KeyboardInterrupt:
            print('The jobs go on; scancel stops them, the same command picks up what is missing',
                  file=sys.stderr)
            sys.exit(130)
    time.sleep(EVERY)  # shared folders may lag behind the queue
    failed = [run for run in runs if run.status() != 'finished']
    for run in failed:
        print(plan.failure(run, 'job %s' % jobs[str(run.output)]), file=sys.stderr)
    return failed
