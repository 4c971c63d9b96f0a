"""A step of sgd on 2 x 100 units with batches of 10, as run.py has it and by plain code, against a bare PyTorch loop.

    bash scripts/bench.sh small [--rounds 9] [--src <another checkout>/src]

In turns; a cell is min/median/max over the rounds of microseconds per step, ratios are medians over the rounds.
"""
import argparse
import sys
import time
from pathlib import Path

STEPS, SBATCH = 1000, 10


def bare(net, x, y, optimizer):
    """An epoch of the loop that everybody writes."""
    import numpy as np
    import torch
    net.train()
    r = np.arange(len(x))
    np.random.shuffle(r)
    r = torch.from_numpy(r)
    for i in range(0, len(x), SBATCH):
        b = r[i:i + SBATCH]
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x[b]), y[b])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10000)
        optimizer.step()


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--src', default=str(Path(__file__).resolve().parents[2] / 'src'))
    args = parser.parse_args()
    sys.path.insert(0, args.src)
    import torch
    from torch import nn
    from approaches import sgd
    from networks import mlp
    from runs import machine
    machine.prepare()
    x, y = torch.randn(STEPS * SBATCH, 1, 28, 28), torch.randint(0, 10, (STEPS * SBATCH,))
    stated = nn.Sequential(nn.Flatten(), nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.SGD(stated.parameters(), lr=.01)

    def made():
        return sgd.Appr(mlp.Net([1, 28, 28], [(0, 10)], 2, 100, 0.), sbatch=SBATCH, lr=.01)
    here, plain = made(), made()
    if hasattr(here, 'configure'):
        import fast
        here.configure(wing=fast.of(here))
    ways = {'bare loop': lambda: bare(stated, x, y, optimizer), 'here': lambda: here.train_epoch(0, x, y),
            'plain': lambda: plain.train_epoch(0, x, y)}
    times = {name: [] for name in ways}
    for _ in range(args.rounds + 1):
        for name, way in ways.items():
            tick = time.perf_counter()
            way()
            times[name].append(1e6 * (time.perf_counter() - tick) / STEPS)
    for name, ts in times.items():
        ratio = sorted(t / b for t, b in zip(ts[1:], times['bare loop'][1:]))[args.rounds // 2]
        print('%-10s %.0f/%.0f/%.0f us per step, %.2f times the bare loop' % (
            name, min(ts[1:]), sorted(ts[1:])[args.rounds // 2], max(ts[1:]), ratio))


if __name__ == '__main__':
    main()
