"""What is computed in another way than the original states it comes to the same."""
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

import run
import utils
from approaches import base, hat
from engine import dropout
from engine.graph import Graph
from engine.products import deferred
from engine.step import step
from networks import alexnet, alexnet_hat, layers, mlp, mlp_hat
from subnets import attended
from subnets.narrow import Narrow
from synthetic import tasks

DATA, TASKCLA, SIZE = tasks('mlp')
X, Y = DATA[0]['train']['x'], DATA[0]['train']['y']


@pytest.fixture(autouse=True)
def exact():
    """Undoes what a test's command line switched on."""
    yield
    dropout.fast = layers.channels_last = False


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


def test_fast_dropout_keeps_the_right_share_in_any_memory_format():
    dropout.fast = True
    for layout in (torch.contiguous_format, torch.channels_last):
        kept = dropout.kept(torch.Size((50, 20, 30, 31)), .8, layout)
        assert kept.is_contiguous(memory_format=layout) and set(kept.unique().tolist()) == {0., 1.}
        assert kept.mean().item() == pytest.approx(.8, abs=.002)
        assert kept.mean((0, 2, 3)).std() < .01 and kept.mean((1, 2, 3)).std() < .01


def reference_hat(net, t, x, y, progress, pre, lr, clip, lamb=.75, smax=400.):
    """One step of HAT as the paper and the original state it, by autograd over the whole network."""
    s = (smax - 1 / smax) * progress + 1 / smax
    outputs, masks = net(torch.tensor([t]), x, s=s)
    free = [torch.ones_like(m) for m in masks] if pre is None else [1 - m for m in pre]
    loss = torch.nn.functional.cross_entropy(outputs[t], y) + lamb * sum(
        (m * f).sum() for m, f in zip(masks, free)) / sum(f.sum() for f in free)
    net.zero_grad()
    loss.backward()
    for n, p in net.named_parameters():
        view = None if pre is None else net.get_view_for(n, pre)
        if view is not None:
            p.grad *= 1 - view
        if n.startswith('e'):
            e = p.detach()
            p.grad *= smax / s * (torch.cosh((s * e).clamp(-50, 50)) + 1) / (torch.cosh(e) + 1)
    torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
    torch.optim.SGD(net.parameters(), lr=lr).step()
    for e in net.embeddings():
        e.data.clamp_(-6, 6)


def nets(module, size, **kwargs):
    """Two equal networks."""
    out = []
    for _ in range(2):
        torch.manual_seed(0)
        out.append(module.Net(size, TASKCLA, **kwargs))
    return out


def cumulative(net, seed=0):
    """Cumulative attentions of which a third each is 0, 1 and between."""
    rs = np.random.RandomState(seed)
    return [torch.tensor(np.clip(rs.uniform(-1, 2, (1, layer.width)), 0, 1), dtype=torch.float32) for layer in net.layers]


@pytest.mark.parametrize('clip', [10000, .05])
@pytest.mark.parametrize('t', [0, 1])
@pytest.mark.parametrize('module, dims', [(mlp_hat, 2), (alexnet_hat, 4)])
@pytest.mark.parametrize('dense', [False, True])
def test_hat_trains_as_stated(module, dims, t, clip, dense, monkeypatch):
    monkeypatch.setattr(attended, 'CHECK', {'cpu': 1}), monkeypatch.setattr(attended, 'REBUILD', 0)
    size, n = ([3, 32, 32], 96) if dims == 4 else (SIZE, 320)
    rs = np.random.RandomState(1)
    x, y = torch.tensor(rs.randn(n, *size), dtype=torch.float32), torch.tensor(rs.randint(0, 5, n))
    net, other = nets(module, size, **({} if dims == 4 else {'nhid': 200}))
    pre = cumulative(net) if t else None
    appr = hat.Appr(net, lr=.05, sbatch=32, clipgrad=clip)
    appr.attended.dense = dense
    if t:
        appr.mask_pre = pre
    widths = []
    choose = appr.choose_part
    appr.choose_part = lambda t: (choose(t), widths.append(appr.part.below[1:]))
    utils.seed_everything(7)
    appr.train_epoch(t, x, y)
    narrowest, full = [min(w) for w in zip(*widths)], [layer.width for layer in net.layers]
    assert narrowest == full if dense else all(a < b for a, b in zip(narrowest, full))

    utils.seed_everything(7)
    other.train()
    r = np.arange(n)
    np.random.shuffle(r)
    for i in range(0, n, 32):
        reference_hat(other, t, x[r[i:i + 32]], y[r[i:i + 32]], i / n, pre, .05, clip)
    for (name, p), q in zip(net.named_parameters(), other.parameters()):
        assert torch.allclose(p, q, rtol=0, atol=3e-6), name
    if t:
        for name, p in nets(module, size, **({} if dims == 4 else {'nhid': 200}))[0].named_parameters():
            view = net.get_view_for(name, pre)
            if view is not None:  # what is protected has not moved at all
                kept = (view == 1).expand_as(p)
                assert kept.any() and torch.equal(dict(net.named_parameters())[name][kept], p[kept])


def test_a_network_with_a_forward_pass_of_its_own_is_run_as_it_is():
    class Net(mlp_hat.Net):
        def forward(self, t, x, s=1):
            masks = self.mask(t, s)
            h = torch.relu(self.fc1(x.flatten(1))) * masks[0]
            h = h + torch.relu(self.fc2(h)) * masks[1]  # no other network here has such a sum
            return [head(h) for head in self.last], masks

    torch.manual_seed(0)
    net = Net(SIZE, TASKCLA, nhid=100)
    appr = hat.Appr(net, lr=.1, nepochs=2)
    pre = cumulative(net)
    appr.mask_pre = pre
    before = utils.get_model(net)
    appr.train_epoch(1, X, Y % 6)
    after = utils.get_model(net)
    view = net.get_view_for('fc2.weight', pre)
    assert torch.equal(before['fc2.weight'][view == 1], after['fc2.weight'][view == 1])
    assert not torch.equal(before['fc2.weight'], after['fc2.weight'])
    assert not torch.equal(before['efc1.weight'][1], after['efc1.weight'][1])
    assert torch.equal(before['efc1.weight'][0], after['efc1.weight'][0])
    net.eval()
    output = net(torch.tensor([1]), X, s=400.)[0][1]
    assert appr.eval(1, X, Y % 6)[1] == pytest.approx((output.argmax(1) == Y % 6).float().mean().item(), abs=1e-6)


def test_evaluation_leaves_out_units_that_are_off_and_gives_the_same(monkeypatch):
    net, _ = nets(mlp_hat, SIZE)
    appr, seen = hat.Appr(net), []
    narrow = Narrow.forward
    monkeypatch.setattr(Narrow, 'forward', lambda self, x, s: (seen.append(self.below[1:]), narrow(self, x, s))[1])
    here = appr.eval(0, X, Y)
    appr.attended.dense = True
    assert here == pytest.approx(appr.eval(0, X, Y), abs=1e-6)
    assert max(seen[0]) < 1400 and min(seen[-1]) == 2000
    net.eval()
    with torch.no_grad():
        output = net(torch.tensor([0]), X, s=400.)[0][0]
    assert here[1] == pytest.approx((output.argmax(1) == Y).float().mean().item(), abs=1e-6)


def test_what_evaluations_run_is_made_once_and_anew_when_weights_change(monkeypatch):
    (net, other), y, made = nets(mlp_hat, SIZE), Y % 5, []
    init = Narrow.__init__
    monkeypatch.setattr(Narrow, '__init__', lambda self, *args: (made.append(args[1]), init(self, *args))[0])
    appr = hat.Appr(net)
    first = appr.eval(0, X, y)
    appr.eval(1, X, y)
    assert appr.eval(0, X, y) == first and made == [0, 1]
    appr.end_task(0, X, y)  # from now on R counts the units that are still free
    seen = [first, appr.eval(0, X, y)]
    assert made == [0, 1, 0] and seen[1][0] < first[0] and seen[1][1] == first[1]
    for change in (lambda: net.fc1.weight.mul_(-1), lambda: net.efc2.weight.neg_(), lambda: net.last[0].bias[0].add_(9),
                   lambda: setattr(net.fc2.weight, 'data', net.fc2.weight + .01), lambda: setattr(appr, 'smax', 2),
                   lambda: net.load_state_dict(other.state_dict())):
        with torch.no_grad():
            change()
        seen += [appr.eval(0, X, y), appr.eval(0, X, y)]
        assert seen[-1] == seen[-2] and seen[-1] not in seen[:-2]
    assert made == [0, 1] + [0] * 7


def test_what_a_task_s_end_does_to_the_weights_is_seen(capsys):
    class Appr(hat.Appr):
        def end_task(self, t, x, y):
            self.model.last[t].weight.data.neg_()  # torch does not count this as a change

    appr, y = Appr(nets(mlp_hat, SIZE)[0], nepochs=1), torch.zeros_like(Y)
    appr.train(0, X, y, X, y)
    assert '100.0%' in capsys.readouterr().out and appr.eval(0, X, y)[1] < .1


def reference_anchored(net, batches, old, fisher, strength, clip):
    """Trains task 1 on batches with SGD, lr .01, on the loss with a quadratic penalty. Returns the gradients' norms."""
    net.train()
    norms = []
    for x, y in batches:
        loss = torch.nn.functional.cross_entropy(net(x)[1], y)
        if old:
            loss = loss + strength / 2 * sum((
                (1 if fisher is None else fisher[n]) * (p - old[n]).pow(2)).sum() for n, p in net.named_parameters())
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
    appr = utils.load('approaches', 'ewc').Appr(net, lr=.01, lamb=95)
    appr.clipgrad = 10
    appr.anchor()
    appr.importance = {n: torch.ones_like(p) for n, p in net.named_parameters()}
    ones = torch.ones(64, dtype=torch.int64)
    batches = [(X[:64], ones), (10000 * X[:64], ones), (0 * X[:64], 0 * ones)]
    utils.seed_everything(7)
    net.train()
    with appr.passing(1):
        for x, y in batches:
            step(appr, 1, x, y)
    utils.seed_everything(7)
    norms = reference_anchored(other, batches, appr.old, appr.importance, 95, 10)
    assert norms[0] < 10 and norms[1] > 1000 and 10.5 < norms[2] < 20
    moved = sum((p - appr.old[n]).norm() for n, p in other.named_parameters())
    assert sum((p - q).norm() for p, q in zip(net.parameters(), other.parameters())) < 1e-3 * moved


@pytest.mark.parametrize('approach, kwargs', [('sgd', {}), ('ewc', {}), ('ewc', {'lamb': 5e6}), ('imm-mean', {})])
@pytest.mark.parametrize('clip', [None, .05])
def test_plain_networks_train_as_stated(approach, kwargs, clip):
    net, other = nets(mlp, SIZE)
    appr = utils.load('approaches', approach).Appr(net, lr=.01, **kwargs)
    appr.clipgrad = clip or appr.clipgrad
    old, fisher, strength = None, None, 0
    if approach != 'sgd':
        appr.anchor()
        old = appr.old
        torch.manual_seed(5)
        if approach == 'ewc':
            appr.importance = {n: 1e-3 * torch.rand_like(p) for n, p in net.named_parameters()}
        fisher, strength = getattr(appr, 'importance', None), appr.lamb if approach == 'ewc' else appr.regularizer
        for model in (net, other):
            torch.manual_seed(6)
            for p in list(model.parameters())[:6]:
                p.data += 1e-3 * torch.randn_like(p)
    utils.seed_everything(7)
    appr.train_epoch(1, X, Y % 6)

    utils.seed_everything(7)
    r = np.arange(len(X))
    np.random.shuffle(r)
    batches = [(X[r[i:i + 64]], Y[r[i:i + 64]] % 6) for i in range(0, len(X), 64)]
    norms = reference_anchored(other, batches, old, fisher, strength, appr.clipgrad)
    assert (max(norms) > appr.clipgrad) == (clip is not None or kwargs != {})
    for (name, p), q in zip(net.named_parameters(), other.named_parameters()):
        assert torch.allclose(p, q[1], rtol=0, atol=3e-6), name


def test_a_hook_before_the_step_sees_every_gradient_and_other_optimizers_are_used(capsys):
    seen = []

    class Halving(base.Appr):
        def before_step(self, t):
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


def test_a_step_leaves_nothing_behind():
    net, _ = nets(mlp, SIZE)
    net.train()
    gc.disable()
    try:
        with deferred(True) as tape:
            output = net(X[:64], only=0)[0]
            loss = torch.nn.functional.cross_entropy(output, Y[:64])
            loss.backward()
        assert [e.module for e in tape] == [net.last[0], net.fc3, net.fc2, net.fc1]
        dead = weakref.ref(output)
        del output, loss, tape
        assert dead() is None  # no cycle holds a batch's tensors until the garbage is collected
    finally:
        gc.enable()


@pytest.mark.parametrize('approach, module', [('sgd', mlp), ('hat', mlp_hat)])
def test_the_step_that_a_cuda_graph_records_trains_as_any_other(approach, module):
    net, other = nets(module, SIZE)
    kind = utils.load('approaches', approach).Appr
    utils.seed_everything(7)
    kind(net).train_epoch(0, X, Y)

    appr = kind(other)
    utils.seed_everything(7)
    other.train()
    r = np.arange(len(X))
    np.random.shuffle(r)
    with appr.passing(0):
        appr.choose_part(0)
        graph = Graph(appr, 0, X, Y, capture=False)
        for i in range(0, len(X), 64):
            appr.progress, appr.batches_left = i / len(X), (len(X) - i) // 64
            assert graph.fits() and np.isfinite(graph(torch.from_numpy(r[i:i + 64])).item())
    for (name, p), q in zip(net.named_parameters(), other.parameters()):
        assert torch.allclose(p, q, rtol=0, atol=3e-6), name


def test_evaluation_does_not_depend_on_its_batches():
    net, _ = nets(mlp, SIZE)
    appr, results = base.Appr(net), []
    for size in (7, 64, 1000):
        appr.eval_sbatch = size
        results.append(appr.eval(0, X, Y))
    assert results[0] == pytest.approx(results[1], rel=1e-6) and results[1] == pytest.approx(results[2], rel=1e-6)


def test_convolutions_evaluate_alike_in_both_memory_formats():
    net, _ = nets(alexnet, [3, 32, 32])
    x = torch.randn(20, 3, 32, 32)
    net.eval()
    with torch.no_grad():
        output = net(x, only=0)[0]
        net.layers = [replace(layer, pdrop=0) for layer in net.layers]  # training's format, without its dropout
        net.train()
        assert torch.allclose(net(x, only=0)[0], output, atol=1e-6)


SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu']


@pytest.mark.parametrize('approach, options', [
    ('hat', ['--fast-dropout']), ('hat', ['--channels-last', '--tf32']), ('hat', ['--amp', 'bf16']), ('hat', ['--dense']),
    ('ewc', ['--amp', 'bf16']), ('ewc', ['--fast-dropout'])])
def test_options_for_speed_run_and_are_recorded(options, approach, tmp_path, capsys):
    import json
    output = tmp_path / 'a.txt'
    acc = run.main([*SHORT, '--approach', approach, *options, '--output', str(output)])
    assert acc[0, 0] > .3  # guessing gives a sixth
    config = json.loads(output.with_suffix('.json').read_text())['config']
    speed = {k: config.get(k) for k in ('fast_dropout', 'channels_last', 'tf32', 'amp', 'dense', 'compile')}
    given = {o[2:].replace('-', '_') for o in options if o.startswith('--')}
    assert {k for k, v in speed.items() if v} == given


def test_options_for_speed_are_refused_where_they_cannot_be_had(refused, tmp_path):
    out = ['--output', str(tmp_path / 'a.txt')]
    assert '--cuda-graph needs --device cuda, not cpu' in refused(run.main, [*SHORT, '--approach', 'hat', '--cuda-graph', *out])
    assert 'changes its shape' in refused(run.main, [*SHORT, '--approach', 'hat', '--compile', *out])
    assert 'only they leave units out' in refused(run.main, [*SHORT, '--approach', 'sgd', '--dense', *out])
    assert 'bf16' in refused(run.main, [*SHORT, '--approach', 'hat', '--amp', 'fp8', *out])
