"""The original's numbers, row by row of golden.json, and its counts of parameters.

They were measured on one machine, and training amplifies how another one rounds. So rows are compared within a band: most
hardly move, and the others' bands are about twice what was seen over twelve combinations of one and two threads, MKL's and
oneDNN's instruction sets, and torch 2.4, 2.14 and 2.15; how the first task ends hardly moves anywhere. test_plain.py compares more sharply, on one machine.
"""
import argparse
import contextlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import fast
import discovery
import utils
from dataloaders import common, mixture, pmnist, raw
from synthetic import tasks

ROWS = json.loads((Path(__file__).parent / 'golden.json').read_text())
CASES = [pytest.param(row, marks=[pytest.mark.slow] * (row['tasks'] != 'mlp')) for row in ROWS]
EPOCH = re.compile(r'Train: loss=([\d.]+), acc= *[\d.]+% \| Valid: loss=([\d.]+), acc= *[\d.]+% \|(.*)')


BANDS = {'mlp': (3, .005), 'hard': (3, .005), 'conv': (8, .01)}  # accuracies in samples, losses
WIDE = {'mlp-mlp-lwf--0': (5, .01), 'hard-mlp_hat-hat--0': (3, .012), 'conv-alexnet-sgd--0': (52, .35),
        'conv-alexnet-ewc--0': (8, .75), 'conv-alexnet-joint--0': (8, .015), 'conv-alexnet_pathnet-pathnet-2-0': (24, .025),
        'conv-alexnet_progressive-progressive--0': (20, .01), 'conv-alexnet_hat-hat--0': (10, .05)}


def name(row):
    """A row's identifier."""
    return '-'.join(str(row[k]) for k in ('tasks', 'network', 'approach', 'parameter', 'seed'))


def training_data(approach, data, t):
    """What train() takes for task t: all tasks so far, with the task of each sample, for joint."""
    if approach != 'joint':
        return [t] + [data[t][s][k] for s in ('train', 'valid') for k in 'xy']
    ids = [torch.cat([torch.full_like(data[u][s]['y'], u) for u in range(t + 1)]) for s in ('train', 'valid')]
    return [ids] + [torch.cat([data[u][s][k] for u in range(t + 1)]) for s in ('train', 'valid') for k in 'xy']


@pytest.mark.parametrize('row', CASES, ids=name)
def test_golden(row, tmp_path, one_thread):
    data, taskcla, size = tasks(row['tasks'])
    utils.seed_everything(row['seed'])
    net = discovery.load('networks', row['network']).Net(size, taskcla)
    sums = {n: p.abs().sum().item() for n, p in net.named_parameters()}
    assert sums == pytest.approx(row['init_abs_sum'], rel=1e-6, abs=1e-4)

    parameter = row['parameter'].replace('LOGPATH', str(tmp_path / 'log.pkz'))
    appr = discovery.load('approaches', row['approach']).Appr(
        net, nepochs=row['nepochs'], lr=row['lr'], args=argparse.Namespace(parameter=parameter),
        **row.get('appr_kwargs', {}))
    appr.configure(wing=fast.of(appr))
    acc, loss = np.zeros((2, len(taskcla), len(taskcla)))
    epochs = []
    for t, _ in taskcla:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            appr.train(*training_data(row['approach'], data, t))
        epochs.append(EPOCH.findall(printed.getvalue()))
        for u in range(t + 1):
            loss[t, u], acc[t, u] = appr.eval(u, data[u]['test']['x'], data[u]['test']['y'])

    first = [(float(train), float(valid)) for train, valid, _ in epochs[0][:2]]
    assert np.allclose(first, [(e['train_loss'], e['valid_loss']) for e in row['epochs'][0][:2]], rtol=0, atol=0.002)
    if row['approach'] == 'hat-test':
        assert {k: [str(t) for t in v] for k, v in appr.logs.items()} == row['log_keys']
        for key, total in row['log_mask_sum'].items():
            t, layer, e = map(int, key.split('/'))
            if t == 0 and e < 2:  # later, sums depend on the machine
                assert appr.logs['mask'][t][layer][e].sum() == pytest.approx(total, rel=1e-3)
    if row['approach'] == 'random':  # off the diagonal the original guesses another task's labels
        acc, row['acc'] = np.diag(acc), np.diag(row['acc'])
    samples, band = WIDE.get(name(row), BANDS[row['tasks']])
    assert abs(acc.flat[0] - np.ravel(row['acc'])[0]) * len(data[0]['test']['y']) <= 3.01
    assert np.abs(acc - row['acc']).max() * len(data[0]['test']['y']) <= samples + .01
    assert np.nanmax(np.abs(loss - row['loss'])) <= band and np.isfinite(loss).all()  # nan where the original divided by 0
    if name(row) not in WIDE:
        assert [[float(d) for d in re.findall(r'lr=(\S+)', ' '.join(e[2] for e in es))] for es in epochs] == row['lr_drops']
    if 'mask_pre_sum' in row:
        assert [m.sum().item() for m in appr.mask_pre] == pytest.approx(row['mask_pre_sum'], rel=.01 if name(row) in WIDE else 1e-3)


@pytest.mark.parametrize('network, dataloader, size, count', [
    ('alexnet', mixture, [3, 32, 32], 7104229), ('alexnet_hat', mixture, [3, 32, 32], 7140581),
    ('alexnet_pathnet', mixture, [3, 32, 32], 7092261), ('alexnet_progressive', mixture, [3, 32, 32], 7160706),
    ('mlp_hat', pmnist, [1, 28, 28], 5812100)])
def test_number_of_parameters(network, dataloader, size, count):
    order = common.shuffle(np.arange(8), 1)  # progressive: the first task's head has no adapter
    classes = [raw.TABLE[mixture.TASKS[i].raw].ncla for i in order] if dataloader is mixture else [10] * pmnist.NTASKS
    net = discovery.load('networks', network).Net(size, list(enumerate(classes)))
    assert sum(p.numel() for p in net.parameters()) == count
