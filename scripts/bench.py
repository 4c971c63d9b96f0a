"""Milliseconds per step: as the original states it (a), as it is here (b), and the bare products (c), interleaved.

    bash scripts/bench.sh [--data-dir dat] [--rounds 7] [--only hat-mlp,sgd-mlp,...] [--options fast-dropout,...]

prints a table in markdown: min/median/max over the rounds and the ratios of medians. MNIST is used if it is there, random
images else; the time of a step does not depend on them, but how many of HAT's units take part does.
"""
import argparse
import contextlib
import os
import platform
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'src'))

import torch; torch.set_flush_denormal(True)

import machine
import utils
from plain import Floor, Trainer

CASES = {  # name: approach, network, whether convolutional, from the second task on, steps per round
    'hat-mlp': ('hat', 'mlp_hat', False, False, 100), 'hat-mlp-2nd': ('hat', 'mlp_hat', False, True, 100),
    'sgd-mlp': ('sgd', 'mlp', False, False, 100), 'ewc-mlp-2nd': ('ewc', 'mlp', False, True, 100),
    'hat-alexnet': ('hat', 'alexnet_hat', True, False, 12), 'hat-alexnet-2nd': ('hat', 'alexnet_hat', True, True, 12),
    'sgd-alexnet': ('sgd', 'alexnet', True, False, 12)}
SBATCH = 64


class Case:
    """One approach on one network, in the three ways, on the same images."""

    def __init__(self, approach, network, conv, second, steps, settings):
        torch.manual_seed(0)
        self.n, self.second = steps * SBATCH, second
        self.x = torch.randn(self.n, *((3, 32, 32) if conv else (1, 28, 28)))
        self.y = torch.randint(0, 10, (self.n,))
        self.trainer = Trainer(conv, approach, second)
        self.floor = Floor(self.trainer)
        net = utils.load('networks', network).Net(list(self.x.shape[1:]), [(t, 10) for t in range(10)])
        self.appr = utils.load('approaches', approach).Appr(net, lr=0.05, sbatch=SBATCH)
        machine.apply(self.appr, settings)
        if second and approach == 'hat':
            self.appr.mask_pre = [m.clone() for m in self.trainer.pre]
            self.appr.restored()
        if second and approach == 'ewc':
            self.appr.anchor()
            self.appr.fisher = {n: 1e-6 * torch.rand_like(p) for n, p in net.named_parameters()}
        self.steps = steps

    def a(self):
        for i in range(0, self.n, SBATCH):
            self.trainer.step(self.x[i:i + SBATCH].clone(), self.y[i:i + SBATCH], i / self.n)

    def b(self):
        self.appr.train_epoch(int(self.second), self.x, self.y)

    def c(self):
        for _ in range(self.steps):
            self.floor.step()

    def ea(self):
        self.trainer.evaluate(self.x, self.y)

    def eb(self):
        self.appr.eval(int(self.second), self.x, self.y)

    def ec(self):
        for _ in range(self.steps):
            self.floor.step(forward_only=True)


def measure(case, rounds):
    """{way: [ms per step, sorted]}, the ways interleaved."""
    times = {way: [] for way in ('a', 'b', 'c', 'ea', 'eb', 'ec')}
    for r in range(rounds + 1):
        for way in times:
            tick = time.perf_counter()
            getattr(case, way)()
            if r:
                times[way].append(1000 * (time.perf_counter() - tick) / case.steps)
    return {way: sorted(ts) for way, ts in times.items()}


def show(ts):
    """'min/median/max'."""
    return '/'.join('%.2f' % t for t in (ts[0], ts[len(ts) // 2], ts[-1]))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--only', default=','.join(CASES))
    parser.add_argument('--dense', action='store_true')
    parser.add_argument('--fast-dropout', action='store_true')
    args = parser.parse_args(argv)
    print('%s, %d threads, torch %s, batches of %d' % (
        machine.processor(), torch.get_num_threads(), torch.__version__, SBATCH))
    print('| | plain (a) | here (b) | floor (c) | a/b | b/c |\n| --- | ---: | ---: | ---: | ---: | ---: |')
    for name in args.only.split(','):
        times = measure(Case(*CASES[name], args), args.rounds)
        for label, ways in ((name, 'abc'), (name + ', evaluation', ('ea', 'eb', 'ec'))):
            ts = [times[w] for w in ways]
            a, b, c = (t[len(t) // 2] for t in ts)
            print('| %s | %s | %.2f | %.2f |' % (label, ' | '.join(map(show, ts)), a / b, b / c), flush=True)
    print('peak memory %.0f MB' % (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


if __name__ == '__main__':
    main()
