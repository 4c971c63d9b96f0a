"""ER-ACE, GDumb, BiC, WA and RWalk: as public code computes them on tiny inputs (methods2.json), and each its own idea."""
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import run
import utils
from approaches import bic, er_ace, exemplars, gdumb, rwalk, wa
from fast.quadratic import of as closed
from learning import buffer, scenario as scenarios
from learning.batch import Batch
from networks import layers, mlp
from synthetic import said, tasks

CASES = json.loads((Path(__file__).parent / 'methods2.json').read_text())['cases']
DATA, TASKCLA, SIZE = tasks('mlp')
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--device', 'cpu', '--net', 'nhid=60,nlayers=1,pdrop=0']


def cases(kind):
    """A decorator: the cases of a kind, however many there are."""
    found = [c for c in CASES if c['kind'] == kind]
    return pytest.mark.parametrize('case', found, ids=[c['id'] for c in found])


def tensor(values):
    """As float64."""
    return torch.tensor(values, dtype=torch.float64)


def close(found, expected, tolerance):
    """Whether numbers agree as well as a case says."""
    found = found.detach() if isinstance(found, torch.Tensor) else found
    return np.allclose(found, expected, rtol=tolerance, atol=tolerance)


class Told(nn.Module):
    """A network that says what it was given: an image is the number of its row of logits [N,K], cut into heads."""

    def __init__(self, logits, sizes):
        super().__init__()
        self.logits, self.sizes = nn.Parameter(logits), sizes
        self.taskcla = list(enumerate(sizes))
        self.last = nn.ModuleList(nn.Linear(1, n) for n in sizes)

    def forward(self, x):
        return list(self.logits[x.flatten().long()].split(self.sizes, 1))


def told(kind, sizes, logits, **kwargs):
    """An approach under the class scenario whose network says logits [N,K], heads of some sizes, with all tasks met."""
    appr = kind(Told(logits, list(sizes)), **kwargs)
    appr.configure(scenario=scenarios.Class(appr.model.taskcla), seen=len(sizes))
    appr.model.train()
    return appr


def rows(appr, first, labels, task=None):
    """A Batch of the samples from row `first` on, with labels among all classes."""
    shifts, owners = appr.scenario.table(torch.device('cpu'))
    y = torch.tensor(labels)
    x = torch.arange(first, first + len(y), dtype=torch.float64)[:, None]
    return Batch(x, y - shifts[owners[y]], owners[y], task)


@cases('er_ace')
def test_incoming_samples_compete_among_the_classes_of_the_batch(case):
    i, out, tol = case['inputs'], case['outputs']['avalanche'], case['tolerance']
    everything, n = tensor([*i['logits'], *i['buffer_logits']]), len(i['labels'])
    appr = told(er_ace.Appr, (everything.shape[1],), everything)
    appr.configure(scenario=scenarios.Domain(appr.model.taskcla))
    appr.drawn = lambda batch, before=None: rows(appr, n, i['buffer_labels'])
    loss = appr.loss(rows(appr, 0, i['labels'], task=1))
    loss.backward()
    assert close(loss, 2 * out['loss'], tol)  # that code halves the sum of the two means
    assert close(appr.model.logits.grad[:n], 2 * tensor(out['grad_logits']), tol)
    assert close(appr.model.logits.grad[n:], 2 * tensor(out['grad_buffer_logits']), tol)


@cases('gdumb')
@pytest.mark.parametrize('together', [1, 3, 10 ** 6])
def test_the_greedy_balanced_sampler(case, together, monkeypatch):
    i, out = case['inputs'], case['outputs']['ocl']
    memory, draws, sizes = buffer.Buffer(i['memory'], 'greedy'), iter(i['draws']), []
    monkeypatch.setattr(np.random, 'randint', lambda n: next(draws))
    labels = torch.tensor(i['labels'])
    for rows in torch.arange(len(labels)).split(together):
        memory.add(Batch(rows[:, None].float(), labels[rows], task=0))
        sizes += [len(memory)]
    there = {}
    for place in sorted(range(len(memory)), key=memory.ages.__getitem__):
        there.setdefault(str(int(memory.y[place])), []).append(int(memory.x[place]))
    assert there == {c: kept for c, kept in out['kept'].items() if kept} and next(draws, None) is None
    assert [c for _, c in memory.met] == out['order_of_classes']
    assert sizes == (out['size_after_each'][together - 1::together] if together == 1 else sizes)
    assert sizes[-1] == out['size_after_each'][-1]


@cases('gdumb_schedule')
def test_the_learning_rate_of_each_pass(case):
    i = case['inputs']
    found = [gdumb.rate(p, i['maxlr'], i['minlr']) for p in range(i['passes'])]
    assert close(found, case['outputs']['gdumb_authors']['lr_of_pass'], case['tolerance'])


class Vector(nn.Module):
    """A parameter that a test moves by hand."""

    def __init__(self, theta):
        super().__init__()
        self.theta, self.last, self.taskcla = nn.Parameter(tensor(theta)), nn.ModuleList([nn.Linear(1, 1)]), [(0, 1)]

    def forward(self, x):
        raise NotImplementedError


def move(appr, steps):
    """Takes a task's steps, {'grad', 'theta_after'} each."""
    appr.begin_task(0, None, None)
    for s in steps:
        appr.model.theta.grad = tensor(s['grad'])
        with torch.no_grad():
            appr.after_backward(None)
            appr.model.theta.copy_(tensor(s['theta_after']))
            appr.after_step(None)
    appr.end_task(0, None, None)


def walker(theta, **kwargs):
    """RWalk on a vector."""
    appr = rwalk.Appr(Vector(theta), **{'lamb': 1., **kwargs})
    appr.configure(scenario=scenarios.Domain(appr.model.taskcla), seen=1)
    return appr


@cases('rwalk')
def test_the_walk_in_the_metric_of_the_loss(case):
    i, out, tol = case['inputs'], case['outputs']['avalanche'], case['tolerance']
    appr = walker(i['theta0'], alpha=i['alpha'], delta_t=i['delta_t'], eps=np.finfo(float).eps)
    for steps, expected in zip(i['tasks'], out['after_task']):
        move(appr, steps)
        assert close(appr.information['theta'], expected['fisher'], tol)
        assert close(appr.scores['theta'], expected['scores'], tol)
        assert close(appr.omega['theta'], expected['penalty_weights'], tol)
    with torch.no_grad():
        appr.model.theta.copy_(tensor(i['theta_eval']))
    assert close(appr.penalty(), out['penalty_lambda_1'], tol) and close(closed(appr).value(), out['penalty_lambda_1'], tol)


@cases('rwalk')
def test_the_penalty_that_is_not_normalised(case):
    i, out = case['inputs'], case['outputs']['facil']
    appr = walker(i['tasks'][-1][-1]['theta_after'], normalise='none')
    move(appr, [])
    last = out['after_task'][-1]
    appr.information['theta'], appr.scores['theta'] = tensor(last['fisher']), tensor(last['scores'])
    appr.omega = appr.weighed()
    with torch.no_grad():
        appr.model.theta.copy_(tensor(i['theta_eval']))
    assert close(appr.penalty(), out['penalty_lambda_1'], case['tolerance'])


@cases('bic')
def test_the_stages_of_bic(case):
    i, out, tol = case['inputs'], case['outputs']['facil'], case['tolerance']
    z, y, old = tensor(i['logits']), torch.tensor(i['labels']), i['n_old']
    alpha, beta = bic.correction(z, y, old, i['epochs'], i['stage2_lr_facil'])
    assert close([alpha, beta], [out['alpha'], out['beta']], tol)
    appr = told(bic.Appr, (old, z.shape[1] - old), z, T=i['T'])
    appr.model_old = Told(torch.cat([tensor(i['old_logits']), 7 * torch.ones_like(z[:, old:])], 1), appr.model.sizes)
    appr.corrections = [(1., 0.)]
    assert close(appr.loss(rows(appr, 0, i['labels'])), out['stage1_loss_lambda_n_old_over_all'], tol)
    appr.corrections.append((alpha, beta))
    appr.model.eval()
    assert close(appr.compete(rows(appr, 0, i['labels']))[0], out['corrected_logits'], tol)


@cases('wa')
def test_the_aligned_weights_and_the_loss_of_wa(case):
    i, out, tol = case['inputs'], case['outputs']['pycil'], case['tolerance']
    weight, z = tensor(i['weight']), tensor(i['logits'])
    old = len(weight) - i['n_new']
    assert close(wa.gamma(weight[:old], weight[old:]), out['gamma'], tol)
    appr = told(wa.Appr, (old, i['n_new']), z, T=i['T'])
    appr.model.last = nn.ModuleList(nn.Linear(weight.shape[1], n).double() for n in appr.model.sizes)
    with torch.no_grad():
        for head, part in zip(appr.model.last, weight.split(appr.model.sizes)):
            head.weight.copy_(part)
    biases = [head.bias.clone() for head in appr.model.last]
    appr.align(1)
    assert close(torch.cat([head.weight for head in appr.model.last]), out['aligned'], tol)
    assert all(torch.equal(head.bias, b) for head, b in zip(appr.model.last, biases))
    appr.model_old = Told(torch.cat([tensor(i['old_logits']), 7 * torch.ones_like(z[:, old:])], 1), appr.model.sizes)
    batch = rows(appr, 0, i['labels'])
    assert close(appr.loss(batch), out['loss'], tol)
    assert close(appr.kd(z[:, :old], tensor(i['old_logits'])), out['kd_loss'], tol)
