"""What a training step of each method costs beside one of plain fine-tuning, in turns, and GEM's projection as a share of its step.

    bash scripts/bench.sh methods [--only si,mas,er,...] [--ntasks 3] [--rounds 7]

Each has learnt ntasks - 1 tasks of 640 random images and trains the last one on mlp, batches of 64, with a buffer of 500 that is as
full as they made it; gem has learnt 9 of 10. A cell is min/median/max over the rounds, ratios are medians over the rounds.
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

OPTIONS = {'agem': {'reference': 64}}  # a replay batch as large as the batch
METHODS = 'l2,ewc,ewc-online,si,mas,er,ewc-er,agem,der,derpp,gem'
SBATCH = 64


class Case:
    """A method at the last of some tasks."""

    def __init__(self, name, ntasks, steps):
        import fast
        import torch
        import discovery
        import utils
        from networks import mlp
        utils.seed_everything(0)
        self.steps, self.t = steps, ntasks - 1
        self.x, self.y = torch.randn(steps * SBATCH, 1, 28, 28), torch.randint(0, 10, (steps * SBATCH,))
        self.appr = discovery.load('approaches', name).Appr(mlp.Net([1, 28, 28], [(t, 10) for t in range(ntasks)]), 1, SBATCH,
                                                         **OPTIONS.get(name, {}))
        self.appr.configure(wing=fast.of(self.appr))
        for t in range(self.t):
            self.appr.train(t, self.x[:640], self.y[:640], self.x[:64], self.y[:64])
        self.appr.configure(seen=ntasks)
        self.appr.begin_task(self.t, self.x, self.y)
        self.projecting = 0.

    def watch(self, projection):
        """Counts the time within a projection."""
        plain = projection.gem

        def timed(*args):
            tick = time.perf_counter()
            out = plain(*args)
            self.projecting += time.perf_counter() - tick
            return out
        projection.gem = timed

    def step(self):
        """Milliseconds per step of an epoch."""
        tick = time.perf_counter()
        self.appr.train_epoch(self.t, self.x, self.y)
        return 1000 * (time.perf_counter() - tick) / self.steps


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default=METHODS)
    parser.add_argument('--ntasks', type=int, default=3)
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    from contextlib import redirect_stdout
    from io import StringIO

    from learning import projection
    from runs import machine
    from steps import median, show
    machine.prepare()
    print('| method | ms per step of %d | sgd | ratio |\n| --- | ---: | ---: | ---: |' % SBATCH)
    for name in args.only.split(','):
        steps, ntasks = (4, 10) if name == 'gem' else (20, args.ntasks)
        with redirect_stdout(StringIO()):
            case, sgd, rounds = Case(name, ntasks, steps), Case('sgd', ntasks, steps), []
        if name == 'gem':
            case.watch(projection)
        for k in range(args.rounds + 1):
            case.projecting = case.projecting if k > 1 else 0.
            rounds.append((case.step(), sgd.step()))
        mine, plain = zip(*rounds[1:])
        print('| %s | %s | %s | %.2f |' % (name, show(mine), show(plain), median([m / p for m, p in zip(mine, plain)])), flush=True)
        if name == 'gem':
            print('projection: %.0f %% of its step' % (100 * 1000 * case.projecting / steps / sum(mine)))


if __name__ == '__main__':
    main()
