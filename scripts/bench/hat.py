"""What leaving out HAT's switched-off units gains.

    bash scripts/bench.sh hat --active 10,20,40,60,80,100     # ms per step by the share of units that take part
    bash scripts/bench.sh hat --data-dir dat [--tasks 3] [--nepochs 5] [--output res/bench_hat.png]

The second trains HAT on pmnist in the paper's setting three times in turns, epoch by epoch: as the original states it
(stated, every third batch), here with --plain, and here; and times the bare products (floor). It prints seconds per epoch of
training and of the evaluation after it, the share of the units of each layer that took part, and what differs in the end.
"""
import argparse
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

from steps import SBATCH, median, show
from utils import ROOT

THIRD = 3  # the plain steps are so slow that only every third is done, and its time counted so often
LATE = 240  # of the 300 steps with a given share, those that are timed


def clock(call):
    """(seconds that a call takes, what it returns)."""
    tick = time.perf_counter()
    out = call()
    return time.perf_counter() - tick, out


def make(kind, plain, ntasks):
    """An approach of a kind on mlp_hat, by plain code alone or not, in the paper's setting, weights and random state those of seed 0."""
    import fast
    import utils
    from networks import mlp_hat
    utils.seed_everything(0)
    appr = kind(mlp_hat.Net([1, 28, 28], [(t, 10) for t in range(ntasks)]), lr=0.05, sbatch=SBATCH)
    appr.configure(wing=None if plain else fast.of(appr))
    return appr


def noting(plain, ntasks):
    """HAT that notes, for every step, when it began, the units that are run and those that take part."""
    from approaches import hat
    from fast import units
    from fast.narrow import active
    part, rebuilt = units.part, []

    def timed(*args):  # notes the ms that each change of the part that is run takes
        seconds, found = clock(lambda: part(*args))
        rebuilt.append(1000 * seconds)
        return found
    units.part = timed
    appr = make(hat.Appr, plain, ntasks)
    true, wing, layers = (appr if plain else appr.wing).step, appr.wing, appr.model.layers

    def step(batch):
        appr.starts.append(time.perf_counter())
        loss = true(batch)
        e = wing.part.e.detach() if wing else appr.model.embeddings()
        widths = wing.part.below[1:] if wing else [layer.width for layer in layers]
        on = active(e, appr.s).split(widths) if wing else [active(rows[batch.task], appr.s) for rows in e]
        counts = [u.sum().item() for u in on], widths
        appr.notes.append([n / layer.width for ns in counts for n, layer in zip(ns, layers)])
        return loss
    if wing:
        wing.step = step
    else:
        appr.configure(step=step)
    appr.notes, appr.rebuilt, appr.starts = [], rebuilt, []
    return appr


def ours(pipe, plain, args):
    """A process that trains the project's HAT, an epoch whenever it is told to."""
    from runs import machine
    machine.prepare()
    import numpy as np
    from dataloaders import pmnist
    data, _, _ = pmnist.get(seed=0, data_dir=ROOT / args.data_dir)
    appr = noting(plain, args.tasks)
    for t in range(args.tasks):
        x, y = (data[t]['train'][k] for k in 'xy')
        for e in range(args.nepochs):
            pipe.recv()
            appr.notes = []
            train = clock(lambda: appr.train_epoch(t, x, y))[0]
            seconds, result = clock(lambda: appr.eval(t, x, y))
            pipe.send((train, seconds, result, np.array(appr.notes).mean(0)))
        appr.end_task(t, x, y)
    pipe.recv()
    hits = [appr.eval(t, *(data[t]['test'][k] for k in 'xy'))[1] for t in range(args.tasks)]
    pipe.send((hits, {n: p.numpy().copy() for n, p in appr.model.state_dict().items()}))


def stated(pipe, args):
    """The same of the original's steps, and of its floor."""
    import numpy as np
    import torch
    from dataloaders import pmnist
    from plain import Floor, Trainer
    data, _, _ = pmnist.get(seed=0, data_dir=ROOT / args.data_dir)
    torch.manual_seed(0)
    trainer = Trainer(False, 'hat', False)
    floor = Floor(trainer)
    for t in range(args.tasks):
        x, y = (data[t]['train'][k] for k in 'xy')
        for e in range(args.nepochs):
            pipe.recv()
            r = torch.from_numpy(np.random.permutation(len(x)))

            def epoch():
                for i in range(0, len(x), THIRD * SBATCH):
                    trainer.step(x[r[i:i + SBATCH]], y[r[i:i + SBATCH]], i / len(x))
            train = THIRD * clock(epoch)[0]
            evaluation = clock(lambda: trainer.evaluate(x[:6400], y[:6400]))[0] * len(x) / 6400
            products = clock(lambda: [floor.step() for _ in range(100)])[0] * len(x) / SBATCH / 100
            pipe.send((train, evaluation, products))
        trainer.finish(t)


COLUMNS = ('train_stated', 'train_plain', 'train_here', 'products', 'evaluate_stated', 'evaluate_plain', 'evaluate_here',
           'on_1', 'on_2', 'run_1', 'run_2')  # seconds per epoch; shares of the units that take part, and that are run


def real(args):
    """Trains in turns and prints the table; draws the figure."""
    import numpy as np
    spawn = multiprocessing.get_context('spawn')
    pipes, processes = {}, []
    for name, target, rest in (('stated', stated, ()), ('plain', ours, (True,)), ('here', ours, (False,))):
        if name in args.ways.split(','):
            pipes[name], theirs = spawn.Pipe()
            processes.append(spawn.Process(target=target, args=(theirs, *rest, args), daemon=True))
            processes[-1].start()
    print('| task, epoch | %s | accuracy, plain, here |' % ' | '.join(c.replace('_', ' ') for c in COLUMNS))
    print('| ---%s | --- |' % (' | ---:' * len(COLUMNS)))
    rows, missing = [], (np.nan, np.nan, (np.nan, np.nan), [np.nan] * 4)
    for t in range(args.tasks):
        for e in range(args.nepochs):
            got = {name: (pipe.send('go'), pipe.recv())[1] for name, pipe in pipes.items()}
            (p, pe, floor), d, h = got.get('stated', missing[:1] * 3), got.get('plain', missing), got.get('here', missing)
            rows.append([p, d[0], h[0], floor, pe, d[1], h[1], *h[3]])
            print('| %d, %d | %s | %.4f, %.4f |' % (t, e + 1, ' | '.join('%.2f' % v for v in rows[-1]), d[2][1], h[2][1]),
                  flush=True)
    rows = dict(zip(COLUMNS, np.array(rows).reshape(args.tasks, args.nepochs, -1).transpose(2, 0, 1)))
    late = {name: values[:2, 1:].sum() for name, values in rows.items()}
    print('epochs 2 to %d of the first two tasks, seconds: stated/here %.2f, products/here %.2f, plain/here %.2f; evaluation '
          'stated/here %.2f' % (args.nepochs, *(late[c] / late['train_here'] for c in ('train_stated', 'products', 'train_plain')),
                               late['evaluate_stated'] / late['evaluate_here']))
    ends = {name: (pipes[name].send('go'), pipes[name].recv())[1] for name in ('plain', 'here') if name in pipes}
    for name, (accuracies, _) in ends.items():
        print('test accuracies,', name, accuracies)
    if len(ends) == 2:
        print('largest differences:', {n: '%.1e' % np.abs(w - ends['here'][1][n]).max() for n, w in ends['plain'][1].items()})
    for p in processes:
        p.terminate()
        p.join()
    draw({name: values.flatten() for name, values in rows.items()}, args.output)


def draw(rows, output):
    """Seconds per epoch, and the shares that take part, over all epochs."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(7, 6))
    x = range(1, len(rows['products']) + 1)
    for column, label in (('train_stated', 'stated'), ('train_plain', 'plain'), ('train_here', 'switched-off units left out'),
                          ('products', 'products alone')):
        top.plot(x, rows[column], marker='.', label=label)
    for column, label, style in (('on_1', 'layer 1, taking part', '-'), ('on_2', 'layer 2, taking part', '-'),
                                 ('run_1', 'layer 1, run', '--'), ('run_2', 'layer 2, run', '--')):
        bottom.plot(x, rows[column], style, marker='.', label=label)
    top.set(ylabel='s per epoch of training', ylim=(0, None))
    bottom.set(xlabel='epoch, tasks one after another', ylabel='mean share of units', ylim=(0, 1))
    top.legend(), bottom.legend()
    figure.tight_layout()
    figure.savefig(ROOT / output)


def by_share(args):
    """Prints ms per step for networks of which a share of the units takes part, and the rest never does: of the steps that
    are left of an epoch once the steepness has switched those off."""
    import torch
    from runs import machine
    from plain import Floor, Trainer
    machine.prepare()
    shares = [int(s) for s in args.active.split(',')]
    x, y = torch.randn(300 * SBATCH, 1, 28, 28), torch.randint(0, 10, (300 * SBATCH,))
    cases = []
    for share in shares:
        for plain in (True, False):
            appr = noting(plain, 1)
            with torch.no_grad():
                for e in appr.model.embeddings():
                    n = e.shape[1] * share // 100
                    e[0] = torch.cat([torch.full((n,), 6.), torch.full((e.shape[1] - n,), -6.)])
            cases.append((appr, []))
    floor, floors = Floor(Trainer(False, 'hat', False)), []
    for r in range(args.rounds + 1):
        floors.append(1000 * clock(lambda: [floor.step() for _ in range(100)])[0] / 100)
        for appr, times in cases:
            appr.starts = []
            appr.rebuilt.clear()  # it has those of the others too
            appr.train_epoch(0, x, y)
            appr.slowest = max(appr.rebuilt, default=0.)
            times.append(1000 * (time.perf_counter() - appr.starts[-LATE]) / LATE)
    print('| share that takes part | plain, ms | here, ms | plain/here | floor/here | making the smaller network, ms |\n'
          '| ---: | ---: | ---: | ---: | ---: | ---: |')
    for share, (_, plain), (appr, here) in zip(shares, cases[::2], cases[1::2]):
        print('| %d %% | %s | %s | %.2f | %.2f | %.1f |' % (
            share, show(plain[1:]), show(here[1:]), median([a / b for a, b in zip(plain[1:], here[1:])]),
            median([a / b for a, b in zip(floors[1:], here[1:])]), appr.slowest))


def main(argv=None):
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--active')
    parser.add_argument('--data-dir', default='dat')
    parser.add_argument('--tasks', type=int, default=3)
    parser.add_argument('--nepochs', type=int, default=5)
    parser.add_argument('--ways', default='stated,plain,here', help='which of the three')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--output', default='res/bench_hat.png')
    args = parser.parse_args(argv)
    by_share(args) if args.active else real(args)


if __name__ == '__main__':
    main()
