"""Milliseconds per step: as the original states it (a), by the plain code here (p), as run.py has it, with fast/ (b), and the
bare products (c), in turns.

    bash scripts/bench.sh [--rounds 9] [--only hat-mlp,sgd-mlp,...] [run.py's options for speed: --amp bf16, ...]
    bash scripts/bench.sh hat --help        # what leaving out HAT's switched-off units gains, also on real data

(a) and the others run in two processes that take turns, as (b) and (c) have the process settings of run.py. A line is
min/median/max over the rounds of ms per step; ratios are medians over the rounds.
"""
import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

from runs import commandline, machine

CASES = {  # name: approach, network, whether convolutional, from the second task on, steps per round
    'hat-mlp': ('hat', 'mlp_hat', False, False, 100), 'hat-mlp-2nd': ('hat', 'mlp_hat', False, True, 100),
    'sgd-mlp': ('sgd', 'mlp', False, False, 100), 'ewc-mlp-2nd': ('ewc', 'mlp', False, True, 100),
    'hat-alexnet': ('hat', 'alexnet_hat', True, False, 16), 'sgd-alexnet': ('sgd', 'alexnet', True, False, 16)}
SBATCH = 64


class Case:
    """One approach on one network and random images, in the three ways."""

    def __init__(self, args, approach, network, conv, second, steps):
        import torch
        from plain import Floor, Trainer
        torch.manual_seed(0)
        device = machine.choose_device(args.device)
        self.n, self.t, self.steps = steps * SBATCH, int(second), steps
        self.x = torch.randn(self.n, *((3, 32, 32) if conv else (1, 28, 28)), device=device)
        self.y = torch.randint(0, 10, (self.n,), device=device)
        self.trainer = Trainer(conv, approach, second, device)
        self.floor = Floor(self.trainer)
        self.fast, self.slow = (self.make(args, approach, network, second, plain) for plain in (False, True))

    def make(self, args, approach, network, second, plain):
        """An approach of the project's, by plain code alone or not."""
        import torch
        import discovery
        size, taskcla = list(self.x.shape[1:]), [(t, 10) for t in range(10)]
        net = discovery.load('networks', network).Net(size, taskcla).to(self.x.device)
        appr = discovery.load('approaches', approach).Appr(net, lr=0.05, sbatch=SBATCH)
        machine.apply(appr, argparse.Namespace(**{**vars(args), 'approach': approach, 'plain': plain}))
        appr.configure(seen=self.t + 1)
        if second and approach == 'hat':
            appr.mask_pre = [m.clone() for m in self.trainer.pre]
        if second and approach == 'ewc':
            appr.old = {n: p.detach().clone() for n, p in net.named_parameters()}
            appr.information = {n: 1e-6 * torch.rand_like(p) for n, p in net.named_parameters()}
        return appr

    def a(self):
        for i in range(0, self.n, SBATCH):
            self.trainer.step(self.x[i:i + SBATCH].clone(), self.y[i:i + SBATCH], i / self.n)

    def b(self):
        self.fast.train_epoch(self.t, self.x, self.y)

    def p(self):
        self.slow.train_epoch(self.t, self.x, self.y)

    def c(self):
        for _ in range(self.steps):
            self.floor.step()

    def evaluate_a(self):
        self.trainer.evaluate(self.x, self.y)

    def evaluate_b(self):
        self.fast.eval(self.t, self.x, self.y)

    def evaluate_p(self):
        self.slow.eval(self.t, self.x, self.y)

    def evaluate_c(self):
        for _ in range(self.steps):
            self.floor.step(forward_only=True)


def work(pipe, prepared, *case):
    """A process that makes a case and then does and times what it is told to: ms per step, and its peak memory in MB."""
    import torch
    if prepared:
        machine.prepare()
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    case = Case(*case)
    while True:
        way = pipe.recv()
        tick = time.perf_counter()
        getattr(case, way)()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        pipe.send((1000 * (time.perf_counter() - tick) / case.steps,
                   (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) / 1024))


def measure(args, name):
    """{way: [ms per step of each round]} and the two processes' peak memory."""
    spawn, ends, processes = multiprocessing.get_context('spawn'), [], []
    for prepared in (False, True):
        mine, theirs = spawn.Pipe()
        processes.append(spawn.Process(target=work, args=(theirs, prepared, args, *CASES[name]), daemon=True))
        processes[-1].start()
        ends.append(mine)
    ways = [prefix + way for prefix in ('', 'evaluate_') for way in 'apbc']
    times, memory = {way: [] for way in ways}, [0, 0]
    for r in range(args.rounds + 1):
        for way in ways:
            i = int(not way.endswith('a'))
            ends[i].send(way)
            ms, memory[i] = ends[i].recv()
            if r:
                times[way].append(ms)
    for p in processes:
        p.terminate()
        p.join()
    return times, memory


def median(values):
    return sorted(values)[len(values) // 2]


def show(ts):
    """'min/median/max'."""
    return '/'.join('%.2f' % t for t in (min(ts), median(ts), max(ts)))


def table(args):
    """Prints the table of all cases."""
    print('| ms per step of %d | stated (a) | plain (p) | here (b) | floor (c) | a/b | p/b | b/c | MB a, here |' % SBATCH)
    print('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
    for name in args.only.split(','):
        times, memory = measure(args, name)
        for label, prefix in ((name, ''), (name + ', evaluation', 'evaluate_')):
            a, p, b, c = (times[prefix + way] for way in 'apbc')
            ratios = [median([x / y for x, y in zip(*pair)]) for pair in ((a, b), (p, b), (b, c))]
            print('| %s | %s | %s | %s | %s | %.2f | %.2f | %.2f | %.0f, %.0f |' % (
                label, show(a), show(p), show(b), show(c), *ratios, *memory), flush=True)


def main(argv=None):
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--only', default=','.join(CASES))
    parser.add_argument('--device', default='auto')
    for name in ('channels_last', 'amp', 'compile', 'tf32', 'plain'):
        commandline.ALL[name].add(parser)
    args = parser.parse_args(argv)
    import torch
    print('%s; torch %s; %s' % (machine.describe(machine.choose_device(args.device))['device'], torch.__version__,
                                ' '.join(sys.argv[1:])))
    table(args)


if __name__ == '__main__':
    main()
