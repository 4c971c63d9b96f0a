"""All approaches on split MNIST with the task known, unknown, and as domains: figures of src/approaches/readme.md.

    python scripts/methods.py [--data-dir dat] [--nproc 2] [--seeds 0-1] [--nepochs 3] [--approaches hat,wsn]

Networks of 2 x 400 units, every other setting the default, but: online-meta with 2 x 100 without
dropout, in batches of 10, one epoch; icarl with Adam, as its loss, a mean over samples and classes,
hardly moves at the default learning rate (lr 0.05: 66 %); gdumb with a learning rate of 0.01, as its
learner's momentum of 0.9 makes 0.05 too large for it (32 % under the class scenario). Results go to
res/methods; what is there is not run again.

A cell is average accuracy after the last task, forgetting, in per cent. Task known: whether it has to
be, or is inferred where it is not told. Forgets nothing: what the class promises of tasks that are
told; the largest change is what the certificate found in old tasks' logits, in the first of the
scenarios that the approach has. Seconds are the mean over what was run, memory what is kept besides one
network of the plain kind, after the class scenario.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'src'))

import run_multi
import discovery
import utils
from results import collect, measures
from runs import advice, launch

SCENARIOS, FOLDER = {'smnist': 'task', 'smnist-class': 'class', 'smnist-domain': 'domain'}, 'res/methods'
HEAD = ('approach', 'family', 'task known', 'task', 'class', 'domain', 'forgets nothing', 'largest change',
        'seconds', 'MB')


def kind(approach):
    """The class of an approach's name."""
    return discovery.load('approaches', approach).Appr


def plan(scenario, names, nepochs):
    """[(approaches, options)] of the runs of a scenario."""
    mine = [a for a in names if scenario in kind(a).scenarios]
    usual = ['--nepochs', str(nepochs), '--net', 'nhid=400,nlayers=2']
    other = {'icarl': [*usual, '--optimizer', 'adam'], 'gdumb': [*usual, '--lr', '0.01'],
             'online-meta': ['--nepochs', '1', '--net', 'nhid=100,nlayers=2,pdrop=0', '--sbatch', '10']}
    groups = [([a for a in mine if a not in ('hat-test', *other)], usual)]
    groups += [([a], options) for a, options in other.items() if a in mine]
    return [group for group in groups if group[0]]


def cell(by):
    """'accuracy, forgetting' of the results of some seeds."""
    a = [r['acc'] for r in by.values()]
    return '%.1f, %.1f' % tuple(100 * np.mean([f(m) for m in a]) for f in (measures.average_accuracy, measures.forgetting))


def known(appr):
    """Whether an approach of a class has to know the task."""
    if appr.isolated:
        return 'inferred'
    return 'yes' if appr.scenarios == ('task',) else 'no'


def change(rows):
    """The largest change of an old task's logits in the certificates of some results, as text."""
    return '%.0e' % max(max(r['record']['largest_change']['logits']) for r in rows)


def parameters():
    """How many a plain network has."""
    net = discovery.load('networks', 'mlp').Net([1, 28, 28], [(t, 2) for t in range(5)], nhid=400, nlayers=2)
    return sum(p.numel() for p in net.parameters())


def row(approach, mine):
    """The cells of an approach. mine: {experiment: {seed: result}}."""
    appr, last = kind(approach), mine.get('smnist-class', mine[list(mine)[-1]])
    record = last[min(last)]['record']
    seconds = np.mean([r['seconds'] for by in mine.values() for r in by.values()])
    memory = record.get('kept_megabytes', 0) + max(0, record['parameters'] - parameters()) * 4e-6
    cells = [cell(mine[e]) if e in mine else '' for e in SCENARIOS]
    moved = change(mine[list(mine)[0]].values()) if approach != 'random' else ''
    return ['`%s`' % approach, appr.family, known(appr), *cells, appr.promise or 'no', moved, '%.0f' % seconds,
            '%.1f' % memory]


def main():
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data-dir', default='dat')
    parser.add_argument('--nproc', default='2')
    parser.add_argument('--seeds', default='0-1')
    parser.add_argument('--nepochs', type=int, default=3)
    parser.add_argument('--approaches', metavar='A,...', help='default: all')
    args = parser.parse_args()
    everything = [a for group in advice.by_family().values() for a in group]
    names, found = args.approaches.split(',') if args.approaches else everything, {}
    for experiment, scenario in SCENARIOS.items():
        for group, options in plan(scenario, names, args.nepochs):
            run_multi.main(['--experiments', 'smnist', '--approaches', ','.join(group), '--seeds', args.seeds,
                            '--nproc', args.nproc, '--res_folder', FOLDER, '--execute', '--',
                            '--data-dir', args.data_dir, '--scenario', scenario, *options])
            for a in group:
                by = collect.collect(experiment, [a], [utils.ROOT / FOLDER], launch.seeds(args.seeds))[a]
                found.setdefault(a, {})[experiment] = by
    rule = ['---'] * 3 + ['---:'] * 3 + ['---'] + ['---:'] * 3
    print('| %s |\n| %s |' % (' | '.join(HEAD), ' | '.join(rule)))
    for a in names:
        if a in found:
            print('| %s |' % ' | '.join(row(a, found[a])))


if __name__ == '__main__':
    launch.script(main, 'methods.py')
