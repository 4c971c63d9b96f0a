"""Cross every approach with residual networks, a network of a user's own, scenarios and options, on tiny images.

    python scripts/crossings.py [--approaches a,b] [--networks resnet18,resnet32,own] [--checks learns,resumes] [--nproc 2]

A case is an approach, a network and a scenario: two tasks of three classes, images of 16 pixels. Of each case

    learns     the mean accuracy right after learning is above chance
    resumes    a run that SIGTERM ends after an epoch goes on to the same matrix and weights, bit for bit;
               so does one with --augment, which draws further random numbers
    saved      every saved model gives its row of the matrix, to the last digit
    certified  what the approach promises of old tasks is what the certificate measures
    plain      after one step the weights are those of --plain, to 1e-4
    options    each of OPTIONS alone trains, or is refused in one line

Prints a line for every failure, and a table of counts: passed, refused with a word, failed. Exit status 1 if anything failed.
"""
import argparse
import collections
import contextlib
import io
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from unittest import mock

SRC = Path(__file__).resolve().parents[1] / 'src'
sys.path.insert(0, str(SRC))

OWN = '''"""A network of a user's own: batch normalisation, no declaration."""
import torch


class Net(torch.nn.Module):

    def __init__(self, inputsize, taskcla):
        super().__init__()
        channels, side, _ = inputsize
        self.body = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(channels * side * side, 40), torch.nn.BatchNorm1d(40), torch.nn.ReLU(),
            torch.nn.Linear(40, 40), torch.nn.BatchNorm1d(40), torch.nn.ReLU())
        self.last = torch.nn.ModuleList(torch.nn.Linear(40, n) for _, n in taskcla)

    def forward(self, x):
        h = self.body(x)
        return [head(h) for head in self.last]
'''
NETWORKS = {'resnet18': ['--net', 'maps=4'], 'resnet32': ['--net', 'maps=4'], 'own': []}
MORE = {'pathnet': ['--generations', '2'], 'packnet': ['--retrain', '1'], 'online-meta': ['--sbatch', '10'],
        'gdumb': ['--passes', '16', '--lr', '.01'], 'dgr': ['--width', '8', '--z', '2'], 'hat': ['--binary', 'on', '--init', 'dense', '--lamb', '.01'],
        'adahat': ['--init', 'dense', '--lamb', '.01'],
        'bic': ['--buffer-size', '60'], 'wa': ['--buffer-size', '60'], 'icarl': ['--buffer-size', '60']}
OPTIONS = (['--optimizer', 'adam', '--lr', '.003'], ['--momentum', '.9', '--weight-decay', '1e-4'], ['--final-valid'],
           ['--iterations', '3', '--sbatch', '1'], ['--iterations', '5'], ['--schedule', 'cosine', '--warmup', '1'],
           ['--augment', 'crop:2,flip', '--overfit', '16'], ['--infer', 'min-entropy'], ['--channels-last'], ['--debug'])
NO_LEARNING = 'random', 'hat-test'


class Refused(Exception):
    """A run that was refused in one line."""


def images(folder):
    """Write a small raw data set that can be learnt: images [N,16,16,3] of six classes."""
    import numpy as np
    rs = np.random.RandomState(0)
    means = rs.randint(40, 216, (6, 4, 4, 3)).repeat(4, 1).repeat(4, 2)
    found = {}
    for part, n in (('train', 360), ('test', 60)):
        y = np.arange(n) % 6
        x = means[y] + 15 * rs.standard_normal((n, 16, 16, 3))
        found['x_' + part], found['y_' + part] = x.clip(0, 255).astype(np.uint8), y
    np.savez(folder / 'tiny.npz', **found)


def run(argv, status=0):
    """Run a command line in this process. Raise Refused for exit status 2 and RuntimeError for any other than status."""
    import run as program
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program.main([str(a) for a in argv])
        except SystemExit as e:
            code = e.code
    lines = [line for line in err.getvalue().splitlines() if line.startswith('run.py: ')]
    if code == 2 and len(lines) == 1 and 'Traceback' not in err.getvalue():
        raise Refused(lines[0])
    if code == 1 and '--overfit' in argv and not err.getvalue():
        return  # it says that it did not get all samples right
    if code != status:
        raise RuntimeError('exit status %s: %s' % (code, err.getvalue()[-1500:]))


class Case:
    """One approach on one network in one scenario, in a folder of its own."""

    def __init__(self, approach, network, scenario, folder, own):
        self.approach, self.network, self.scenario, self.folder = approach, network, scenario, Path(folder)
        self.data = folder
        more = MORE.get(approach, [])
        if approach == 'hat-test':
            more = ['--logpath', self.folder / ('log-%d' % os.getpid())]
        epochs = [] if approach == 'gdumb' else ['--nepochs', '8']
        self.argv = ['--experiment', 'split:tiny:2', '--approach', approach, '--network', own if network == 'own' else network,
                     *NETWORKS[network], '--scenario', scenario, '--data-dir', folder, '--device', 'cpu', '--sbatch', '16',
                     *epochs, *more]

    def output(self, name):
        """Return the path of a result."""
        return self.folder / ('-'.join((self.approach, self.network, self.scenario, name)) + '.txt')

    def run(self, name, *options, **more):
        """Run with further options; return the output's path."""
        argv = list(self.argv)
        if '--iterations' in options and '--nepochs' in argv:
            at = argv.index('--nepochs')
            del argv[at:at + 2]
        run([*argv, '--output', self.output(name), '--keep-checkpoint', '--overwrite', *options], **more)
        return self.output(name)

    def weights(self, name):
        """Return the weights {name: tensor} with which a run ended."""
        import torch
        from runs import checkpoint
        return torch.load(checkpoint.folder(self.output(name)) / 'checkpoint.pt', weights_only=True)['model']

    def record(self, name):
        """Return a run's record."""
        from results import records
        return records.read_record(self.output(name))

    def learns(self):
        self.run('full', '--save')
        a = self.record('full')['accuracy']
        learnt = (a[0][0] + a[1][1]) / 2
        chance = {'class': (1 / 3 + 1 / 6) / 2}.get(self.scenario, 1 / 3)
        if self.approach not in NO_LEARNING and learnt < chance + .1:
            raise AssertionError('accuracy after learning %.2f' % learnt)

    def resumes(self):
        self.resumed('stopped', 'full')
        if self.network != 'own' and self.approach in ('sgd', 'hat', 'er', 'derpp', 'icarl', 'packnet'):
            self.run('augmented', '--augment', 'crop:2,flip')
            self.resumed('stopped-augmented', 'augmented', '--augment', 'crop:2,flip')

    def resumed(self, name, whole, *options):
        """Stop a run after an epoch of its second task, go on, and compare."""
        import torch
        from runs.sequence import Sequence
        count, epoch = [], Sequence.epoch

        def stop(sequence):
            epoch(sequence)
            count.append(sequence.done)
            if count.count(1) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
        with mock.patch.object(Sequence, 'epoch', stop):
            self.run(name, '--checkpoint-every', '0', *options, status=75 if self.approach != 'random' else 0)
        argv = [*self.argv, '--output', self.output(name), '--keep-checkpoint', '--resume', *options]
        run(argv)
        if self.output(name).read_text() != self.output(whole).read_text():
            raise AssertionError('another matrix after resuming')
        one, other = self.weights(whole), self.weights(name)
        different = [n for n in one if not torch.equal(one[n], other[n])]
        if different:
            raise AssertionError('other weights after resuming: %s' % ', '.join(different[:3]))

    def saved(self):
        import numpy as np
        from runs import saved
        matrix = np.float32(self.record('full')['accuracy'])
        for t in range(2):
            model = saved.Model(self.output('full'), t)
            data, _, _ = model.data(self.data)
            found = [model.appr.eval(u, data[u]['test']['x'], data[u]['test']['y'])[1] for u in range(t + 1)]
            if not (np.float32(found).round(6) == matrix[t, :t + 1]).all():
                raise AssertionError('saved model %d: %s instead of %s' % (t, found, matrix[t]))

    def certified(self):
        import discovery
        found = self.record('full').get('largest_change')
        exact = discovery.load('approaches', self.approach).Appr.promise == 'exact' or self.approach == 'hat'  # --binary on
        if exact and self.scenario == 'task':
            if found['logits'][0] or found.get('weights', 0):
                raise AssertionError('certificate %s' % found)

    def plain(self):
        import torch
        for name, more in (('fast', []), ('plain', ['--plain'])):
            self.run(name, '--tasks', '0', '--iterations', '1', *more)
        one, other = self.weights('fast'), self.weights('plain')
        for n in one:
            if not torch.allclose(one[n].double(), other[n].double(), rtol=1e-4, atol=1e-5):
                raise AssertionError('%s differs by %g' % (n, (one[n].double() - other[n].double()).abs().max()))

    def options(self):
        refused, failed = 0, []
        for i, options in enumerate(OPTIONS):
            try:
                self.run('option%d' % i, *options)
            except Refused:
                refused += 1
            except Exception as e:
                failed.append('%s: %s' % (' '.join(options), str(e).strip()[-600:]))
        if failed:
            raise AssertionError('; '.join(failed))
        return refused


CHECKS = 'learns', 'resumes', 'saved', 'certified', 'plain', 'options'


def work(job):
    """Return {check: 'passed', 'refused' or a failure's text} of a case."""
    (approach, network, scenario), folder, own, checks = job
    import torch
    torch.set_num_threads(1)
    case, found = Case(approach, network, scenario, folder, own), {}
    for check in CHECKS:
        if check not in checks and check != 'learns':
            continue
        try:
            refused = getattr(case, check)()
            found[check] = 'passed' + ' (%d options refused)' % refused if refused else 'passed'
        except Refused as e:
            found[check] = 'refused: %s' % e
        except BaseException as e:
            text = str(e) if isinstance(e, (AssertionError, RuntimeError)) else traceback.format_exc()[-800:]
            found[check] = 'failed: ' + text
        if check == 'learns' and found[check] != 'passed' and 'accuracy after' not in found[check]:
            break  # there is no run to compare with
    return (approach, network, scenario), found


def cases(approaches, networks):
    """Yield (approach, network, scenario) of all that an approach declares."""
    import discovery
    for approach in approaches:
        for scenario in discovery.load('approaches', approach).Appr.scenarios:
            for network in networks:
                yield approach, network, scenario


@contextlib.contextmanager
def dropped():
    """Drop a network of a user's own into src/networks for the time of the block; yields its name."""
    name = 'crossing%d' % os.getpid()
    path = SRC / 'networks' / (name + '.py')
    path.write_text(OWN)
    try:
        yield name
    finally:
        path.unlink()


def main():
    """Run the cases and print the table; return the exit status."""
    import discovery
    import utils
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--approaches', default=','.join(discovery.choices('approaches')))
    parser.add_argument('--networks', default=','.join(NETWORKS))
    parser.add_argument('--checks', default=','.join(CHECKS))
    parser.add_argument('--nproc', type=int, default=2)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was dropped in goes
    counts, failures = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder, dropped() as own:
        images(Path(folder))
        todo = [(case, folder, own, args.checks.split(',')) for case in cases(args.approaches.split(','), args.networks.split(','))]
        with multiprocessing.get_context('spawn').Pool(args.nproc, maxtasksperchild=10) as pool:
            for case, found in pool.imap_unordered(work, todo):
                for check, what in found.items():
                    kind = re.match(r'\w+', what).group()
                    counts[check, kind] += 1
                    if kind != 'passed':
                        print('%s: %s %s' % (' '.join(case), check, what), flush=True)
                    failures += kind == 'failed'
        shutil.rmtree(utils.ROOT / 'logs' / '+' / folder[1:], ignore_errors=True)
    print('\n%-10s %8s %8s %8s' % ('', 'passed', 'refused', 'failed'))
    for check in CHECKS:
        print('%-10s %8d %8d %8d' % (check, *(counts[check, kind] for kind in ('passed', 'refused', 'failed'))))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
