"""By how much leaving out HAT's switched-off units changes what is computed.

    bash scripts/bench.sh exact --data-dir dat [--tasks 2] [--batches 0]

Trains HAT on pmnist in the paper's setting, one epoch per task, and does every step twice from the same state, as here and
with --dense: prints the largest difference of any loss, weight and embedding after one step, over all steps, and the
largest step of any weight and embedding. Then an epoch of the first task three times from the same start: here, --dense,
and --dense with one thread. --batches N: on the first N batches only.
"""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

import torch

import utils
from approaches import hat
from dataloaders import pmnist
from engine.step import step
from utils import ROOT

from hat import make
from steps import SBATCH


def gaps(model, other):
    """Largest differences of a model to a state_dict: [of any weight, of any embedding]."""
    with torch.no_grad():
        gaps = [(any(p is e for e in model.embeddings()), (p - other[n]).abs().max().item()) for n, p in model.named_parameters()]
    return [max(g for e, g in gaps if e == kind) for kind in (False, True)]


class Twice(hat.Appr):
    """Does every step a second time, from the same weights and random state, with a twin that runs all units."""

    def forward(self, t, x, y):
        self.state = x, y, torch.get_rng_state()
        loss, hits = super().forward(t, x, y)
        self.loss = loss.detach()
        return loss, hits

    def choose_part(self, t):
        before = self.part
        super().choose_part(t)
        if self.model.training and self.part is not before:
            self.widths = self.part.below[1:]
            self.catch_up(t)

    def catch_up(self, t):
        """Gives the twin the same weights, once they are in the network."""
        twin = self.twin
        self.part.write_back()
        utils.set_model_(twin.model, utils.get_model(self.model))
        twin.model.train()
        twin.part = None
        twin.choose_part(t)

    def after_step(self, t):
        super().after_step(t)
        twin, before = self.twin, utils.get_model(self.twin.model)
        x, y, state = self.state
        after = torch.get_rng_state()
        torch.set_rng_state(state)
        twin.progress = self.progress
        loss = step(twin, t, x, y)
        assert torch.equal(torch.get_rng_state(), after), 'the two do not draw the same random numbers'
        twin.part.write_back()
        self.part.write_back()
        now, then = gaps(self.model, twin.model.state_dict()), gaps(twin.model, before)
        self.rows.append((abs((loss - self.loss).item()), now[0], then[0], now[1], then[1]))
        self.catch_up(t)


def by_step(data, args):
    """Prints what single steps differ by."""
    appr = make(Twice, False, args.tasks)
    appr.twin = make(hat.Appr, True, args.tasks)
    print('| task | steps | units run, last step | loss: largest difference | weights: difference; largest step | embeddings: '
          'difference; largest step |')
    print('| ---: | ---: | ---: | ---: | ---: | ---: |')
    for t in range(args.tasks):
        x, y = data[t]
        appr.rows = []
        appr.train_epoch(t, x, y)
        appr.end_task(t, x, y)
        appr.twin.mask_pre = appr.mask_pre
        print('| %d | %d | %s | %.1e | %.1e; %.1e | %.1e; %.1e |' % (
            t, len(appr.rows), ', '.join(map(str, appr.widths)), *map(max, zip(*appr.rows))), flush=True)


def by_epoch(data, test, args):
    """Prints what an epoch differs by, and what another number of threads makes."""
    threads, ends = torch.get_num_threads(), {}
    for name, dense, n in (('here', False, threads), ('dense', True, threads), ('dense, one thread', True, 1)):
        torch.set_num_threads(n)
        appr = make(hat.Appr, dense, args.tasks)
        appr.train_epoch(0, *data[0])
        torch.set_num_threads(threads)
        ends[name] = appr.model, appr.eval(0, *test)[1]
    for name, (model, accuracy) in ends.items():
        print('%s: %d of %d test images right; largest difference from dense: weights %.1e, embeddings %.1e' % (
            name, round(accuracy * len(test[1])), len(test[1]), *gaps(model, ends['dense'][0].state_dict())))


def main(argv=None):
    """Parses the command line and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data-dir', default='dat')
    parser.add_argument('--tasks', type=int, default=2)
    parser.add_argument('--batches', type=int, default=0)
    args = parser.parse_args(argv)
    from runs import machine
    machine.prepare()
    data, _, _ = pmnist.get(seed=0, data_dir=ROOT / args.data_dir)
    n = args.batches * SBATCH or None
    train = [tuple(data[t]['train'][k][:n] for k in 'xy') for t in range(args.tasks)]
    by_step(train, args)
    by_epoch(train, tuple(data[0]['test'][k] for k in 'xy'), args)


if __name__ == '__main__':
    main()
