"""What a training step and an evaluation cost at the second and at the last of many tasks, memory and size of a checkpoint.

    bash scripts/bench.sh scaling [--name mnist --data-dir <folder>] [--ntasks 5,20,100] [--rounds 7]

permuted:<name>:<ntasks> with sgd, ewc and joint on mlp and hat on mlp_hat, as after training but with weights as drawn, batches
of 64. In turns; a cell is min/median/max over the rounds, the ratio that of the medians. Every number of tasks runs in a process
of its own, of which the memory is the peak so far, imports (about 600 MB) included.
"""
import argparse
import io
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

APPROACHES, STEPS = ('sgd', 'ewc', 'joint', 'hat'), 20


class Case:
    """An approach on so many tasks, as it is when it has met all of them."""

    def __init__(self, name, data, taskcla, size):
        import fast
        import discovery
        import utils
        from networks import mlp, mlp_hat
        utils.seed_everything(0)
        self.data, self.name = data, name
        self.appr = discovery.load('approaches', name).Appr((mlp_hat if name == 'hat' else mlp).Net(size, taskcla), nepochs=1)
        self.appr.configure(wing=fast.of(self.appr))
        if name == 'ewc':
            self.appr.end_task(0, *self.batches(0, 5))
        elif name == 'hat':
            self.appr.end_task(0, None, None)

    def batches(self, t, count):
        """Images and labels of task t; for joint, of all up to it."""
        import torch
        from runs import sequence
        self.appr.configure(seen=t + 1)
        if self.name == 'joint':
            there = SimpleNamespace(appr=self.appr, args=SimpleNamespace(approach='joint'), data=self.data, device='cpu',
                                    foreign=False)
            _, x, y, *_ = sequence.Sequence.training_data(there, t)
            chosen = torch.randperm(len(x))[:64 * count]
            return Part(x, chosen), y[chosen]
        return (self.data[t]['train'][k][:64 * count] for k in 'xy')

    def step(self, t):
        """Milliseconds per step of task t."""
        x, y = self.batches(t, STEPS)
        tick = time.perf_counter()
        self.appr.train_epoch(t, x, y)
        return 1000 * (time.perf_counter() - tick) / STEPS

    def evaluation(self, t):
        """Milliseconds of a test of task t, once its images are floats."""
        self.appr.configure(seen=t + 1)
        x, y = (self.data[t]['test'][k] for k in 'xy')
        tick = time.perf_counter()
        self.appr.eval(t, x, y)
        return 1000 * (time.perf_counter() - tick)

    def checkpoint(self):
        """Bytes of a checkpoint within a task."""
        import torch
        from learning.fitting import IDLE
        from runs.checkpoint import Checkpoint
        saved, whole = Checkpoint('res/scaling.txt', {}, every=1e9), io.BytesIO()
        self.appr.configure(at=self.appr.fitting.start())
        saved.take(self.appr, {})
        torch.save(saved.pending, whole)
        self.appr.configure(at=dict(IDLE))
        return whole.tell()


class Part:
    """Some samples of images of several tasks."""

    def __init__(self, pool, chosen):
        self.pool, self.chosen, self.device, self.tasks = pool, chosen, pool.device, pool.tasks[chosen]

    def __len__(self):
        return len(self.chosen)

    def __getitem__(self, b):
        return self.pool[self.chosen[b]]


def measure(args, ntasks, send):
    """Sends a line of the table per approach, for so many tasks."""
    from runs import build, machine
    machine.prepare()
    tick = time.perf_counter()
    data, taskcla, size = build.experiment('permuted:%s:%d' % (args.name, ntasks), args.data_dir).get(data_dir=args.data_dir)
    ready = time.perf_counter() - tick
    for name in APPROACHES:
        case, found = Case(name, data, taskcla, size), {}
        for k in range(args.rounds + 1):
            for what in ('step', 'evaluation'):
                for t in (1, ntasks - 1):
                    found.setdefault((what, t == 1), []).append(getattr(case, what)(t))
        cells = []
        for what in ('step', 'evaluation'):
            first, last = ([sorted(v[1:]) for v in (found[what, True], found[what, False])])
            cells += ['%.1f/%.1f/%.1f' % (v[0], v[len(v) // 2], v[-1]) for v in (first, last)]
            cells.append('%.2f' % (last[len(last) // 2] / first[len(first) // 2]))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform != 'darwin' else 1e6)
        send.send('| %d | %s | %s | %.0f | %.0f | %.1f |' % (ntasks, name, ' | '.join(cells), memory, case.checkpoint() / 1e6, ready))
    send.send(None)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--name', default='glyphs', help='raw data set (default %(default)s)')
    parser.add_argument('--data-dir', default='dat')
    parser.add_argument('--ntasks', default='5,20,100')
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    print('| tasks | approach | ms per step, task 2 | last task | ratio | ms per test, task 2 | last task | ratio | memory MB | checkpoint '
          'MB | s to load |\n|' + ' ---: |' * 11)
    context = multiprocessing.get_context('spawn')
    for ntasks in map(int, args.ntasks.split(',')):
        receive, send = context.Pipe(False)
        process = context.Process(target=measure, args=(args, ntasks, send))
        process.start()
        while line := receive.recv():
            print(line, flush=True)
        process.join()


if __name__ == '__main__':
    main()
