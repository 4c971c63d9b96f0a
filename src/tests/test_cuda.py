"""What can be seen of CUDA without a GPU: on a device that is not there (fakecuda.py), every approach learns two tasks, and no
training step waits for the device."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

import discovery
from conftest import own

AUGMENT = 'crop:2,flip,rotate:20,cutout:3'
TESTS = Path(__file__).parent
DATA = '''
import torch
network = 'mlp'
def get(seed=0):
    g = torch.Generator().manual_seed(seed)
    data = {t: {'name': 'tiny-%d' % t, 'ncla': 3, 'classes': [2 * t, 2 * t + 1, 2 * t + 2]} for t in (0, 1)}
    for t in (0, 1):
        for s, n in (('train', 48), ('valid', 20), ('test', 20)):
            data[t][s] = {'x': torch.randn(n, 1, 8, 8, generator=g), 'y': torch.arange(n) % 3}
    return data, [(0, 3), (1, 3)], [1, 8, 8]
'''
MIXED = '''
import torch
from approaches import base
class Appr(base.Appr):
    def criterion(self, output, targets):
        return super().criterion(output, targets) + (output.sum(0) * torch.zeros(3)).sum()
'''
DRIVER = '''
import collections, json, sys
sys.path.insert(0, %(tests)r)
import fakecuda
fakecuda.start(%(src)r)
import torch
torch.cuda.mem_get_info = lambda device: (2 ** 34, 2 ** 34)
import approaches, dataloaders, run
for package in (approaches, dataloaders):
    package.__path__.append(%(more)r)
fakecuda.hook()
for argv in %(runs)r:
    fakecuda.events.clear()
    fakecuda.steps, status = 0, 0
    try:
        run.main(['--experiment', 'tiny', '--nepochs', '1', '--net', 'nhid=20', '--device', 'cuda', '--data-dir', %(more)r,
                  '--output', %(more)r + '/o.txt', '--overwrite', '--checkpoint-every', '3600', *argv])  # writing one waits
    except SystemExit as e:
        status = e.code
    print('FAKE', json.dumps([status, fakecuda.steps, ['%%s %%s' %% k for k in fakecuda.events], list(fakecuda.events.values())]))
'''


@pytest.fixture
def fake(tmp_path):
    """Runs several command lines on the fake device, in one process; returns for each (status, steps, {kind and place of what
    waits: times}), and all that was printed to stderr."""
    def call(*runs):
        (tmp_path / 'tiny.py').write_text(DATA)
        (tmp_path / 'wide.py').write_text(DATA.replace('8, 8', '16, 16'))
        (tmp_path / 'mixed.py').write_text(MIXED)
        (tmp_path / 'driver.py').write_text(DRIVER % {'tests': str(TESTS), 'src': str(TESTS.parent), 'more': str(tmp_path),
                                                      'runs': [[str(a) for a in argv] for argv in runs]})
        done = subprocess.run([sys.executable, str(tmp_path / 'driver.py')], capture_output=True, text=True)
        found = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith('FAKE ')]
        assert len(found) == len(runs), done.stderr[-3000:]
        return [(status, steps, dict(zip(*events))) for status, steps, *events in found], done.stderr
    return call


NOT = 'dgr'  # its generator's Adam asks the CUDA driver, which is not there
MORE = {'pathnet': ['--generations', '1'], 'packnet': ['--retrain', '1'], 'icarl': ['--scenario', 'class'],
        'bic': ['--scenario', 'class'], 'wa': ['--scenario', 'class'], 'gdumb': ['--passes', '2'],
        'hat': ['--nepochs', '2'],
        'adahat': ['--scenario', 'class', '--infer', 'energy', '--calibrate'],
        'online-meta': ['--net', 'nhid=20,nlayers=1']}
WAITS = {'sgd': 0, 'ewc': 0, 'lwf': 0, 'joint': 0, 'imm-mean': 0, 'imm-mode': 0, 'hat': 1 / 32,
         'l2': 0, 'ewc-online': 0, 'mas': 0, 'si': 0, 'rwalk': 0, 'wsn': 0, 'gpm': 0}  # per step, at most


def test_every_approach_learns_and_its_steps_do_not_wait(fake):
    runs = []
    for approach in discovery.choices('approaches'):
        sizes = (2, 4) if approach == 'hat' else (4, 8) if approach in WAITS else (16,)
        runs += [['--approach', approach, '--sbatch', n, *MORE.get(approach, [])] for n in sizes if approach != NOT]
    found, err = fake(*runs)
    assert [argv for argv, (status, *_) in zip(runs, found) if status] == [], err[-3000:]
    for approach in WAITS:
        (_, more, waits), (_, less, waits_of_less) = [f for argv, f in zip(runs, found) if argv[1] == approach]
        # what goes to the device batch by batch is the data of joint, which the CPU keeps
        steps = {k: n - waits_of_less.get(k, 0) for k, n in waits.items() if approach != 'joint' or not k.startswith('h2d')}
        assert more - less >= 12 and sum(steps.values()) <= WAITS[approach] * (more - less), (approach, steps)


WIDE = ['--experiment', 'wide', '--network', 'resnet18', '--net', 'maps=4', '--sbatch']
LEARN = [['--approach', 'sgd', *WIDE, '4'], ['--approach', 'sgd', *WIDE, '8'],
         ['--approach', 'hat', *WIDE, '8'],
         ['--approach', 'packnet', '--momentum', '0.9', *MORE['packnet'], *WIDE, '16'],
         *(['--approach', a, '--sbatch', '16', '--eval-every', '3'] for a in ('hat', 'er', 'packnet')),
         ['--approach', 'er', '--experiment', 'split:bytes:2', '--augment', AUGMENT],
         ['--approach', 'icarl', '--scenario', 'class', '--experiment', 'split:bytes:2', '--augment',
          AUGMENT],
         ['--approach', 'hat', '--schedule', 'cosine', '--experiment', 'split:bytes:2', '--augment', AUGMENT],
         ['--approach', 'l2', '--sbatch', '16', '--momentum', '0.9', '--joined-heads']]


def test_what_else_runs_there_and_a_mix_of_devices_is_caught(fake, tmp_path):
    """Residual networks, tests within tasks, which write HAT's part of the network back, augmentation, joined heads."""
    own(tmp_path, 'bytes', (8, 8))
    found, err = fake(*LEARN, ['--approach', 'mixed'])
    assert [argv for argv, (status, *_) in zip(LEARN, found) if status] == [], err[-3000:]
    (_, more, waits), (_, less, waits_of_less), *_ = found
    assert more - less >= 10 and sum(n - waits_of_less.get(k, 0) for k, n in waits.items()) == 0
    assert found[-1][0] == 1 and 'all tensors to be on the same device' in err.strip().splitlines()[-1]
