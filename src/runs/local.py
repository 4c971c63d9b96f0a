"""Carrying a plan out on this machine, several runs side by side."""
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from runs import plan


def execute(runs, nproc=1, gpus=(), verbose=False):
    """Carries runs out, nproc at a time, over the given GPUs (or the CPU, its threads shared fairly unless
    OMP_NUM_THREADS says how many each has), each with its own log. Returns the failed ones. Ctrl-C stops the workers and is passed on."""
    slots, workers, lock = queue.SimpleQueue(), set(), threading.Lock()
    for i in range(nproc):
        slots.put(gpus[i % len(gpus)] if gpus else None)
    visible = [v for v in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if v]  # what GPU 0, 1, ... are here
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, cpus // nproc))
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
                why = worker.wait() and run.status() != 'finished' and 'exit status %d' % worker.returncode
        except OSError as e:
            worker, why = None, '%s: %s' % (e.filename, e.strerror)
        finally:
            slots.put(gpu)
        with lock:
            workers.discard(worker)
            if why and not stop.is_set():
                failed.append(run)
                bar.write(plan.failure(run, why), file=sys.stderr)
            elif verbose and not stop.is_set():
                bar.write('finished %s in %s' % (run.output, plan.clock(time.time() - tick)))
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
