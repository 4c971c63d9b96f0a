"""A step on resnet18 with 20 maps: of sgd and of hat, as run.py has them and by plain code, against a bare PyTorch loop.

    bash scripts/bench.sh resnet [--rounds 5] [--maps 20] [--side 32] [--off 60] [--cpu-time] [--channels-last on|off]

In turns, with batches of 64 images; a line is min/median/max over the rounds of milliseconds per step, its ratios, the median over
the rounds and that of the least, are to the bare loop in the memory format that run.py chooses. Of hat all units are on, or, in the
line that says so, a share --off of the units in the middle of blocks is off once the steepness has risen, in epochs of --steps.
--cpu-time counts the process's own seconds, for a machine that is busy otherwise (with OMP_NUM_THREADS=1).
"""
import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src'))

SBATCH = 64


def logits(net, x):
    """The network as everybody writes it, by its modules."""
    import torch
    outputs = []
    for layer in net.layers:
        part = getattr(net, layer.name)
        z = part.norm(part.map(x))
        if layer.skip:
            source = outputs[-layer.skip]
            z = z + (source if part.skip is None else part.skip_norm(part.skip(source)))
        x = torch.relu(z)
        outputs.append(x)
    return net.last[0](x.mean((2, 3)))


def bare(net, x, y, optimizer):
    """An epoch of the loop that everybody writes."""
    import torch
    net.train()
    r = torch.randperm(len(x))
    for i in range(0, len(x), SBATCH):
        b = r[i:i + SBATCH]
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits(net, x[b]), y[b])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10000)
        optimizer.step()


def test(net, x, y):
    """An evaluation of the loop that everybody writes."""
    import torch
    net.eval()
    with torch.no_grad():
        return sum(torch.nn.functional.cross_entropy(logits(net, b), c) for b, c in zip(x.split(256), y.split(256))).item()


def switch_off(net, share):
    """Switch off a share of the units in the middle of blocks, for every task."""
    import torch
    with torch.no_grad():
        for layer, e in zip(net.layers, net.embeddings()):
            e.fill_(6)
            if layer.name.endswith('a'):
                e[:, :round(share * e.shape[1])] = -6


def ways(args):
    """{name: (an epoch of training, an evaluation)}."""
    import torch
    import discovery
    from networks import resnet18, variants
    from runs import machine
    size = [3, args.side, args.side]
    x, y = torch.randn(args.steps * SBATCH, *size), torch.randint(0, 10, (args.steps * SBATCH,))

    def approach(name, plain=False, off=0.):
        torch.manual_seed(0)
        kind = discovery.load('approaches', name).Appr
        Net = variants.of(resnet18.Net, '_hat') if name == 'hat' else resnet18.Net
        appr = kind(Net(size, [(t, 10) for t in range(5)], maps=args.maps), lr=.01, sbatch=SBATCH)
        if name == 'hat':
            switch_off(appr.model, off)
        options = {'tf32': False, 'channels_last': args.channels_last, 'amp': None, 'compile': False, 'plain': plain}
        machine.apply(appr, argparse.Namespace(**options))
        appr.configure(seen=1)
        return lambda: appr.train_epoch(0, x, y), lambda: appr.eval(0, x, y)

    def loop(layout):
        torch.manual_seed(0)
        net = resnet18.Net(size, [(0, 10)], maps=args.maps).to(memory_format=layout)
        optimizer = torch.optim.SGD(net.parameters(), lr=.01)
        return lambda: bare(net, x, y, optimizer), lambda: test(net, x, y)
    other, layout = torch.contiguous_format, torch.channels_last
    if args.channels_last == 'off':
        other, layout = layout, other
    return {'bare loop': loop(layout), 'bare loop, the other format': loop(other),
            'sgd': approach('sgd'), 'sgd, plain': approach('sgd', True), 'hat': approach('hat'), 'hat, plain': approach('hat', True),
            'hat, %d %% off' % args.off: approach('hat', off=args.off / 100)}


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (('rounds', 5), ('maps', 20), ('side', 32), ('off', 60), ('steps', 8)):
        parser.add_argument('--' + name, type=int, default=default)
    parser.add_argument('--channels-last', choices=('on', 'off'))
    parser.add_argument('--cpu-time', action='store_true')
    parser.add_argument('--only', default='', help="names of lines, beside the bare loop")
    args = parser.parse_args()
    from runs import machine
    machine.prepare()
    found = {n: way for n, way in ways(args).items() if n == 'bare loop' or not args.only or n in args.only.split(';')}
    clock = time.process_time if args.cpu_time else time.perf_counter
    times = {name: ([], []) for name in found}
    for _ in range(args.rounds + 1):
        for name, way in found.items():
            for k, part in enumerate(way):
                tick = clock()
                part()
                times[name][k].append(1000 * (clock() - tick) / args.steps)
    for k, what in enumerate(('training', 'evaluation')):
        for name, both in times.items():
            ts, base = both[k][1:], times['bare loop'][k][1:]
            ratio = sorted(t / b for t, b in zip(ts, base))[len(ts) // 2]
            print('%-10s %-27s %.0f/%.0f/%.0f ms per step, %.2f times the bare loop, %.2f by the least' % (
                what, name, min(ts), sorted(ts)[len(ts) // 2], max(ts), ratio, min(ts) / min(base)))


if __name__ == '__main__':
    main()
