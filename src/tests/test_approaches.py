"""What each approach promises, and the defects of the original that must not come back."""
import argparse

import numpy as np
import pytest
import torch

import discovery
import utils
from networks import mlp_hat
from synthetic import said, tasks

DATA, TASKCLA, SIZE = tasks('mlp')


def make(approach, **kwargs):
    """An approach on its multi-layer perceptron for the synthetic tasks."""
    utils.seed_everything(0)
    module = discovery.load('approaches', approach).Appr
    network = next('mlp' + v for v in module.variants if 'mlp' + v.replace('_', '-') in discovery.choices('networks'))
    net = discovery.load('networks', network).Net(SIZE, TASKCLA, nhid=100)
    return module(net, **{'nepochs': 1, 'lr': 0.1, **kwargs})


def train(appr, t):
    """Trains task t."""
    appr.train(t, *(DATA[t][s][k] for s in ('train', 'valid') for k in 'xy'))


def test_random_guesses_each_task_by_its_own_labels():
    appr = make('random')
    x, three, one = torch.zeros(50, 1), torch.full((50,), 3), torch.full((50,), 1)
    appr.train(0, x, three, x, three)
    appr.train(1, x, one, x, one)
    assert appr.eval(0, x, three) == (0, 1) and appr.eval(1, x, one) == (0, 1)


def test_imm_mode_stores_its_merge_and_leaves_unused_heads_alone(capsys, monkeypatch):
    appr = make('imm-mode')
    train(appr, 0)
    old, total, new = utils.get_model(appr.model), {n: f.clone() for n, f in appr.total.items()}, {}
    diagonal = type(appr).fisher_diagonal

    def spy(*args):
        new.update(utils.get_model(appr.model))
        new['fisher'] = diagonal(*args)
        return {n: f.clone() for n, f in new['fisher'].items()}
    monkeypatch.setattr(type(appr), 'fisher_diagonal', lambda self, *a: spy(self, *a))
    train(appr, 1)
    for n, w in utils.get_model(appr.model).items():
        f, f_old = new['fisher'][n], total[n]
        if n.startswith('last.2'):
            assert torch.equal(w, new[n]) and w.abs().sum() > 0
        else:
            informed = f + f_old > 0
            expected = torch.where(informed, (f * new[n] + f_old * old[n]) / (f + f_old), new[n])
            assert torch.allclose(w, expected, atol=1e-7)
    assert torch.allclose(appr.model.last[0].weight, old['last.0.weight'])  # only task 0 informs its head
    assert not torch.equal(appr.model.fc1.weight, new['fc1.weight'])


def test_pathnet_trains_even_with_fewer_epochs_than_generations(capsys):
    appr = make('pathnet', nepochs=2, generations=20)
    before = utils.get_model(appr.model)
    train(appr, 0)
    printed = capsys.readouterr().out
    assert printed.count('| Epoch') == 4 and printed.count('Winning path') == 2
    assert not torch.equal(appr.model.last[0].weight, before['last.0.weight'])


def test_pathnet_freezes_the_winner_and_resets_the_losers(capsys):
    appr = make('pathnet', nepochs=2, generations=2)
    initial = utils.get_model(appr.model)
    train(appr, 0)
    test = DATA[0]['test']['x'], DATA[0]['test']['y']
    before, kept = appr.eval(0, *test), appr.model.modules_of(appr.model.bestPath[0])
    assert (appr.model.bestPath[0] >= 0).all() and (appr.model.bestPath[1] == -1).all()
    trained = utils.get_model(appr.model)
    appr.begin_task(1, *test)
    for n, w in utils.get_model(appr.model).items():
        name, m = n.split('.')[:2]
        assert torch.equal(w, trained[n] if name == 'last' or (name, int(m)) in kept else initial[n])
    train(appr, 1)
    assert appr.eval(0, *test) == before


def test_pathnet_mutates_few_entries_by_little():
    appr = make('pathnet')
    path = np.full((appr.model.L, appr.model.N), 15)
    moved = np.concatenate([(appr.model.mutated(path) - path).ravel() for _ in range(300)])
    assert set(moved % 16) <= {0, 1, 2, 14, 15} and 0.5 < (moved != 0).mean() * path.size / 0.8 < 1.5


def test_hat_keeps_what_it_learnt(capsys):
    """The outputs for earlier tasks may drift only by what masks between 0 and 1 let through: by less than a thousandth
    of their size here."""
    appr, x, outputs = make('hat', nepochs=4), DATA[0]['test']['x'], {}
    for t in range(3):
        train(appr, t)
        for u in range(t + 1):
            out = said(appr, u, x)
            before = outputs.setdefault(u, out)
            assert (out - before).norm() < 1e-3 * before.norm()


@pytest.mark.parametrize('name', ['mlp', 'mlp_hat', 'mlp_lfl', 'mlp_progressive', 'mlp_pathnet'])
def test_mlps_take_images_that_are_not_square(name, capsys):
    net = discovery.load('networks', name).Net([2, 6, 10], [(0, 3), (1, 2)])
    approach = {'mlp': 'sgd'}.get(name, name.split('_')[-1])
    appr = discovery.load('approaches', approach).Appr(net, nepochs=1)
    x, y = torch.randn(70, 2, 6, 10), torch.arange(70) % 2
    appr.train(0, x, y, x, y)
    assert np.isfinite(appr.eval(0, x, y)[0])


@pytest.mark.parametrize('size', [[3, 32, 28], [1, 8, 8]])
def test_alexnets_refuse_images_they_cannot_take(size):
    for variant in ('', '_hat', '_hat_test', '_lfl', '_progressive', '_pathnet'):
        with pytest.raises(utils.UserError, match='square images of 12 x 12 pixels or more.*not %d x %d' % tuple(size[1:])):
            discovery.load('networks', 'alexnet' + variant).Net(size, TASKCLA)
    net = discovery.load('networks', 'alexnet').Net([1, 12, 12], TASKCLA)
    assert net(torch.randn(2, 1, 12, 12))[0].shape == (2, 10)


def test_named_and_positional_hyperparameters_agree():
    net = mlp_hat.Net(SIZE, TASKCLA, nhid=10)
    hat = discovery.load('approaches', 'hat').Appr
    for appr in (hat(net, lamb=1, smax=50), hat(net, args=argparse.Namespace(parameter='1,50')),
                 hat(net, 100, 64, 0.05, 1e-4, 3, 5, 10000, 1, 50)):
        assert (appr.lamb, appr.smax, appr.clipgrad) == (1, 50, 10000)
    with pytest.raises(utils.UserError, match='lamb, smax'):
        hat(net, gamma=1)
