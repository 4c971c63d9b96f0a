"""Methods beyond the original's: as public code computes them on tiny inputs (methods.json), and each its own idea."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import run
import discovery
import utils
import original
from approaches import agem, anchored, der, derpp, dgr, er, ewc, ewc_online, gem, icarl, lwf, mas, online_meta, packnet, si
from dataloaders.images import Images, Pixels
from fast.quadratic import Quadratic, of as closed
from learning import buffer, evaluation, policies, projection, samples, scenario as scenarios, vae
from learning.batch import Batch, parts
from learning.recipe import Recipe
from networks import layers, mlp
from results import records
from published import cases, tensor
from synthetic import batch_of, logits, said, set_scenario


class Tanh(nn.Module):
    """tanh(x W1' + b1) W2' + b2, the network of the cases; its parameters by their names there."""

    NAMES = {'fc1.weight': 'W1', 'fc1.bias': 'b1', 'last.0.weight': 'W2', 'last.0.bias': 'b2'}

    def __init__(self, net):
        super().__init__()
        self.fc1, self.last = nn.Linear(*np.array(net['W1']).T.shape).double(), nn.ModuleList([nn.Linear(*np.array(net['W2']).T.shape).double()])
        self.load({k: tensor(v) for k, v in net.items()})
        self.taskcla = [(0, len(net['b2']))]

    def load(self, net):
        """Sets the parameters."""
        with torch.no_grad():
            for n, p in self.named_parameters():
                p.copy_(net[self.NAMES[n]])

    def named(self, values):
        """{name in the cases: list} of {parameter's name: tensor}."""
        return {self.NAMES[n]: v.tolist() for n, v in values.items()}

    def forward(self, x, only=None):
        """The logits of the one head."""
        return [self.last[0](torch.tanh(self.fc1(x)))]


def made(kind, net, **kwargs):
    """An approach on a network of the cases, whose tasks share the head."""
    appr = kind(net, **kwargs)
    appr.configure(scenario=scenarios.Domain(net.taskcla))
    return appr


def same(found, expected, tolerance):
    """Whether {name: list} are near each other."""
    for n, v in expected.items():
        assert np.allclose(found[n], v, rtol=tolerance, atol=tolerance), n


def net(taskcla=((0, 3), (1, 2)), pdrop=0.):
    """A small network."""
    utils.seed_everything(0)
    return mlp.Net([1, 4, 4], list(taskcla), 1, 16, pdrop)


def batch(n=24, ncla=2, seed=1):
    """Images and labels."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 4, 4, generator=g), torch.randint(ncla, (n,), generator=g)


@cases('importance', file='methods.json')
def test_importances_of_single_samples(case):
    model, i, out = Tanh(case['inputs']['net']), case['inputs'], case['outputs']
    x, y = tensor(i['x']), torch.tensor(i['y'])
    appr = made(mas.Appr, model)
    appr.end_task(0, x, y)
    same(model.named(appr.omega), out['mas_authors']['mas_authors_code_batch1'], case['tolerance'])
    appr.end_task(1, x, y)  # importances add up
    same({k: np.array(v) / 2 for k, v in model.named(appr.omega).items()}, out['mas_authors']['mas_authors_code_batch1'], case['tolerance'])
    appr = made(ewc_online.Appr, model, fisher='sample')
    fisher = appr.fisher_diagonal(0, x, y)
    same(model.named(fisher), out['facil']['fisher_true_batch1'], case['tolerance'])
    appr = made(ewc_online.Appr, model, fisher='exact')
    everything = {k: np.array(v) * (len(x) - 1) / len(x) for k, v in out['vandeven']['fisher_all_divided_by_N_minus_1'].items()}
    same(model.named(appr.fisher_diagonal(0, x, y)), everything, case['tolerance'])
    appr = made(ewc_online.Appr, model, fisher='batch', fisher_sbatch=i['batch'])
    same(model.named(appr.fisher_diagonal(0, x, y)), out['facil']['fisher_true_batch%d' % i['batch']], case['tolerance'])


@cases('online_ewc', file='methods.json')
def test_one_fisher_that_fades(case):
    i, out = case['inputs'], case['outputs']['vandeven']
    model = Tanh(i['tasks'][0]['net'])
    appr = made(ewc_online.Appr, model, lamb=1., gamma=i['gamma'], fisher='sample')
    for t, task in enumerate(i['tasks']):
        model.load({k: tensor(v) for k, v in task['net'].items()})
        n = len(task['y'])
        appr.end_task(t, tensor(task['x']), torch.tensor(task['y']))
        if t == 0:
            appr.information = {k: f * n / (n - 1) for k, f in appr.information.items()}  # as that code divides
        else:
            appr.information = {k: (f - i['gamma'] * last[k]) * n / (n - 1) + i['gamma'] * last[k] for k, f in appr.information.items()}
        last = appr.information
        same(model.named(appr.information), out['fisher_after_task'][t], case['tolerance'])
    model.load({k: tensor(v) for k, v in i['eval_net'].items()})
    appr.configure(seen=1)
    assert appr.penalty().item() == pytest.approx(out['penalty_half_gamma_F_d2'], rel=1e-8)
    assert closed(appr).value().item() == pytest.approx(out['penalty_half_gamma_F_d2'], rel=1e-8)


class Vector(nn.Module):
    """A parameter that a test moves by hand."""

    def __init__(self, theta):
        super().__init__()
        self.theta, self.last = nn.Parameter(tensor(theta)), nn.ModuleList([nn.Linear(1, 1)])
        self.taskcla = [(0, 1)]

    def forward(self, x):
        raise NotImplementedError


@cases('si_path', file='methods.json')
def test_the_path_integral(case):
    i, out = case['inputs'], case['outputs']
    model = Vector(i['theta0'])
    appr = made(si.Appr, model, c=1., xi=i['damping'])
    for t, task in enumerate(i['tasks']):
        appr.begin_task(t, None, None)
        for s in task:
            for p in model.parameters():
                p.grad = None
            model.theta.grad, step = tensor(s['grad_task']), SimpleNamespace()
            with torch.no_grad():
                appr.after_backward(step)
                model.theta.copy_(tensor(s['theta_after']))
                appr.after_step(step)
        expected = out['pathint']['task_gradient_relu_of_running_sum'][t]
        assert np.allclose(appr.path['theta'], expected['w'], atol=case['tolerance'])
        appr.end_task(t, None, None)
        assert np.allclose(appr.omega['theta'], expected['omega'], atol=case['tolerance'])
    with torch.no_grad():
        model.theta.copy_(tensor(i['theta_eval']))
    appr.configure(seen=1)
    assert appr.penalty().item() == pytest.approx(out['pathint']['regularizer_sum_omega_d2_relu'], rel=1e-6)


def test_an_importance_of_si_that_fell_below_0_goes_on_from_0():
    model = Vector([0., 0.])
    appr = made(si.Appr, model, c=1., xi=1.)
    for path, omega in (([-14.8, 2.], [0., 2.]), ([.77, -.5], [.77, 1.5])):
        appr.begin_task(0, None, None)
        appr.path['theta'] = tensor(path)
        appr.end_task(0, None, None)
        assert np.allclose(appr.omega['theta'], omega)
    with torch.no_grad():
        model.theta.add_(1.)
    appr.configure(seen=1)
    assert appr.penalty().item() == pytest.approx(.77 + 1.5)


@cases('si_train', file='methods.json')
def test_a_whole_run_of_si(case, monkeypatch):
    i = case['inputs']
    model = Tanh(i['net'])
    appr = made(si.Appr, model, nepochs=i['epochs'], sbatch=i['batch'], lr=i['lr'], c=i['c'], xi=i['damping'], clipgrad=1e9)
    appr.recipe.patience = False
    monkeypatch.setattr(np.random, 'shuffle', lambda r: None)
    for t, (task, expected) in enumerate(zip(i['tasks'], case['outputs']['facil']['after_task'])):
        x, y = tensor(task['x']), torch.tensor(task['y'])
        appr.train(t, x, y, x, y)
        found = model.named(dict(model.named_parameters()))
        weights = expected.get('weights', expected)
        same(found, {k: weights[k] for k in found}, 1e-7)
        omega = model.named({n: o for n, o in appr.omega.items()})
        same(omega, expected[next(k for k in expected if 'omega' in k)], 1e-7)


@cases('gem', file='methods.json')
def test_gem_s_projection(case):
    i = case['inputs']
    found = projection.gem(tensor(i['g']), tensor(i['M']), i['margin'], i['eps'])
    assert np.allclose(found, case['outputs']['mammoth']['projected'], atol=case['tolerance'])
    assert np.allclose(found, case['outputs']['gem_authors']['projected_float32'], atol=1e-4)


@cases('agem', file='methods.json')
def test_agem_s_projection(case):
    found, reference = (torch.as_tensor(tensor(case['inputs'][k])).clone() for k in ('g', 'g_ref'))
    projection.agem([found[:2], None, found[2:]], [reference[:2], None, reference[2:]])
    assert np.allclose(found, case['outputs']['mammoth']['projected'], atol=case['tolerance'])


@cases('herding', file='methods.json')
def test_herding(case):
    order = policies.herding(tensor(case['inputs']['features']), case['inputs']['m'])
    assert order.tolist() == case['outputs']['mammoth']['order'] == case['outputs']['facil']['order']


@cases('der', file='methods.json')
def test_the_losses_of_der(case):
    i, out = case['inputs'], case['outputs']['mammoth']
    now, later = tensor(i['buf1_logits_now']).requires_grad_(), tensor(i['buf2_logits_now']).requires_grad_()
    loss = F.cross_entropy(tensor(i['logits']), torch.tensor(i['labels'])) + i['alpha'] * der.distance(now, tensor(i['buf1_logits_stored']))
    loss.backward()
    assert loss.item() == pytest.approx(out['der_loss'], rel=1e-9)
    assert np.allclose(now.grad, out['der_gradient_of_buffer_logits'], atol=1e-9)
    loss = loss + i['beta'] * F.cross_entropy(later, torch.tensor(i['buf2_labels']))
    assert loss.item() == pytest.approx(out['derpp_loss'], rel=1e-9)


@cases('lamaml', file='methods.json')
def test_a_step_of_online_meta_learning(case, monkeypatch):
    i, out = case['inputs'], case['outputs']['lamaml_authors']
    model = Tanh(i['net'])
    monkeypatch.setattr(model, 'forward', lambda x, only=None: [model.last[0](torch.relu(model.fc1(x)))])
    appr = made(online_meta.Appr, model, lr=i['opt_wt'], mode=i['mode'], opt_lr=i['opt_lr'], second_order=int(i['second_order']),
                glances=i['glances'], clip=i['grad_clip_norm'])
    alpha = i['alpha'] if isinstance(i['alpha'], dict) else {k: np.full(np.shape(v), i['alpha']) for k, v in i['net'].items()}
    appr.rates = {n: tensor(alpha[model.NAMES[n]]) for n in appr.rates}
    x, y, memory = tensor(i['x']), torch.tensor(i['y']), (tensor(i['mem_x']), torch.tensor(i['mem_y']))
    monkeypatch.setattr(appr.memory, 'draw', lambda *a, **k: batch_of(torch.zeros_like(memory[1]), *memory))
    model.train()
    loss = appr.step(batch_of(1, x, y))
    assert loss.item() == pytest.approx(out['meta_loss'], abs=case['tolerance'])
    same(model.named({n: p.detach() for n, p in model.named_parameters()}), out['weights'], case['tolerance'])
    if i['mode'] != 'cmaml':
        same(model.named(appr.rates), out['alpha'], case['tolerance'])


@cases('vae', file='methods.json')
def test_the_generator_s_loss(case):
    i = case['inputs']
    found = vae.loss(*(tensor(i[k]) for k in ('x', 'x_recon', 'mu', 'logvar')))
    assert found.item() == pytest.approx(case['outputs']['vandeven']['loss'], rel=1e-9)


def test_the_meta_gradient_is_that_of_the_unrolled_steps():
    appr, (x, y) = online_meta.Appr(net(), mode='sync', second_order=1, alpha=.2), batch(3)
    model = appr.model.train()
    loss = appr.loss(batch_of(1, x, y))
    loss.backward()
    theta, rate, total = dict(model.named_parameters()), {n: torch.full_like(p, .2).requires_grad_() for n, p in model.named_parameters()}, 0
    fast = theta
    for k in range(3):
        g = torch.autograd.grad(F.cross_entropy(functional_call(model, fast, (x[k:k + 1],))[1], y[k:k + 1]), fast.values(),
                                create_graph=True, allow_unused=True)
        fast = {n: p if d is None else p - rate[n] * d for (n, p), d in zip(fast.items(), g)}
        total = total + F.cross_entropy(functional_call(model, fast, (x,))[1], y) / 3
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    for (n, p), g, a in zip(theta.items(), torch.autograd.grad(total, theta.values(), retain_graph=True, allow_unused=True),
                            torch.autograd.grad(total, rate.values(), allow_unused=True)):
        assert (g is None and p.grad is None) or torch.allclose(p.grad, g, atol=1e-6)
        assert (a is None and appr.rates[n].grad is None) or torch.allclose(appr.rates[n].grad, a, atol=1e-6)


def test_samples_of_the_generator_are_recognised_by_a_classifier_of_its_own(capsys):
    utils.seed_everything(0)
    y = torch.arange(400) % 2
    x = torch.zeros(400, 1, 6, 6)
    x[y == 0, :, :3], x[y == 1, :, 3:] = 1., 1.
    x = (x + .1 * torch.rand_like(x)).clamp(0, 1) * 3 - 1
    appr = dgr.Appr(mlp.Net([1, 6, 6], [(0, 2), (1, 2)], 1, 16, 0.), nepochs=25, sbatch=20, lr=.1, width=32, z=4)
    before = appr.generator.loss(x).item()
    appr.train(0, x, y, x, y)
    assert appr.generator.loss(x).item() < .6 * before
    seen = appr.old.images(200)
    assert -1 <= seen.min() < 0 and 1.5 < seen.max() <= 2  # in the range of the data
    top, bottom = seen[:, :, :3].mean((1, 2, 3)), seen[:, :, 3:].mean((1, 2, 3))  # the classifier: which half is bright
    told = (top < bottom).long()
    clear = (top - bottom).abs() > 1
    assert .2 < told.float().mean() < .8 and clear.float().mean() > .8
    assert (appr.model(seen)[0].argmax(1) == told)[clear].float().mean() > .95


@cases('ncm', file='methods.json')
def test_the_nearest_class_mean(case):
    i, out = case['inputs'], case['outputs']
    means = icarl.class_means([tensor(e) for e in i['exemplars']])
    found = icarl.scores(means, tensor(i['queries']))
    assert np.allclose(means, out['vandeven']['class_means'], atol=1e-9) and np.allclose(means, out['facil']['class_means'], atol=1e-9)
    assert np.allclose(found, out['vandeven']['scores_minus_squared_distance'], atol=1e-9)
    assert found.argmax(1).tolist() == out['vandeven']['predicted']


def test_the_gradient_of_softened_probabilities_is_finite_where_they_are_0():
    z = torch.tensor([[300., 0., -300.], [1., 2., 3.]], requires_grad=True)
    original.cross_entropy(z, torch.tensor([[0., 0., -torch.inf], [3., 2., 1.]]), exp=.5).backward()
    assert torch.isfinite(z.grad).all() and z.grad[1].abs().max() > 0


@cases('distill', file='methods.json')
def test_distillation(case):
    i, out, tol = case['inputs'], case['outputs'], dict(rel=1e-4, abs=1e-5)  # LwF's code keeps logarithms finite by 1e-5
    z, old, y, T = tensor(i['logits']), tensor(i['old_logits'])[:, :i['n_old']], torch.tensor(i['labels']), i['T']
    assert icarl.distilled(z, y, old).item() == pytest.approx(out['mammoth']['icarl_bce_mean_over_batch_and_classes'], rel=1e-9)
    student, teacher = z[:, :i['n_old']], old
    assert original.cross_entropy(student, teacher, exp=1 / T).item() == pytest.approx(out['facil']['lwf_ce_with_eps'], rel=1e-6)
    padded = F.pad(teacher, (0, z.shape[1] - i['n_old']), value=-torch.inf)
    assert original.cross_entropy(z, padded, exp=1 / T).item() == pytest.approx(out['vandeven']['kd_zero_padded'], **tol)


def test_icarl_classifies_by_hand(capsys):
    appr, (x, y), (x2, _) = icarl.Appr(net(((0, 2), (1, 2)), pdrop=.2), nepochs=2, lr=.5, sbatch=8, buffer_size=12), batch(), batch(seed=3)
    appr.configure(scenario=scenarios.Class([(0, 2), (1, 2)]))
    appr.train(0, x, y, x, y)
    appr.train(1, x2, y, x2, y)
    assert len(appr.memory) == 12 and [int(((appr.memory.t == u) & (appr.memory.y == c)).sum()) for u in (0, 1) for c in (0, 1)] == [3] * 4
    appr.model.eval()
    with torch.no_grad():
        def unit(v):
            return v / v.norm()
        means = [unit(sum(unit(appr.model.hidden(v[None])[0]) for v in appr.memory.x[(appr.memory.t == u) & (appr.memory.y == c)]) / 3)
                 for u in (0, 1) for c in (0, 1)]
        told = [min(range(4), key=lambda k: (unit(appr.model.hidden(v[None])[0]) - means[k]).norm()) for v in x2]
    assert appr.eval(1, x2, y)[1] == pytest.approx(np.mean([a == b + 2 for a, b in zip(told, y.tolist())]))


def test_icarl_never_chooses_a_class_without_an_exemplar(capsys):
    taskcla = [(0, 2), (1, 2)]
    appr, (x, y), (x2, _) = icarl.Appr(net(taskcla), nepochs=2, lr=.5, sbatch=8, buffer_size=3), batch(), batch(seed=3)
    appr.configure(scenario=scenarios.Class(taskcla))
    appr.train(0, x, y, x, y)
    assert appr.report_lines() == []
    appr.train(1, x2, y, x2, y)
    line, = appr.report_lines()
    assert 'never chosen: 1 of 4 (--buffer-size 3)' in line
    lost, = {0, 1, 2, 3} - {2 * u + c for u, c in appr.memory.counts}
    appr.model.hidden = lambda x: -appr.means[[c for c in range(4) if c != lost]].sum(0).expand(len(x), -1)  # far from all others
    assert appr.means.isfinite().all() and evaluation.told(appr, 1, x).unique().item() != lost


def test_icarl_s_models_with_fewer_places_than_classes_are_saved_and_loaded(tmp_path, capsys):
    run.main(['--experiment', 'glyphs', '--tasks', '0,1', '--approach', 'icarl', '--scenario', 'class', '--buffer-size', '7', '--debug', '--device',
              'cpu', '--net', 'nhid=30', '--output', str(tmp_path / 'o.txt')])
    printed = capsys.readouterr().out
    assert 'all as it should be' in printed and printed.count('never chosen: 5 of 12') == 1 == printed.count('never chosen')


@pytest.mark.parametrize('kind, samples, empty', [('balanced', 24, 16), ('herding', 24, 16), ('each', 44, 116), ('ring', 40, None)])
def test_places_that_rare_classes_leave_empty_are_said_once_and_recorded(kind, samples, empty, tmp_path, capsys):
    rs, y = np.random.RandomState(0), np.repeat(np.arange(4), (20, 20, 2, 2))
    images = rs.randint(0, 256, (44, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / 'tail.npz', x_train=images, y_train=y, x_test=images, y_test=y)
    run.main(['--experiment', 'split:tail:2', '--approach', 'er', '--buffer', kind, '--buffer-size', '40', '--data-dir', str(tmp_path), '--nepochs',
              '1', '--net', 'nhid=20', '--device', 'cpu', '--pc-valid', '0', '--output', str(tmp_path / 'o.txt')])
    printed, found = capsys.readouterr().out, records.read_record(tmp_path / 'o.txt')['buffer']
    assert found['samples'] == samples and found.get('empty') == empty, found
    assert printed.count('Places of the buffer that are empty') == (kind != 'ring')


@pytest.mark.parametrize('kind', ['balanced', 'herding', 'each', 'ring', 'reservoir'])
def test_full_buffers_say_nothing(kind, capsys):
    appr, (x, y) = er.Appr(net(((0, 2), (1, 2)), 0.), buffer=kind, buffer_size=7, nepochs=2, sbatch=8), batch(40)
    for t in (0, 1):
        appr.train(t, x, y, x, y)
        assert appr.report_lines() == []
    assert appr.account(2)['buffer'].get('empty') == {'balanced': 3, 'herding': 3, 'each': 0}.get(kind)  # 7 is not 4 times anything
    appr = er.Appr(net(((0, 2), (1, 2)), 0.), buffer=kind, buffer_size=1, nepochs=2, sbatch=8)
    appr.train(0, x, y, x, y)
    assert len(appr.report_lines()) == (kind in ('balanced', 'herding', 'ring'))


@cases('packnet', file='methods.json')
def test_pruning(case):
    i, out = case['inputs'], case['outputs']['packnet_authors']
    weight, owner = torch.zeros_like(tensor(i['weights'][0])), torch.zeros_like(tensor(i['weights'][0]), dtype=torch.int64)
    for t, (values, fraction) in enumerate(zip(i['weights'], i['prune']), 1):
        weight = torch.where(owner == 0, tensor(values), weight)
        packnet.prune(weight, owner, t, fraction)
        expected = out['after_pruning_task'][t - 1]
        assert owner.tolist() == expected['owner'] and np.allclose(weight, expected['weights'], atol=case['tolerance'])
    for t, seen in enumerate(out['weights_seen_by_task'], 1):
        assert np.allclose(weight * ((owner > 0) & (owner <= t)), seen, atol=case['tolerance'])


# Each method's own idea
@pytest.mark.parametrize('fraction, recipe', [
    (0., Recipe()), (.6, Recipe()), (0., Recipe('adam', weight_decay=.1, keep=True)), (.6, Recipe(momentum=.9, weight_decay=.01)),
    (.6, Recipe('adam', keep=True))])
def test_packnet_leaves_the_outputs_of_old_tasks_bit_for_bit(fraction, recipe, capsys):
    utils.seed_everything(0)
    appr, (x, y) = packnet.Appr(mlp.Net([1, 4, 4], [(0, 2), (1, 2), (2, 2)], 2, 12, .1), nepochs=3, lr=.05, sbatch=8, fraction=fraction, retrain=2), batch()
    appr.configure(recipe=recipe)
    kept = []
    for t in range(3):
        before = utils.get_model(appr.model)
        held = {n: owner > 0 for n, owner in appr.owners.items()}
        appr.train(t, x, (y + t) % 2, x, (y + t) % 2)
        kept.append(said(appr, t, x))
        assert all(torch.equal(said(appr, u, x), z) for u, z in enumerate(kept))
        after = utils.get_model(appr.model)
        assert all(torch.equal(after[n][h], before[n][h]) and not torch.equal(after[n], before[n]) for n, h in held.items())
        assert torch.equal(after['fc1.bias'], before['fc1.bias']) == (t > 0)
        used = {n: (o == t + 1).float().mean().item() for n, o in appr.owners.items()}
        assert all(abs(v - (1 / 3 if not fraction else .4 * .6 ** t)) < .02 for v in used.values()), used
    assert not torch.equal(kept[0], kept[1])


def test_si_s_path_integral_adds_up_to_the_drop_of_the_loss():
    appr, (x, y) = si.Appr(net(), nepochs=30, sbatch=24, lr=.01), batch()
    appr.recipe.patience = False
    before = appr.eval(1, x, y)[0]
    appr.train(1, x, y, x, y)
    drop = before - appr.eval(1, x, y)[0]
    assert sum(w.sum().item() for w in appr.path.values()) == pytest.approx(drop, rel=.05) and drop > .01


@pytest.mark.parametrize('network', ['mlp', 'conv', 'own'])
@pytest.mark.parametrize('f', [torch.abs, torch.square])
def test_sums_over_single_samples_are_those_of_autograd(network, f):
    utils.seed_everything(0)
    if network == 'mlp':
        model = net()
    elif network == 'conv':
        model = layers.Plain([layers.Layer('conv1', 4, .2, 3), layers.Layer('fc1', 5, .2)], [1, 6, 6], [(0, 3), (1, 2)])
    else:
        model = layers.Plain([layers.Layer('fc1', 5, .2)], [1, 6, 6], [(0, 3), (1, 2)])
        model.scale = nn.Parameter(torch.ones(1))
        model.hidden = lambda x: model.run(0, x) * model.scale
    x, y = torch.randn(7, 1, *((4, 4) if network == 'mlp' else (6, 6))), torch.randint(2, (7,))
    found = samples.total(model, lambda b: F.cross_entropy(model(b.x)[1], b.y, reduction='sum'), parts(1, x, y, samples.size(model, 3), 'cpu'), f)
    expected = {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    for k in range(7):
        loss = F.cross_entropy(model(x[k:k + 1])[1], y[k:k + 1])
        for (n, p), g in zip(model.named_parameters(), torch.autograd.grad(loss, model.parameters(), allow_unused=True)):
            expected[n] += 0 if g is None else f(g)
    assert all(torch.allclose(found[n], e, atol=1e-6) for n, e in expected.items())


@pytest.mark.parametrize('seed', range(5))
def test_gem_s_projection_satisfies_every_constraint_and_is_the_nearest_point(seed):
    g = torch.Generator().manual_seed(seed)
    memories, gradient = torch.randn(3, 4, generator=g, dtype=torch.float64), torch.randn(4, generator=g, dtype=torch.float64)
    found = projection.gem(gradient, memories, margin=0., eps=1e-12)
    assert (memories @ found >= -1e-8).all()
    points = gradient + 2 * torch.randn(200000, 4, generator=g, dtype=torch.float64)
    allowed = points[(points @ memories.t() >= 0).all(1)]
    assert (found - gradient).norm() <= (allowed - gradient).norm(dim=1).min() + 1e-9
    inside = memories.sum(0) if (memories @ memories.sum(0) >= 0).all() else allowed[0]
    assert projection.gem(inside, memories) is inside


def test_agem_with_eps_heeds_a_reference_less_the_smaller_it_is(monkeypatch):
    gradient, reference = torch.tensor([3., 1.]), torch.tensor([-1., 1.])
    for scale, share in ((1e-9, 0), (1e-3, .5), (1e3, 1)):  # of what is taken out without eps
        found, appr = gradient.clone(), agem.Appr(net(), eps=2e-6)
        with monkeypatch.context() as m:
            m.setattr(agem.Appr, 'trainable', lambda self: [SimpleNamespace(grad=found)])
            m.setattr(agem.Appr, 'gradients', lambda self, places: [scale * reference])
            appr.project([torch.arange(3)])
        assert torch.allclose(found, gradient + share * reference, atol=1e-5)


@pytest.mark.parametrize('kind', [gem.Appr, agem.Appr])
def test_a_step_along_the_projected_gradient_does_not_raise_the_loss_on_the_memory(kind, capsys):
    torch.manual_seed(0)
    appr = kind(net(((0, 2), (1, 2))), nepochs=30, lr=.5, sbatch=24, buffer='balanced', buffer_size=24, **(
        {'margin': 0.} if kind is gem.Appr else {}))
    (x, y), _ = batch(), set_scenario(appr, scenarios.Domain([(0, 2), (1, 2)]))
    appr.train(0, x, y, x, y)
    appr.configure(seen=2)
    appr.optimizer = appr._get_optimizer(1e-4)
    appr.model.train()
    loss = appr.loss(batch_of(1, x, 1 - y))  # against what has been learnt
    loss.backward()
    before = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in appr.trainable()])
    memory = appr.as_one(appr.gradients(torch.arange(len(appr.memory))))
    with torch.no_grad():
        appr.after_backward(batch_of(1, x, 1 - y))
    g = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in appr.trainable()])
    assert before @ memory < -1e-4 and before.norm() > g.norm()
    assert g @ memory >= (-1e-7 if kind is agem.Appr else .5 * before @ memory)  # GEM's 1e-3 I counts where gradients are small


def test_a_reservoir_keeps_every_sample_of_the_stream_with_the_same_probability():
    from scipy import stats
    np.random.seed(0)
    counts = np.zeros(40)
    for _ in range(600):
        kept = buffer.Buffer(10)
        for k in range(0, 40, 8):
            kept.add(batch_of(0, torch.arange(k, k + 8.).view(8, 1, 1, 1), torch.arange(k, k + 8)))
        assert len(kept) == 10 and len(set(kept.y.tolist())) == 10 and (kept.x.flatten() == kept.y).all()
        counts[kept.y] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_balanced_and_ring_buffers_give_every_class_its_share():
    np.random.seed(0)
    for policy in ('balanced', 'ring'):
        kept = buffer.Buffer(24, policy)
        for t in range(3):
            y = torch.arange(60) % 2
            x = torch.arange(60.).view(60, 1, 1, 1) + 100 * t
            for k in range(0, 60, 7):
                kept.add(batch_of(t, x[k:k + 7], y[k:k + 7]))
            kept.end_task(t, x, y)
            counts = [int(((kept.t == u) & (kept.y == c)).sum()) for u in range(t + 1) for c in (0, 1)]
            assert len(kept) == 24 and min(counts) == max(counts) == 24 // len(counts), policy
            assert all((v - 100 * u) % 2 == c for v, u, c in zip(kept.x.flatten().tolist(), kept.t.tolist(), kept.y.tolist()))
        if policy == 'ring':
            assert sorted(kept.x[kept.t == 2].flatten().tolist()) == list(range(252, 260))  # the last ones


def test_a_buffer_of_so_many_of_each_class_grows_with_the_classes():
    kept, (x, y) = buffer.Buffer(3, 'each'), batch(40, ncla=4)
    for t in range(3):
        kept.end_task(t, x, y)
        assert [int(((kept.t == u) & (kept.y == c)).sum()) for u in range(t + 1) for c in range(4)] == [3] * 4 * (t + 1)


def test_losses_weighed_by_tasks():
    (x, y), taskcla = batch(), ((0, 2), (1, 2), (2, 2))
    for t in (1, 2):
        appr = er.Appr(net(taskcla), weighting='tasks')
        appr.configure(seen=t + 1)
        appr.memory.add(batch_of(0, x[:10], y[:10]))
        appr.model.train()
        new, old = F.cross_entropy(logits(appr, t, x), y), F.cross_entropy(logits(appr, 0, x[:10]), y[:10])
        assert appr.loss(batch_of(t, x, y)).item() == pytest.approx(((new + t * old) / (t + 1)).item(), rel=1e-5)
        appr = lwf.Appr(net(taskcla), weighting='tasks', lamb=3.)
        appr.end_task(t - 1, x, y)
        with torch.no_grad():
            appr.model.fc1.bias.add_(.5)
        new, old = appr.model(x), appr.model_old(x)
        kept = sum(-(old[u].softmax(1) * new[u].log_softmax(1)).sum(1).mean() for u in range(t)) / t
        assert appr.loss(batch_of(t, x, y)).item() == pytest.approx(((F.cross_entropy(new[t], y) + t * 3 * kept) / (t + 1)).item(), rel=1e-5)


def test_a_buffer_keeps_bytes_where_the_data_are_and_gives_the_same_floats():
    order = np.random.RandomState(1).permutation(16)
    pixels = Pixels((.3,), (.4,), (1, 6, 6), order)
    kept = buffer.Buffer(20, transforms={0: (pixels, (4, 4))})
    images = Images(np.random.RandomState(0).randint(0, 256, (20, 4, 4)).astype(np.uint8), pixels)
    x, y = images[:], torch.arange(20)
    kept.add(Batch.of(0, images, y, torch.arange(20), 'cpu'))
    drawn = kept.draw(20)
    assert kept.x.dtype == torch.uint8 and torch.equal(kept.x.view(20, 4, 4), images.source[kept.y])
    assert torch.equal(drawn.x, x[drawn.y]) and kept.megabytes == pytest.approx(20 * (16 + 16) / 1e6)
    assert sorted(drawn.y.tolist()) == list(range(20)) and kept.draw(3, before=0) is None


@pytest.mark.parametrize('kind, known', [(scenarios.Task, 2), (scenarios.Class, 5), (scenarios.Domain, 2)])
def test_replayed_samples_go_through_their_own_head_or_through_those_that_compete(kind, known):
    taskcla = [(0, 2), (1, 2)] if kind is scenarios.Domain else [(0, 3), (1, 2)]
    scenario = kind(taskcla)
    appr = er.Appr(net(scenario.taskcla()))
    (x, y), _ = batch(), appr.configure(scenario=scenario, seen=2)
    appr.memory.add(batch_of(0, x[:10], y[:10]))
    appr.model.train()
    new, old = batch_of(1, x[10:20], y[10:20]), batch_of(0, x[:10], y[:10])
    loss = appr.loss(new)
    assert appr.compete(new)[0].shape[1] == known
    alone = F.cross_entropy(*appr.compete(new)) + F.cross_entropy(*appr.compete(old))
    assert loss.item() == pytest.approx(alone.item() / 2, rel=1e-5)


def test_der_s_penalty_is_nothing_on_a_model_that_has_not_changed():
    for kind in (der.Appr, derpp.Appr):
        appr, (x, y) = kind(net()), batch()
        appr.configure(seen=2)
        appr.model.train()
        now = batch_of(1, x, y)
        loss = appr.loss(now).item()
        appr.after_step(now)
        again = appr.loss(now).item()
        extra = .5 * loss if kind is derpp.Appr else 0
        assert len(appr.memory) == 24 and again == pytest.approx(loss + extra, rel=1e-5)
        with torch.no_grad():
            appr.model.last[1].bias.add_(2.)
        assert appr.loss(batch_of(1, x, y)).item() > again + 1e-3
        with torch.no_grad():
            appr.model.last[1].bias.add_(-2.)
            appr.model.last[0].bias.add_(2.)  # of another task: nothing to these samples where the task is told
        assert appr.loss(batch_of(1, x, y)).item() == pytest.approx(again, rel=1e-5)


def test_one_quadratic_penalty_for_all_of_them():
    model = net()
    anchors, c = {n: p.detach() + 1 for n, p in model.named_parameters()}, {n: torch.rand_like(p) for n, p in model.named_parameters()}
    penalty = Quadratic(dict(model.named_parameters()), anchors, {n: v.clone() for n, v in c.items()})
    expected = sum((c[n] * (p - anchors[n]).square()).sum() / 2 for n, p in model.named_parameters())
    assert penalty.value().item() == pytest.approx(expected.item(), rel=1e-5)
    expected.backward()
    for p, g in penalty.gradients():
        assert torch.allclose(p.grad, g, atol=1e-6)
    assert all(issubclass(discovery.load('approaches', n).Appr, anchored.Anchored) for n in (
        'l2', 'ewc', 'ewc-online', 'imm-mean', 'imm-mode', 'si', 'mas', 'ewc-er'))


def test_an_anchor_for_every_task_is_the_sum_of_their_penalties(capsys):
    appr, (x, y) = ewc.Appr(net(((0, 2), (1, 2), (2, 2))), anchors='each', lamb=3., nepochs=2, lr=.1), batch(40)
    terms = []
    for t in range(3):
        appr.train(t, x, y % 2, x, y % 2)
        terms.append((appr.fisher_diagonal(t, x, y % 2), {n: p.detach().clone() for n, p in appr.model.named_parameters()}))
    appr.configure(seen=3)
    theta = {n: p.detach() + .1 * torch.randn_like(p) for n, p in appr.model.named_parameters()}
    appr.model.load_state_dict(theta)
    for p, found in closed(appr).gradients():
        n = next(n for n, q in appr.model.named_parameters() if q is p)
        expected = sum(3. * fisher[n] * (theta[n] - anchor[n]) for fisher, anchor in terms)
        assert torch.allclose(found, expected, atol=1e-6, rtol=1e-3), n
    capsys.readouterr()
