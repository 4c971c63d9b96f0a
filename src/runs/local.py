"""Carrying a plan out on this machine, several runs side by side."""
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from tqdm import tqdm

from runs import locking, plan, stopping


def execute(runs, nproc=1, gpus=(), verbose=False):
    """Carry runs out, nproc at a time, as Workers does. Return the failed ones; not those that other
    processes are doing."""
    workers = Workers(len(runs), nproc, gpus, verbose)
    workers.each(workers.carry_out, runs)
    left = [run for run in workers.elsewhere if not locking.busy(run.output)]
    return workers.failed + [run for run in left if run.status() != 'finished']


class Workers:
    """Processes of run.py, nproc at a time, over the given GPUs (or the CPU, its threads shared fairly unless
    OMP_NUM_THREADS says how many each has), each with its own log, and a progress bar of so many. failed: the
    runs that failed so far; elsewhere: those that another process is doing; stop: set once everything is to
    end."""

    def __init__(self, total, nproc=1, gpus=(), verbose=False):
        self.nproc, self.verbose, self.stop = nproc, verbose, threading.Event()
        self.failed, self.elsewhere = [], []
        self.slots, self.running, self.lock = queue.SimpleQueue(), set(), threading.Lock()
        for i in range(nproc):
            self.slots.put(gpus[i % len(gpus)] if gpus else None)
        # what GPU 0, 1, ... are here
        self.visible = [v for v in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if v]
        cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
        self.threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, cpus // nproc))
        self.bar = tqdm(total=total, desc='runs', unit='run', file=sys.stderr, disable=None)

    def each(self, work, items):
        """Call work(item) for every item, nproc at a time. Whatever ends this early, such as Ctrl-C, stops
        the workers and is passed on."""
        def one(item):
            if not self.stop.is_set():
                work(item)
                self.bar.update()
                self.progress()
        # Ending this process by a signal ends the workers too, unless it is ignored, as under nohup.
        numbers = [s for s in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(s) != signal.SIG_IGN]
        with stopping.handled(numbers, signal.default_int_handler):
            pool = ThreadPoolExecutor(self.nproc)
            try:
                for future in as_completed([pool.submit(one, item) for item in items]):
                    future.result()
            except BaseException:
                with self.lock:
                    self.stop.set()
                    for worker in self.running:
                        worker.terminate()
                for worker in list(self.running):
                    end(worker)
                raise
            finally:
                pool.shutdown(cancel_futures=True)
                self.bar.close()

    def carry_out(self, run, wait=subprocess.Popen.wait):
        """Carry a run out, unless another process is doing so; wait(worker) returns the exit status to
        judge it by. Return that, or None if it was not started, or all is stopped."""
        if locking.busy(run.output):
            self.elsewhere.append(run)
            return None
        gpu, tick, status = self.slots.get(), time.monotonic(), None
        env = {**os.environ, 'OMP_NUM_THREADS': self.threads, 'PYTHONUNBUFFERED': '1'}
        env['CUDA_VISIBLE_DEVICES'] = '' if gpu is None else self.visible[gpu] if self.visible else str(gpu)
        try:
            run.log.parent.mkdir(parents=True, exist_ok=True)
            with open(run.log, 'w', encoding='utf-8') as log:
                with self.lock:
                    if self.stop.is_set():
                        return None
                    # A session of its own, so that a Ctrl-C at the terminal reaches this process alone.
                    worker = subprocess.Popen(run.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                              env=env, start_new_session=True)
                    self.running.add(worker)
                self.progress()
                status = wait(worker)
                why = status and run.status() != 'finished' and 'exit status %d' % status
        except OSError as e:
            worker, why = None, '%s: %s' % (e.filename, e.strerror)
        finally:
            self.slots.put(gpu)
        with self.lock:
            self.running.discard(worker)
            if self.stop.is_set():
                return None
            if why and locking.busy(run.output):  # it has begun in the meantime
                self.elsewhere.append(run)
            elif why:
                self.failed.append(run)
                self.bar.write(plan.failure(run, why), file=sys.stderr)
            elif self.verbose:
                self.bar.write('finished %s in %s' % (run.output, plan.clock(time.monotonic() - tick)))
        return status

    def progress(self):
        """Show how many there are."""
        failed = len(self.failed)
        self.bar.set_postfix(finished=self.bar.n - failed, failed=failed, running=len(self.running))


def end(worker, seconds=10):
    """Wait for a process that was asked to end, and kill it if it does not."""
    try:
        worker.wait(seconds)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
