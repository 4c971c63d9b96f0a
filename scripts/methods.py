"""All approaches on split MNIST with the task known, unknown, and as domains: figures of src/approaches/readme.md.

    python scripts/methods.py [--data-dir dat] [--nproc 2] [--seeds 0-1] [--nepochs 3]

Networks of 2 x 400 units, every other setting the default, but: online-meta with 2 x 100 without dropout, in batches of 10, one epoch;
icarl with Adam, as its loss, a mean over samples and classes, hardly moves at the default learning rate (lr 0.05: 66 %).
Results go to res/methods; what is there is not run again. A cell is average accuracy after the last task, forgetting, in per
cent; seconds are the mean over what was run, memory what is kept besides one network of the plain kind, after the class scenario.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'src'))

import run_multi
import utils
from results import collect, measures, records
from runs import advice, launch

SCENARIOS, FOLDER = {'smnist': 'task', 'smnist-class': 'class', 'smnist-domain': 'domain'}, 'res/methods'


def plan(scenario, args):
    """[(approaches, options)] of the runs of a scenario."""
    mine = [a for group in advice.by_family().values() for a in group if scenario in utils.load('approaches', a).Appr.scenarios]
    usual = ['--nepochs', str(args.nepochs), '--net', 'nhid=400,nlayers=2']
    return [([a for a in mine if a not in ('hat-test', 'online-meta', 'icarl')], usual),
            ([a for a in mine if a == 'icarl'], [*usual, '--optimizer', 'adam']),
            (['online-meta'], ['--nepochs', '1', '--net', 'nhid=100,nlayers=2,pdrop=0', '--sbatch', '10'])]


def cell(by):
    """'accuracy, forgetting' of the results of some seeds."""
    a = [r['acc'] for r in by.values()]
    return '%.1f, %.1f' % tuple(100 * np.mean([f(m) for m in a]) for f in (measures.average_accuracy, measures.forgetting))


def main():
    """Runs what is missing and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data-dir', default='dat')
    parser.add_argument('--nproc', default='2')
    parser.add_argument('--seeds', default='0-1')
    parser.add_argument('--nepochs', type=int, default=3)
    args = parser.parse_args()
    found = {}
    for experiment, scenario in SCENARIOS.items():
        for names, options in plan(scenario, args):
            if not names:
                continue
            run_multi.main(['--experiments', 'smnist', '--approaches', ','.join(names), '--seeds', args.seeds, '--nproc', args.nproc,
                            '--res_folder', FOLDER, '--execute', '--', '--data-dir', args.data_dir, '--scenario', scenario, *options])
            found.update({(a, experiment): collect.collect(experiment, [a], [utils.ROOT / FOLDER])[a] for a in names})
    print('| approach | task | class | domain | seconds | MB |\n| --- | ---: | ---: | ---: | ---: | ---: |')
    plain = records.read_record(utils.ROOT / FOLDER / ('smnist-class_sgd_%d.txt' % launch.seeds(args.seeds)[0]))['parameters']
    for a in dict.fromkeys(a for a, _ in found):
        mine = {e: found[a, e] for e in SCENARIOS if (a, e) in found}
        record = records.read_record(utils.ROOT / FOLDER / ('smnist-class_%s_%d.txt' % (a, launch.seeds(args.seeds)[0])))
        seconds = np.mean([r['seconds'] for by in mine.values() for r in by.values()])
        memory = record.get('kept_megabytes', 0) + max(0, record['parameters'] - plain) * 4e-6
        print('| `%s` | %s | %.0f | %.1f |' % (a, ' | '.join(cell(mine[e]) if e in mine else '' for e in SCENARIOS), seconds, memory))


if __name__ == '__main__':
    launch.script(main, 'methods.py')
