"""What is computed in another way than the original states it comes to the same."""
import argparse
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import fast
import run
import discovery
import utils
from approaches import base, hat
from fast import dropout
from fast.finish import finish, largest
from fast.view import view
from learning import evaluation
from networks import alexnet, layers, mlp, mlp_hat
from runs import checkpoint, config, machine
from synthetic import batch_of, progress, tasks

@pytest.fixture
def narrow(monkeypatch):
    """AlexNets of an eighth of the maps and units."""
    true = alexnet.layers
    monkeypatch.setattr(alexnet, 'layers', lambda *size, **names: layers.scaled(true(*size, **names), 1 / 8))


DATA, TASKCLA, SIZE = tasks('mlp')
X, Y = DATA[0]['train']['x'], DATA[0]['train']['y']


@pytest.mark.parametrize('q', [.5, .8, .3, 1 / 3, .999])
@pytest.mark.parametrize('shape', [(3,), (64, 801), (5, 7, 64, 99)])
def test_dropout_draws_what_bernoulli_draws_and_leaves_the_generator_where_that_does(shape, q):
    torch.manual_seed(3)
    expected, state = torch.empty(shape).bernoulli_(q), torch.get_rng_state()
    torch.manual_seed(3)
    drawn = dropout.kept(torch.Size(shape), q)
    assert torch.equal(drawn, expected) and torch.equal(torch.get_rng_state(), state)


def test_a_torch_that_draws_otherwise_is_left_to_draw_by_itself(monkeypatch):
    torch.manual_seed(3)
    before, x = torch.get_rng_state(), torch.ones(50, 40)
    expected = torch.nn.functional.dropout(x, .3)
    true = dropout.kept
    for kept, alike in ((true, True), (lambda shape, q, *more: 1 - true(shape, 1 - q, *more), False),
                        (lambda shape, q, *more: true(shape, q, *more) * (torch.rand(1) < 2), False)):  # another mask; one number more
        dropout.draws_alike.cache_clear()
        monkeypatch.setattr(dropout, 'kept', kept)
        torch.set_rng_state(before)
        assert dropout.draws_alike() == alike and torch.equal(torch.get_rng_state(), before)
        assert torch.equal(dropout.dropout(x.clone(), .3), expected)
    dropout.draws_alike.cache_clear()


def quick(appr):
    """An approach with the wing."""
    appr.configure(wing=fast.of(appr))
    return appr


def nets(module, size, **kwargs):
    """Two equal networks."""
    out = []
    for _ in range(2):
        torch.manual_seed(0)
        out.append(module.Net(size, TASKCLA, **kwargs))
    return out


def test_evaluations_follow_the_weights():
    (net, other), y = nets(mlp_hat, SIZE), Y % 5
    appr = quick(hat.Appr(net))
    first = appr.eval(0, X, y)
    assert appr.eval(0, X, y) == first
    appr.end_task(0, X, y)  # from now on R counts the units that are still free
    seen = [first, appr.eval(0, X, y)]
    assert seen[1][0] < first[0] and seen[1][1] == first[1]
    for change in (lambda: net.fc1.weight.mul_(-1), lambda: net.efc2.weight.neg_(), lambda: net.last[0].bias[0].add_(9),
                   lambda: setattr(net.fc2.weight, 'data', net.fc2.weight + .01), lambda: setattr(appr, 'smax', 2),
                   lambda: net.load_state_dict(other.state_dict())):
        with torch.no_grad():
            change()
        seen += [appr.eval(0, X, y), appr.eval(0, X, y)]
        assert seen[-1] == seen[-2] and seen[-1] not in seen[:-2]


def test_what_a_task_s_end_does_to_the_weights_is_seen(capsys):
    class Appr(hat.Appr):
        def end_task(self, t, x, y):
            self.model.last[t].weight.data.neg_()  # torch does not count this as a change

    appr, y = quick(Appr(nets(mlp_hat, SIZE)[0], nepochs=1)), torch.zeros_like(Y)
    appr.train(0, X, y, X, y)
    assert '100.0%' in capsys.readouterr().out and appr.eval(0, X, y)[1] < .1


def reference_anchored(net, batches, old, strength, clip):
    """Trains task 1 on batches with SGD, lr .01, on the loss with a quadratic penalty. Returns the gradients' norms."""
    net.train()
    norms = []
    for x, y in batches:
        penalty = sum((p - old[n]).pow(2).sum() for n, p in net.named_parameters())
        loss = F.cross_entropy(net(x)[1], y) + strength / 2 * penalty
        net.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(net.parameters(), clip).item())
        torch.optim.SGD(net.parameters(), lr=.01).step()
    return norms


def test_a_penalty_is_clipped_after_a_step_that_was():
    """Of three batches, the second needs clipping for its own gradient, the third only for the penalty's."""
    net, other = nets(mlp, SIZE)
    for model in (net, other):
        model.last[1].bias.data[0] += 50  # black images are of class 0
    appr = discovery.load('approaches', 'ewc').Appr(net, lr=.01, lamb=95)
    appr.clipgrad = 10
    quick(appr).configure(seen=2)
    appr.old = {n: p.detach().clone() for n, p in net.named_parameters()}
    appr.information = {n: torch.ones_like(p) for n, p in net.named_parameters()}
    ones = torch.ones(64, dtype=torch.int64)
    batches = [(X[:64], ones), (10000 * X[:64], ones), (0 * X[:64], 0 * ones)]
    utils.seed_everything(7)
    net.train()
    with appr.wing.training(1, 3) as step:
        for x, y in batches:
            step(batch_of(1, x, y))
    utils.seed_everything(7)
    norms = reference_anchored(other, batches, appr.old, 95, 10)
    assert norms[0] < 10 and norms[1] > 1000 and 10.5 < norms[2] < 20
    moved = sum((p - appr.old[n]).norm() for n, p in other.named_parameters())
    assert sum((p - q).norm() for p, q in zip(net.parameters(), other.parameters())) < 1e-3 * moved


def test_a_hook_before_the_step_sees_every_gradient_and_other_optimizers_are_used(capsys):
    seen = []

    class Halving(base.Appr):
        def after_backward(self, batch):
            seen.append({n for n, p in self.model.named_parameters() if p.grad is not None})
            for p in self.trainable():
                if p.grad is not None:
                    p.grad *= 0

    class Adam(base.Appr):
        def _get_optimizer(self, lr):
            return torch.optim.Adam(self.trainable(), lr=1e-3)

    net, before = nets(mlp, SIZE)
    Halving(net).train_epoch(1, X, Y % 6)
    assert seen[0] == {n for n, _ in net.named_parameters() if not n.startswith('last.') or n.startswith('last.1.')}
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before.parameters()))
    Adam(net).train_epoch(1, X[:64], Y[:64] % 6)
    step = (net.fc1.weight - before.fc1.weight).abs().max().item()
    assert step == pytest.approx(1e-3, rel=.01)  # Adam's first step


def test_evaluation_does_not_depend_on_its_batches():
    net, _ = nets(mlp, SIZE)
    appr = base.Appr(net)
    results = [evaluation.measure(appr, 0, X, Y, size) for size in (7, 64, 1000)]
    assert results[0] == pytest.approx(results[1], rel=1e-6) and results[1] == pytest.approx(results[2], rel=1e-6)


def test_convolutions_evaluate_alike_in_both_memory_formats(narrow):
    net, _ = nets(alexnet, [3, 32, 32])
    x = torch.randn(20, 3, 32, 32)
    net.eval()
    with torch.no_grad():
        output = view(net)(x, only=0)[0]
        net.layers = [replace(layer, pdrop=0) for layer in net.layers]  # training's format, without its dropout
        net.train()
        assert torch.allclose(net(x, only=0)[0], output, atol=1e-6)


def maps(shape, ties, layout=torch.contiguous_format):
    """Random maps; with ties, of few different values."""
    z = torch.randn(shape)
    return ((2 * z).round() / 2 if ties else z).contiguous(memory_format=layout)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('shape', [(5, 3, 29, 29), (4, 7, 12, 12), (3, 2, 9, 14), (2, 3, 8, 9), (6, 5, 5, 5), (3, 4, 2, 2), (1, 1, 13, 8)])
def test_largest_are_the_values_and_places_that_max_pooling_finds(shape, ties, layout):
    torch.manual_seed(sum(shape))
    z = maps(shape, ties, layout)
    values, places = F.max_pool2d(z, 2, return_indices=True)
    assert torch.equal(largest(z)[0], values) and torch.equal(largest(z)[1], places)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('gated', [False, True])
@pytest.mark.parametrize('p', [0., .2, .5])
@pytest.mark.parametrize('shape, pool', [((5, 3, 29, 29), True), ((6, 5, 5, 5), True), ((7, 30), False)])
def test_a_layer_is_finished_as_stated(shape, pool, p, gated, dtype):
    torch.manual_seed(1)
    start, gate = maps(shape, True).to(dtype), torch.rand(1, shape[1]).requires_grad_() if gated else None
    outputs, gradients = [], []
    for plain in (False, True):
        torch.manual_seed(2)
        z = start.clone().requires_grad_()
        if plain:
            keep = torch.empty(shape).bernoulli_(1 - p).div_(1 - p).to(dtype) if p else 1
            h = F.relu(z) * keep
            h = F.max_pool2d(h, 2) if pool else h
            h = h if gate is None else h * gate.view(1, -1, *[1] * (h.dim() - 2))
        else:
            h = finish(z * 1, p, True, gate=gate, pool='max' if pool else 'none')
        direction = torch.arange(h.numel(), dtype=torch.float32).sin().view_as(h)
        outputs.append(h.detach().float())
        gradients.append(torch.autograd.grad((h.float() * direction).sum(), [z] if gate is None else [z, gate]))
    exact = not gated and dtype == torch.float32
    assert torch.allclose(*outputs, rtol=0 if exact else .02, atol=0 if exact else .02)
    for g, expected in zip(*gradients):
        assert torch.allclose(g.float(), expected.float(), rtol=1e-6 if exact else .02, atol=1e-6 if exact else .05)


# Every approach, scenario and network by both.
DROPINS = Path(__file__).parent / 'dropins' / 'networks'
ISOLATED = ('hat', 'hat-test', 'pathnet', 'progressive', 'packnet', 'independent')
SMALL = {'online-meta': {'sbatch': 8}, 'pathnet': {'generations': 1}, 'packnet': {'retrain': 1}, 'dgr': {'width': 20, 'z': 4},
         'gdumb': {'passes': 2}}
BITS = ('sgd', 'sgd-frozen', 'sgd-restart', 'lwf', 'er', 'agem', 'gem', 'packnet', 'icarl', 'independent', 'joint', 'wsn', 'gpm')


def scenarios_of(name):
    """The scenarios of an approach."""
    return discovery.load('approaches', name).Appr.scenarios


CASES = [(a, s, 'mlp') for a in discovery.choices('approaches') if a != 'random' for s in scenarios_of(a)]
CASES += [(a, 'task', 'alexnet') for a in ('sgd', 'ewc', 'hat', 'lfl', 'progressive', 'wsn', 'gpm')]
CASES += [(a, 'task', 'resnet18') for a in ('sgd', 'hat', 'packnet', 'progressive')]
CASES += [(a, 'task', 'normed') for a in ('sgd', 'ewc', 'er', 'packnet', 'imm-mode', 'wsn', 'gpm')]


SIZES = {'alexnet': [3, 16, 16], 'resnet18': [3, 16, 16]}  # of images, where not [1, 12, 12]


def made(name, scenario, network, plain, tmp_path):
    """An approach as run.py makes it, for three tasks of four classes."""
    from runs import build, network as chosen, options
    size = SIZES.get(network, [1, 12, 12])
    taskcla = [(t, 4) for t in range(3)]
    argv = ['--experiment', 'smnist', '--approach', name, '--scenario', scenario, '--network', network, *['--plain'] * plain]
    for key, value in SMALL.get(name, {}).items():
        argv += ['--' + key, str(value)]
    argv += ['--logpath', str(tmp_path / 'log.pkz')] if name == 'hat-test' else []
    args, kind = options.parse([*argv, '--nepochs', '1'])
    utils.seed_everything(0)
    there = {'taskcla': taskcla, 'scenario': build.scenario(args, kind, taskcla), 'data': {t: {'train': None} for t in range(3)}}
    Net = chosen.choose(argparse.Namespace(), args, kind)[1]
    width = {'mlp': {'nhid': 30}, 'resnet18': {'maps': 3}}.get(network, {})
    net = Net(size, taskcla if kind.isolated else there['scenario'].taskcla(), **width)
    appr = build.make(kind, net, args, there)
    machine.apply(appr, args)
    return appr


def samples(network, t, n=48):
    """Images and labels of a task."""
    g = torch.Generator().manual_seed(t)
    x = torch.randn(n, *SIZES.get(network, [1, 12, 12]), generator=g)
    return x, torch.arange(n) % 4


def disturb(appr, seed):
    """Moves an approach to a random state: weights, and what earlier tasks attend to."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in appr.model.parameters():
            p.add_(.05 * (seed + 1) * torch.randn(p.shape, generator=g))
    if getattr(appr, 'mask_pre', None):
        appr.mask_pre = [(1.5 * torch.rand(m.shape, generator=g) - .2).clamp(0, 1) for m in appr.mask_pre]


@pytest.mark.parametrize('name, scenario, network', CASES)
def test_fast_and_plain_are_the_same(name, scenario, network, narrow, tmp_path, monkeypatch, capsys,
                                     one_thread):
    import networks
    monkeypatch.setattr(networks, '__path__', [*networks.__path__, str(DROPINS)])
    first, states = made(name, scenario, network, False, tmp_path), []
    assert first.wing is not None and made(name, scenario, network, True, tmp_path).wing is None
    saved = checkpoint.Checkpoint(tmp_path / 'o.txt', {}, every=1e9)
    for t in range(3):
        saved.take(first, progress(t, 3))
        states.append(saved.pending)
        if t < 2:
            learn_one(first, network, t)
    points = ((0, None), (1, None), (1, 3), (2, None), (2, 5))
    every = scenario == scenarios_of(name)[0] and network in ('mlp', 'normed')
    for t, seed in points if every else points[2::2]:
        found = []
        for plain in (False, True):
            appr = made(name, scenario, network, plain, tmp_path)
            checkpoint.Checkpoint('o.txt', {}).restore(deepcopy(states[t]), appr, 3)
            appr.configure(seen=t)
            if seed is not None:
                disturb(appr, seed)
            before = utils.get_model(appr.model)
            found.append(compared(appr, network, t))
        (losses, weights, state), (expected, plain_weights, plain_state) = found
        exact = name in BITS and network == 'mlp'
        assert losses == (expected if exact else pytest.approx(expected, rel=2e-6, abs=1e-6)), (t, seed)
        assert torch.equal(state, plain_state)
        for n, w in weights.items():
            step, gap = (w - before[n]).abs().max(), (w - plain_weights[n]).abs().max()
            share = 1e-3 if network == 'resnet18' else 1e-5  # norms of few values magnify rounding (test_fast_blocks has it in float64)
            assert gap <= (0 if exact else 2e-6 + share * step), (t, seed, n, gap, step)


def learn_one(appr, network, t):
    """Learns a task; joint all so far."""
    x, y = samples(network, t)
    if appr.cumulative:
        sets = [samples(network, u) for u in range(t + 1)]
        x, y = (torch.cat(part) for part in zip(*sets))
        t = [torch.arange(t + 1).repeat_interleave(48)] * 2
    appr.train(t, x, y, x, y)


def compared(appr, network, t):
    """([losses and accuracies of every task so far, the loss of a step, those after it], the weights after it, the random
    state)."""
    x, y = samples(network, t)
    utils.seed_everything(9)
    tests = [v for u in range(t) for v in appr.eval(u, *samples(network, u))]
    appr.configure(seen=t + 1, at=appr.fitting.start(t))
    appr.begin_task(t, x, y)
    if appr.phases == 2 and t == 1:
        appr.at['phase'] = 1
    if name_of(appr) == 'pathnet':
        appr.path = appr.at['paths'][0]
        appr.model.unfreeze_path(t, appr.path)
    appr.fitting.renew(.05)
    appr.model.train()
    appr.configure(progress=.4)
    batch = batch_of(t, x[:8], y[:8])
    if appr.cumulative:
        batch = batch_of(torch.arange(8) % (t + 1), x[:8], y[:8])
    with (appr.wing or evaluation.Plain(appr)).training(t, 40) as step:
        loss = step(batch).item()
    weights, state = utils.get_model(appr.model), torch.get_rng_state()
    return [*tests, loss, *appr.eval(t, x, y)], weights, state


def name_of(appr):
    """The name of an approach."""
    return type(appr).__module__.split('.')[-1]


@pytest.mark.parametrize('hook', ['loss', 'penalty', 'importance', 'held_params', 'criterion', 'after_step'])
def test_a_class_with_a_hook_of_its_own_is_left_to_plain_code(hook):
    kind = discovery.load('approaches', 'ewc').Appr
    assert fast.of(kind(mlp.Net(SIZE, TASKCLA, 1, 8))) is not None
    mine = type('Appr', (kind,), {hook: eval('lambda %s: None' % {
        'loss': 'self, batch', 'criterion': 'self, output, targets', 'after_step': 'self, batch'}.get(hook, 'self'))})
    assert fast.of(mine(mlp.Net(SIZE, TASKCLA, 1, 8))) is None


SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=200']


@pytest.mark.parametrize('approach, options', [
    ('hat', ['--channels-last', '--tf32']), ('hat', ['--plain', '--amp', 'bf16']), ('ewc', ['--amp', 'bf16']),
    ('ewc', ['--plain', '--channels-last'])])
def test_options_for_speed_run_and_are_recorded(options, approach, tmp_path, capsys):
    import json
    output = tmp_path / 'a.txt'
    acc = run.main([*SHORT, '--approach', approach, *options, '--output', str(output)])
    assert acc[0, 0] > .22  # guessing gives a sixth
    config = json.loads(output.with_suffix('.json').read_text())['config']
    speed = {k: config.get(k) for k in ('channels_last', 'tf32', 'amp', 'plain', 'compile')}
    given = {o[2:].replace('-', '_') for o in options if o.startswith('--')}
    assert {k for k, v in speed.items() if v} == given


@pytest.mark.parametrize('network, options, last', [
    ('resnet18', [], True), ('resnet18', ['--channels-last', 'off'], False), ('alexnet', [], False), ('alexnet', ['--channels-last'], True)])
def test_the_memory_format_follows_a_rule_or_what_is_said(network, options, last, narrow, tmp_path, capsys):
    import json
    output = tmp_path / 'a.txt'
    few = ['--net', 'maps=2'] if network == 'resnet18' else []
    argv = ['--experiment', 'glyphs', '--tasks', '0', '--iterations', '1', '--device', 'cpu', '--approach', 'sgd', '--network', network, *few]
    run.main([*argv, *options, '--output', str(output)])
    record = json.loads(output.with_suffix('.json').read_text())
    assert record.get('memory_format') == ('channels_last' if last else None)
    assert record['config'].get('channels_last') == (None if not options else 'on' if last else 'off')
    # as files say it that know no more than on
    assert '--channels-last' in config.line('a', {'channels_last': True}, [])[0] and config.line('a', {'channels_last': False}, [])[0] == []


def test_options_for_speed_are_refused_where_they_cannot_be_had(refused, tmp_path):
    out = ['--output', str(tmp_path / 'a.txt')]
    assert 'add --plain' in refused(run.main, [*SHORT, '--approach', 'hat', '--compile', *out])
    assert 'bf16' in refused(run.main, [*SHORT, '--approach', 'hat', '--amp', 'fp8', *out])
    for option, says in (('--dense', '--plain'), ('--cuda-graph', '--compile'), ('--fast-dropout', 'what torch draws')):
        assert says in refused(run.main, [*SHORT, '--approach', 'hat', option, *out])
