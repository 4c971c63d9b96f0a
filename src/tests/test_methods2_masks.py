"""Masks and subspaces, wsn and gpm: as public code computes them (methods2.json), and each its own idea."""
import shutil

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import export
import run
import utils
from approaches import gpm, wsn
from learning import normalising, scenario as scenarios, subspace
from learning.inference import Inferred
from learning.recipe import Recipe
from networks import alexnet, layers, mlp
from results import records
from published import cases, near, tensor
from synthetic import batch_of, goes_on, said, set_scenario

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=30']
RECIPES = {'sgd': Recipe(), 'momentum': Recipe(momentum=.9, weight_decay=.01, keep=True),
           'adam': Recipe('adam', weight_decay=.01), 'kept': Recipe('adam', keep=True)}


class Single(nn.Module):
    """x W', for any task."""

    def __init__(self, weight, ntasks):
        super().__init__()
        self.fc1, self.last = nn.Linear(weight.shape[1], len(weight), bias=False).double(), nn.ModuleList()
        self.taskcla = [(t, len(weight)) for t in range(ntasks)]
        with torch.no_grad():
            self.fc1.weight.copy_(weight)

    def forward(self, x):
        return [self.fc1(x)] * len(self.taskcla)


class Weighed(wsn.Appr):
    """wsn with the loss of the cases."""

    def loss(self, batch):
        return (self.outputs(batch)[batch.task] * self.upstream).sum()


@cases('wsn')
def test_masks_of_scores_gradients_and_steps(case):
    i, out, name = case['inputs'], case['outputs']['wsn_authors'], 'fc1.weight'
    weight, scores = tensor(i['weight']).requires_grad_(), tensor(i['scores']).requires_grad_()
    mask = wsn.best(scores, i['sparsity'])
    assert mask.tolist() == out['mask'] and int(mask.sum()) == out['kept']
    assert near(scores.abs()[mask].min(), out['threshold'], case)
    found = F.linear(tensor(i['x']), weight * wsn.through(scores, i['sparsity']))
    assert near(found, out['output'], case)
    (found * tensor(i['upstream'])).sum().backward()
    assert near(weight.grad, out['grad_weight'], case) and near(scores.grad, out['grad_scores'], case)

    tasks = len(i['scores_of_tasks'])
    appr = Weighed(Single(weight.detach(), tasks + 1), lr=i['lr'], share=1 - i['sparsity'])
    appr.upstream, appr.used = tensor(i['upstream']), {name: torch.tensor(i['used_by_earlier_tasks']).bool()}
    seen = {}
    appr.scores[name].data.copy_(scores.detach())
    appr.optimizer.register_step_pre_hook(lambda *_: seen.update(grad=appr.model.fc1.weight.grad.clone()))
    appr.step(batch_of(tasks, tensor(i['x'])))
    assert near(seen['grad'], out['grad_weight_frozen'], case)
    assert near(appr.model.fc1.weight, out['weight_after_sgd'], case)
    assert near(appr.scores[name], out['scores_after_sgd'], case)

    appr.used = {}
    for t, values in enumerate(i['scores_of_tasks']):
        appr.scores[name].data.copy_(tensor(values))
        appr.begin_task(t, None, None)
        appr.end_task(t, None, None)
        assert appr.masks[t][name].tolist() == out['masks_of_tasks'][t]
    assert appr.used[name].tolist() == out['used_after_all']
    for t, values in enumerate(out['outputs_by_task_at_test']):
        assert near(said(appr, t, tensor(i['x'])), values, case)


@cases('gpm')
def test_the_bases_of_tasks_one_after_another(case):
    i, out = case['inputs'], case['outputs']['gpm_authors']
    features = [len(r) for r in i['representations'][0]]
    bases = [torch.zeros(f, 0, dtype=torch.float64) for f in features]
    for t, found in enumerate(i['representations']):
        for n, (r, threshold, g) in enumerate(zip(found, i['thresholds'], i['grads'])):
            bases[n] = subspace.grown(bases[n], tensor(r), threshold, short=t == 0)
            assert bases[n].shape[1] == out['number_of_bases'][t][n]
            assert near(bases[n] @ bases[n].t(), out['projections'][t][n], case)
            assert near(subspace.outside(tensor(g), bases[n]), out['projected_gradients'][t][n], case)


@cases('gpm')
def test_the_paper_s_count_is_the_least_that_reaches_the_threshold(case):
    for r, threshold in zip(case['inputs']['representations'][0], case['inputs']['thresholds']):
        r = tensor(r)
        none = r[:, :0]
        share = [((b.t() @ r).square().sum() / r.square().sum()).item() for b in (
            subspace.grown(none, r, threshold, short) for short in (True, False))]
        assert share[0] < threshold <= share[1]


def test_a_basis_never_has_directions_of_rounding():
    g = torch.Generator().manual_seed(0)
    r = torch.randn(6, 3, generator=g).double() @ torch.randn(3, 40, generator=g).double()
    basis = subspace.grown(r[:, :0], r, 1.)
    assert basis.shape == (6, 3) and torch.allclose(basis.t() @ basis, torch.eye(3).double())
    assert subspace.grown(basis, r, 1.).shape == (6, 3)
    assert subspace.grown(r[:, :0], 0 * r, .9).shape == (6, 0)


@pytest.mark.parametrize('layer', [
    nn.Linear(5, 3), nn.Linear(5, 3, bias=False), nn.Conv2d(2, 3, 3, stride=2, padding=1, dilation=2),
    nn.Conv2d(2, 3, (1, 2), bias=False)])
def test_columns_are_what_the_weights_are_multiplied_by(layer):
    x = torch.randn(4, 5) if isinstance(layer, nn.Linear) else torch.randn(4, 2, 7, 8)
    columns = subspace.patches(layer, x)
    matrix = torch.cat([p.flatten(1) if p.dim() > 1 else p[:, None] for p in layer.parameters()], 1).double()
    expected = layer(x) if x.dim() == 2 else layer(x).flatten(2).transpose(1, 2).flatten(0, 1)
    assert torch.allclose((matrix @ columns).t(), expected.double(), atol=1e-5)
    small = subspace.condensed(columns)
    assert small.shape[1] <= len(columns) and torch.allclose(small @ small.t(), columns @ columns.t())


# Learning
def made(name, network='mlp', scenario='task', recipe=None, **kwargs):
    """An approach on three tasks of two classes, and their (x, y)."""
    utils.seed_everything(0)
    size, taskcla = [3, 16, 16] if network == 'alexnet' else [1, 6, 6], [(t, 2) for t in range(3)]
    kind, outer = {'wsn': wsn.Appr, 'gpm': gpm.Appr}[name], scenarios.KINDS[scenario](taskcla)
    heads = taskcla if kind.isolated else outer.taskcla()
    net = mlp.Net(size, heads, 2, 40, .1)
    if network == 'alexnet':  # of an eighth of the units
        net = layers.Plain(layers.scaled(alexnet.layers(size), 1 / 8), size, heads)
    appr = kind(net, **{'nepochs': 8, 'sbatch': 16, 'lr': .1, **kwargs})
    if not kind.isolated:
        set_scenario(appr, outer)
    elif scenario != 'task':
        set_scenario(appr, Inferred('max-logit', outer))
    if recipe:
        appr.configure(recipe=recipe)
    means, data = torch.randn(3, 2, *size), []
    for mean in means:
        y = torch.arange(96) % 2
        data.append((mean[y] + .3 * torch.randn(96, *size), y))
    return appr, data


def train(appr, data, t):
    """Learns a task."""
    appr.train(t, *data[t], *data[t])


@pytest.mark.parametrize('name, scenario, network', [
    ('wsn', 'task', 'mlp'), ('wsn', 'class', 'alexnet'), ('wsn', 'domain', 'mlp'), ('gpm', 'task', 'alexnet'), ('gpm', 'class', 'mlp'),
    ('gpm', 'domain', 'alexnet')])
def test_two_tasks_are_learnt_in_every_scenario(name, scenario, network, capsys):
    large = {'recipe': RECIPES['adam'], 'lr': .003, 'nepochs': 15} if network == 'alexnet' else {}
    appr, data = made(name, network, scenario, **large)
    train(appr, data, 0)
    first = appr.eval(0, *data[0])[1]
    train(appr, data, 1)
    last = appr.eval(1, *data[1])[1]
    chance = .25 if scenario == 'class' else .5
    assert first > .9 and last > chance + .2, (first, last)
    assert np.mean([appr.eval(u, *data[u])[1] for u in range(2)]) > chance + .2


@pytest.mark.parametrize('recipe, lr', [('sgd', .05), ('momentum', .05), ('adam', .003), ('kept', .003)])
def test_wsn_keeps_old_outputs_bit_for_bit_with_any_optimizer(recipe, lr, capsys):
    appr, data = made('wsn', recipe=RECIPES[recipe], lr=lr, share=.4)
    kept, used = [], []
    for t in range(3):
        before = utils.get_model(appr.model)
        train(appr, data, t)
        kept.append(said(appr, t, data[t][0]))
        for u, z in enumerate(kept):
            assert torch.equal(said(appr, u, data[u][0]), z)
        now = utils.get_model(appr.model)
        for n, guarded in (used[-1] if used else {}).items():
            assert torch.equal(now[n][guarded], before[n][guarded])
        used.append(appr.guarded())
    assert not torch.equal(kept[0], said(appr, 1, data[0][0]))
    for masks in appr.masks:
        every = torch.cat([m.flatten() for m in masks.values()])
        assert every.float().mean() == pytest.approx(.4, abs=.01)
    found = appr.account(3)
    assert .4 < found['used_weights'] < 1 and found['mask_bits'] == 3 * (36 * 40 + 40 * 40)


def test_wsn_scores_go_on_and_masks_are_those_of_the_best_epoch(capsys):
    appr, data = made('wsn', nepochs=4)
    losses, seen, measure = iter([.9, .9, .5, .5, .8, .8, .7, .7] * 2), [], appr.eval
    appr.eval = lambda t, x, y: (next(losses), measure(t, x, y)[1])
    end = appr.end_epoch

    def watched(t, e, *results):
        seen.append(appr.copies())
        assert all(torch.equal(m, appr.chosen()[n]) for n, m in appr.present.items())  # what was evaluated
        return end(t, e, *results)
    appr.end_epoch = watched
    valid = [(x.clone(), y) for x, y in data]
    for t in range(2):
        appr.train(t, *data[t], *valid[t])
        best = seen[4 * t + 1]
        assert all(torch.equal(s, best[n]) for n, s in appr.scores.items())
        assert all(torch.equal(m, wsn.best(best[n], .5)) for n, m in appr.masks[t].items())
        assert any(not torch.equal(m, wsn.best(seen[4 * t + 3][n], .5)) for n, m in appr.masks[t].items())
    assert appr.best is None and appr.scorer is None
    gaps = [(seen[4][n] - seen[1][n]).abs().max() for n in appr.scores]  # the second task goes on from the first
    assert max(gaps) < .5 * min(s.abs().max() for s in seen[1].values())


@pytest.mark.parametrize('name, recipe', [('wsn', 'sgd'), ('wsn', 'momentum'), ('wsn', 'adam'), ('wsn', 'kept'), ('gpm', 'kept')])
def test_training_goes_on_bit_for_bit_with_any_optimizer(name, recipe, capsys):
    def make():
        return made(name, recipe=RECIPES[recipe], nepochs=3, lr=.01)[0]
    data = {t: {s: {'x': x, 'y': y} for s in ('train', 'valid', 'test')} for t, (x, y) in enumerate(made(name)[1])}
    goes_on(make, data, lambda n: (1, 5))  # within the first task and the second


def test_wsn_without_patience_keeps_the_last_scores(capsys):
    appr, data = made('wsn', recipe=Recipe(patience=False), nepochs=3, lr=.5)
    seen, epoch = [], appr.train_epoch

    def watched(*args):
        epoch(*args)
        seen.append(appr.copies())
        if len(seen) == 2:
            raise KeyboardInterrupt  # which leaves the weights as they are
    appr.train_epoch = watched
    train(appr, data, 0)
    assert len(seen) == 2
    assert all(torch.equal(s, seen[1][n]) and not torch.equal(s, seen[0][n]) for n, s in appr.scores.items())


@pytest.mark.parametrize('keep', [False, True])
def test_wsn_trains_scores_by_the_learning_rate_of_the_weights(keep, capsys):
    appr, data = made('wsn', recipe=Recipe(momentum=.9, keep=keep), lr_patience=1, nepochs=6, lr=.2)
    losses, rates, measure = iter([(1, .5), (.9, .9), (.9, .9), (1, .4), (1, .5), (1, .6)]), [], appr.eval
    pairs = []

    def fake(t, x, y):
        pairs[:] = pairs or next(losses)
        return pairs.pop(0), measure(t, x, y)[1]
    appr.eval = fake
    epoch = appr.train_epoch

    def watched(*args):
        epoch(*args)
        rates.append((appr.optimizer.param_groups[0]['lr'], appr.scorer.param_groups[0]['lr'], appr.scorer))
    appr.train_epoch = watched
    appr.train(0, *data[0], data[0][0].clone(), data[0][1])
    assert all(a == b for a, b, _ in rates) and len({a for a, _, _ in rates}) > 2
    count = len({id(scorer) for _, _, scorer in rates})  # a new one for every rate, unless it is to be kept
    assert count == 1 if keep else count == len({a for a, _, _ in rates})


@pytest.mark.parametrize('scenario, recipe', [('task', 'sgd'), ('domain', 'momentum'), ('domain', 'adam'), ('task', 'kept')])
def test_gpm_moves_no_layer_within_its_basis(scenario, recipe, capsys):
    appr, data = made('gpm', scenario=scenario, recipe=RECIPES[recipe], lr=.05 if 'adam' not in recipe else .003)
    train(appr, data, 0)
    assert list(appr.bases) == ['fc1', 'fc2', 'last.0'][:3 if scenario == 'domain' else 2]
    old, before = dict(appr.bases), utils.get_model(appr.model)
    train(appr, data, 1)
    now = utils.get_model(appr.model)
    for name, basis in old.items():
        both = [name + '.weight', name + '.bias']
        moved = torch.cat([(now[n] - before[n]).view(len(now[n]), -1) for n in both], 1)
        assert 0 < basis.shape[1] < len(basis) and len(basis) == moved.shape[1]
        assert torch.allclose(basis.t() @ basis, torch.eye(basis.shape[1]), atol=1e-5)
        assert moved.norm() > 1e-2 and (moved @ basis).norm() < 1e-3 * moved.norm()
        new = appr.bases[name]
        assert new.shape[1] >= basis.shape[1] and torch.equal(new[:, :basis.shape[1]], basis)


@pytest.mark.parametrize('network', ['mlp', 'alexnet'])
def test_gpm_with_all_directions_keeps_old_outputs_but_for_rounding(network, capsys):
    moved = []
    for text in ('1', '.01'):
        appr, data = made('gpm', network, thresholds=text, basis_samples=96, nepochs=2)
        train(appr, data, 0)
        kept = said(appr, 0, data[0][0])
        before = utils.get_model(appr.model)
        train(appr, data, 1)
        moved.append((said(appr, 0, data[0][0]) - kept).abs().max().item() / kept.abs().max().item())
        assert not torch.equal(appr.model.fc1.weight, before['fc1.weight']) or text == '1'
    assert moved[0] < 1e-4 and moved[1] > 20 * moved[0]


def test_gpm_draws_its_samples_from_numpy_and_thresholds_increase(capsys):
    counts = []
    for increase in (0., .09):
        appr, data = made('gpm', thresholds='.8', increase=increase, basis_samples=60, nepochs=1)
        state = np.random.get_state()
        np.random.seed(3)
        appr.end_task(0, *data[0])
        np.random.seed(3)
        basis, appr.bases = appr.bases, {}
        appr.end_task(0, *data[0])
        assert all(torch.equal(b, basis[n]) for n, b in appr.bases.items())
        appr.end_task(2, *data[1])
        counts.append(appr.bases['fc1'].shape[1])
        np.random.set_state(state)
    assert counts[1] > counts[0]
    few, data = made('gpm', thresholds='1', basis_samples=2)
    few.end_task(0, *data[0])
    assert [b.shape[1] for b in few.bases.values()] == [2, 2]
    short, data = made('gpm', thresholds='.8', count='authors', basis_samples=60)
    np.random.seed(3)
    short.end_task(0, *data[0])
    assert short.bases['fc1'].shape[1] == basis['fc1'].shape[1] - 1
    assert short.account(1) == {'bases': {n: [b.shape[1], b.shape[0]] for n, b in short.bases.items()}}
    assert short.report_lines()[0].startswith('Directions of inputs held: fc1 %d of 37' % short.bases['fc1'].shape[1])


def test_gpm_s_thresholds_are_one_for_each_layer_or_for_all(refused, tmp_path):
    assert gpm.numbers('0.95,0.99,...', 'abcd') == [.95, .99, .99, .99] and gpm.numbers('0.95,0.99,...', 'a') == [.95]
    assert gpm.numbers('.9', 'abc') == [.9] * 3 and gpm.numbers('.9,.8,1', 'abc') == [.9, .8, 1.]
    out = ['--output', str(tmp_path / 'o.txt')]
    for text in ('.9,.8', '.9,.8,.7,.6,.5'):
        line = refused(run.main, [*SHORT, '--approach', 'gpm', '--thresholds', text, *out])
        assert 'the network has 3 layers that are projected (fc1, fc2, fc3): give one for each, or one for all' in line
    line = refused(run.main, [*SHORT, '--approach', 'gpm', '--scenario', 'domain', '--thresholds', '.9,.8,.7', *out])
    assert '4 layers that are projected (fc1, fc2, fc3, last.0)' in line
    for text in ('0', '1.1', 'nan', '...', ',...', '.9,', 'x', '.9,...,.8', '-1'):
        line = refused(run.main, [*SHORT, '--approach', 'gpm', '--thresholds=' + text, *out])
        assert '--thresholds must be numbers above 0 and at most 1' in line and text in line
    for more in (['--basis-samples', '0'], ['--increase', '-1'], ['--count', 'all']):
        assert more[0] + ' must be' in refused(run.main, [*SHORT, '--approach', 'gpm', *more, *out])
    for share in ('0', '1.5', '-1'):
        line = refused(run.main, [*SHORT, '--approach', 'wsn', '--share', share, *out])
        assert '--share must be a number > 0 and <= 1' in line


class Normed(nn.Module):
    """A network of a user's own, with batch normalisation."""

    def __init__(self, heads=2):
        super().__init__()
        self.taskcla = [(t, 2) for t in range(heads)]
        self.fc1, self.bn = nn.Linear(36, 30), nn.BatchNorm1d(30)
        self.last = nn.ModuleList(nn.Linear(30, 2) for _ in range(heads))

    def forward(self, x):
        h = F.relu(self.bn(self.fc1(x.flatten(1))))
        return [head(h) for head in self.last]


@pytest.mark.parametrize('kind, recipe', [(wsn.Appr, 'sgd'), (wsn.Appr, 'kept'), (gpm.Appr, 'momentum'), (gpm.Appr, 'adam')])
def test_norms_stay_what_the_first_task_makes_them(kind, recipe, capsys):
    _, data = made('gpm')
    utils.seed_everything(0)
    appr = kind(Normed(), nepochs=3, sbatch=16, lr=.02)
    appr.configure(recipe=RECIPES[recipe])
    start, states = utils.get_model(appr.model), []
    for t in range(2):
        train(appr, data, t)
        states.append({n: v for n, v in utils.get_model(appr.model).items() if n.startswith('bn')})
    assert all(torch.equal(v, states[1][n]) and not torch.equal(v, start[n]) for n, v in states[0].items())
    assert {'bn.weight', 'bn.bias'} <= set(appr.guarded()) and len(normalising.layers(appr.model)) == 1


def test_a_network_without_biases_has_none_and_can_be_used(refused, tmp_path, capsys):
    net = mlp.Net([1, 4, 4], [(0, 3), (1, 3)], 2, 8, 0., bias=0)
    assert [n for n, _ in net.named_parameters()] == ['fc1.weight', 'fc2.weight', 'last.0.weight', 'last.1.weight']
    x, t = torch.randn(6, 1, 4, 4), torch.tensor([0, 1, 0, 1, 1, 0])
    own, both = net(x, only=(t, range(2))), net(x)
    assert torch.allclose(own, torch.stack([both[u][k] for k, u in enumerate(t.tolist())]))
    output = tmp_path / 'o.txt'
    argv = [*SHORT, '--approach', 'gpm', '--output']
    run.main([*argv, str(output), '--net', 'nhid=20,nlayers=2,bias=0', '--save'])
    assert records.read_record(output)['bases']['fc2'][1] == 20
    assert export.main([str(output), '--task', '1', '--output', str(tmp_path / 't.pt2')]) == 0
    assert 'agree on 100.00%' in capsys.readouterr().out
    shutil.rmtree(utils.ROOT / 'logs' / '+' / str(tmp_path)[1:], ignore_errors=True)
    line = refused(run.main, [*argv, str(tmp_path / 'p.txt'), '--net', 'bias=0.5'])
    assert 'bias=0.5: expected 1, or 0' in line
