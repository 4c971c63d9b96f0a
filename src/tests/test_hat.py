"""HAT's mechanism, its options, and AdaHAT's."""
import warnings
from functools import partial

import numpy as np
import pytest
import torch

import fast
import utils
from approaches import adahat, gates, hat
from fast.narrow import Narrow
from learning.recipe import Recipe
from networks import alexnet_hat, gated, mlp_hat
from synthetic import batch_of, said, tasks


@pytest.mark.parametrize('network, size', [(mlp_hat, [1, 6, 6]), (alexnet_hat, [3, 32, 32])])
def test_views_are_the_minimum_of_the_masks_of_the_units_a_weight_joins(network, size):
    torch.manual_seed(0)
    net = network.Net(size, [(0, 3), (1, 4)])
    masks = [m.detach() for m in net.mask(torch.tensor([1]), s=2)]
    assert [m.shape for m in masks] == [(1, layer.width) for layer in net.layers]
    for n, p in net.named_parameters():
        view = net.get_view_for(n, masks)
        if n.startswith(('last', 'e')):
            assert view is None
            continue
        i = [layer.name for layer in net.layers].index(n.split('.')[0])
        view, post = view.expand_as(p), masks[i].flatten()
        for _ in range(20):
            index = tuple(np.random.RandomState(_).randint(d) for d in p.shape)
            expected = post[index[0]]
            if n.endswith('weight') and i > 0:  # inputs of a layer above maps come map by map
                pre = masks[i - 1].flatten()
                expected = min(expected, pre[index[1] // (p.shape[1] // len(pre))])
            assert view[index] == expected


def train(appr, data, t):
    """One task's training."""
    appr.train(t, *(data[t][s][k] for s in ('train', 'valid') for k in 'xy'))


def test_capacity_used_up_gives_no_nan_and_one_warning(capsys):
    data, taskcla, size = tasks('mlp')
    utils.seed_everything(0)
    appr = hat.Appr(mlp_hat.Net(size, taskcla, nhid=50), nepochs=1, lr=0.1)
    with torch.no_grad():
        for e in appr.model.embeddings():
            e[0] = 6.
    with pytest.warns(UserWarning, match='every unit is taken'):
        train(appr, data, 0)
    assert all((m == 1).all() for m in appr.mask_pre)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        train(appr, data, 1)
    loss, acc = appr.eval(1, data[1]['test']['x'], data[1]['test']['y'])
    assert np.isfinite(loss) and appr.reg == 0


def test_embeddings_stay_within_reach_and_the_optimizer_is_plain(capsys):
    data, taskcla, size = tasks('mlp')
    appr = hat.Appr(mlp_hat.Net(size, taskcla, nhid=50), nepochs=2, lr=1e3, clipgrad=1e9)
    try:
        train(appr, data, 0)
    except utils.UserError:
        pass
    assert all(e.abs().max() <= 6 for e in appr.model.embeddings())
    assert appr.optimizer.param_groups[0]['momentum'] == appr.optimizer.param_groups[0]['weight_decay'] == 0


MLP, ALEX = ('mlp', partial(mlp_hat.Net, nhid=60), [1, 6, 6]), ('alexnet', alexnet_hat.Net, [1, 12, 12])
SGD, MOMENTUM = Recipe(), Recipe(momentum=.9, weight_decay=.01, keep=True)
ADAM, DECAYED = Recipe('adam'), Recipe('adam', weight_decay=.1, keep=True)


def samples(size, t, n=48):
    """Images and labels of a task."""
    g = torch.Generator().manual_seed(t)
    return torch.randn(n, *size, generator=g), torch.arange(n) % 4


def made(kind, network, recipe=SGD, wing=False, **values):
    """An approach on a network of three tasks of four classes, which descends by a recipe."""
    utils.seed_everything(0)
    lr = .005 if recipe.optimizer == 'adam' else .1
    appr = kind(network[1](network[2], [(t, 4) for t in range(3)]), **{'nepochs': 3, 'sbatch': 16, 'lr': lr, **values})
    appr.configure(recipe=recipe, wing=fast.of(appr) if wing else None)
    appr.optimizer = appr._get_optimizer(lr)
    return appr


def learn(appr, network, ntasks=3, after=None):
    """Learns tasks; after(t): called after each."""
    for t in range(ntasks):
        x, y = samples(network[2], t)
        appr.train(t, x, y, x, y)
        if after:
            after(t)
    return utils.get_model(appr.model)


@pytest.mark.parametrize('wing', [False, True])
@pytest.mark.parametrize('network, recipe', [(MLP, SGD), (MLP, MOMENTUM), (MLP, DECAYED), (ALEX, SGD), (ALEX, DECAYED)],
                         ids=['mlp-sgd', 'mlp-momentum', 'mlp-adam', 'alexnet-sgd', 'alexnet-adam'])
def test_with_binary_masks_what_is_said_of_old_tasks_keeps_every_bit(network, recipe, wing, capsys):
    appr, before, moved = made(hat.Appr, network, recipe, wing, binary='on', smax=20.), {}, []

    def compare(t):
        assert all(((m == 0) | (m == 1)).all() and 0 < m.mean() < 1 for m in appr.mask_pre)
        for u in range(t + 1):
            now = said(appr, u, samples(network[2], u)[0])
            assert torch.equal(now, before.setdefault(u, now))
        weights, guarded = utils.get_model(appr.model), appr.guarded()
        for n, w in before.get('weights', {}).items():
            moved.append((weights[n] - w).abs().max())
            assert n not in guarded or torch.equal(weights[n][before['guarded'][n]], w[before['guarded'][n]])
        before.update(weights=weights, guarded=guarded)
    learn(appr, network, after=compare)
    assert max(moved) > 1e-3
    assert [m.tolist() for m in appr.attention(1)[0]] == [(e[0] > 0).float().tolist() for e in appr.model.embeddings()]


@pytest.mark.parametrize('recipe', [MOMENTUM, DECAYED])
def test_momentum_and_decay_move_what_is_free_and_no_other_task_s_gates(recipe, capsys):
    appr = made(hat.Appr, MLP, recipe)
    learn(appr, MLP, 1)
    assert all((m == 1).any() and (m == 0).any() for m in appr.mask_pre)
    before, views = utils.get_model(appr.model), {n: v for n, _, v in gates.views(appr.model, appr.mask_pre)}
    x, y = samples(MLP[2], 1)
    appr.train(1, x, y, x, y)
    after = utils.get_model(appr.model)
    for n, view in views.items():
        held, gap = (view == 1).expand_as(before[n]), (after[n] - before[n]).abs()
        assert held.any() and gap[held].max() == 0 and gap[(view == 0).expand_as(gap)].min() > 0, n  # decay moves all that is free
    for n in ('efc1.weight', 'efc2.weight'):
        assert torch.equal(after[n][[0, 2]], before[n][[0, 2]]) and not torch.equal(after[n][1], before[n][1])
    assert torch.equal(after['last.0.weight'], before['last.0.weight'])


@pytest.mark.parametrize('clip', [10000., .01])
def test_the_norm_is_that_of_what_may_move_and_the_step_of_the_whole_gradient_is_masked(clip):
    appr = made(hat.Appr, MLP, Recipe(momentum=.5), clipgrad=clip)
    appr.model.eval()  # without dropout
    rs = np.random.RandomState(0)
    appr.mask_pre = [torch.tensor(rs.uniform(0, 1, (1, 60)).clip(.2, .8) / .6 - 1 / 3, dtype=torch.float32) for _ in range(2)]
    rates = {n: 1 - view for n, _, view in gates.views(appr.model, appr.mask_pre)}
    rates.update({'e%s.weight' % n: torch.tensor([[0.], [1.], [0.]]) for n in ('fc1', 'fc2')})
    memory = {n: torch.zeros_like(p) for n, p in appr.params().items()}
    for k in range(3):
        batch = batch_of(1, *samples(MLP[2], k, 16))
        before = utils.get_model(appr.model)
        appr.optimizer.zero_grad()
        appr.loss(batch).backward()
        gradients = {n: p.grad.clone() for n, p in appr.params().items() if p.grad is not None}
        for n, e in (('efc1.weight', appr.model.efc1.weight), ('efc2.weight', appr.model.efc2.weight)):
            gradients[n] = gradients[n] * gates.compensation(e.detach(), appr.s, appr.smax)
        norm = sum((rates.get(n, 1.) * g).square().sum() for n, g in gradients.items()).sqrt()
        assert clip > 1 or norm > clip
        appr.step(batch)
        for n, p in appr.params().items():
            if n in gradients:
                memory[n] = .5 * memory[n] + min(1., clip / (norm + 1e-6)) * gradients[n]
                wanted = before[n] - .1 * memory[n] * rates.get(n, 1.)
                wanted = wanted.clamp(-6, 6) if n[0] == 'e' else wanted
                assert torch.allclose(p, wanted, rtol=1e-4, atol=1e-6), (k, n)


OPTIONS = [(hat.Appr, SGD, {'binary': 'on'}, True), (hat.Appr, SGD, {'anneal': 'cosine', 'compensation': 'off'}, True),
           (hat.Appr, SGD, {'anneal': 'exponential', 'init': 'sparse'}, True), (hat.Appr, SGD, {'used': '0.5'}, False),
           (hat.Appr, SGD, {'used': 'random'}, False), (hat.Appr, MOMENTUM, {}, False), (hat.Appr, ADAM, {'binary': 'on'}, False),
           (adahat.Appr, SGD, {}, False), (adahat.Appr, ADAM, {'alpha': .1}, False)]


@pytest.mark.parametrize('kind, recipe, values, narrows', OPTIONS)
def test_what_leaves_out_units_trains_as_plain_code_under_every_option(kind, recipe, values, narrows, monkeypatch, capsys, one_thread):
    weights, tests, run = [], [], []
    forward = Narrow.forward
    monkeypatch.setattr(Narrow, 'forward', lambda self, *more: (run.append(self.training), forward(self, *more))[1])
    for wing in (False, True):
        appr = made(kind, MLP, recipe, wing, smax=50., **values)
        weights.append(learn(appr, MLP, 2))
        tests.append([value for u in range(2) for value in appr.eval(u, *samples(MLP[2], u))])
        assert wing or not run
    assert False in run and (True in run) == narrows
    assert tests[0] == pytest.approx(tests[1], rel=1e-4)
    assert all(torch.allclose(w, weights[1][n], rtol=1e-4, atol=1e-5) for n, w in weights[0].items())


def test_parts_of_one_s_own_are_left_to_plain_code():
    class Late(hat.Appr):
        s = property(lambda self: 1.)

    class Kept(hat.Appr):
        def rates(self, t, masks):
            return []
    assert fast.of(made(Late, MLP)) is None and fast.of(made(Kept, MLP)) is None and fast.of(made(hat.Appr, MLP)) is not None


def test_compensation_and_annealing_change_what_is_trained(capsys):
    found = [learn(made(hat.Appr, MLP, **values), MLP, 1)['efc1.weight'] for values in (
        {}, {'compensation': 'off'}, {'anneal': 'cosine'}, {'anneal': 'exponential'})]
    assert all(not torch.equal(a, b) for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize('init, on', [('uniform', 1), ('dense', 1), ('sparse', 1 / 3), ('negative', 0)])
def test_a_task_s_embedding_is_drawn_as_asked(init, on):
    appr = made(hat.Appr, ('wide', partial(mlp_hat.Net, nhid=4000), [1, 2, 2]), init=init)
    before = [e.detach().clone() for e in appr.model.embeddings()]
    appr.begin_task(1, None, None)
    for e, b in zip(appr.model.embeddings(), before):
        e = e.detach()
        assert torch.equal(e[[0, 2]], b[[0, 2]]) and (e[1] > 0).float().mean().item() == pytest.approx(on, abs=.03)
        wanted = {'uniform': (.5, 12 ** -.5), 'dense': (1, 0), 'sparse': (-.431, 1), 'negative': (-.5, 12 ** -.5)}[init]
        assert (e[1].mean().item(), e[1].std().item()) == pytest.approx(wanted, abs=.06)


def test_by_default_nothing_is_drawn_and_last_takes_the_task_before():
    for init, row in (('normal', 1), ('last', 0)):
        appr = made(hat.Appr, MLP, init=init)
        before, state = [e.detach().clone() for e in appr.model.embeddings()], torch.get_rng_state()
        appr.begin_task(0, None, None)
        assert all(torch.equal(e, b) for e, b in zip(appr.model.embeddings(), before))
        appr.begin_task(1, None, None)
        assert all(torch.equal(e[1], b[row]) for e, b in zip(appr.model.embeddings(), before))
        assert torch.equal(torch.get_rng_state(), state)


def test_a_unit_in_the_balance_is_off_where_masks_are_binary():
    appr = made(hat.Appr, MLP, binary='on')
    with torch.no_grad():
        for e in appr.model.embeddings():
            e[0, :20], e[0, 20:40], e[0, 40:] = 0., 1e-6, -1e-6
    appr.end_task(0, None, None)
    assert all(m.flatten().tolist() == [0.] * 20 + [1.] * 20 + [0.] * 20 for m in appr.mask_pre)
    assert [m.tolist() for m in appr.attention(1)[0]] == [m.flatten().tolist() for m in appr.mask_pre]


def test_a_random_rate_is_new_for_every_weight_and_step_and_only_where_weights_are_used():
    appr = made(hat.Appr, MLP, used='random')
    appr.mask_pre = [torch.tensor([[0.] * 20 + [.5] * 20 + [1.] * 20]) for _ in range(2)]
    views = [view for _, _, view in gates.views(appr.model, appr.mask_pre)]
    first, second = ([rate for _, rate in appr.rates(1, None)] for _ in range(2))
    for view, a, b in zip(views, first, second):
        assert (a[view == 0] == 1).all() and (a >= 1 - view).all() and (a <= 1).all()
        assert not torch.equal(a, b) and len(a[view > 0].unique()) > .9 * (view > 0).sum()
        assert a[view == 1].mean().item() == pytest.approx(.5, abs=.2)


@pytest.mark.parametrize('used, rate', [('fixed', 0.), ('0', 0.), ('0.3', .3), ('free', 1.), ('1', 1.)])
def test_what_is_used_moves_by_the_share_that_is_asked_for(used, rate):
    appr = made(hat.Appr, MLP, used=used)
    appr.mask_pre = [torch.ones(1, 60)] * 2
    assert all(torch.allclose(r, torch.tensor(rate)) for _, r in appr.rates(1, None))
    assert bool(appr.guarded()) == (used == 'fixed')


@pytest.mark.parametrize('kind, name, value, says', [
    (hat.Appr, 'used', '2', 'fixed, free, random, or a number'), (hat.Appr, 'used', '-0.1', 'random, or'), (hat.Appr, 'used', 'all', 'random, or'),
    (hat.Appr, 'init', 'zero', 'sparse'), (hat.Appr, 'anneal', 'step', 'cosine'), (hat.Appr, 'binary', '1', 'off, on'),
    (adahat.Appr, 'alpha', '-1', 'a number > 0'), (adahat.Appr, 'eps', '0', 'a number > 0'), (adahat.Appr, 'used', 'fixed', 'not a hyper-parameter')])
def test_values_that_an_option_cannot_have_are_refused(kind, name, value, says):
    with pytest.raises(utils.UserError, match=says):
        kind.resolve(named={name: value})


@pytest.mark.parametrize('values, moving', [
    ({'alpha': 1e-300}, False), ({'eps': 1e300}, False), ({'alpha': 1e30, 'eps': 1e-300}, True)])
def test_a_rate_is_a_number_whatever_alpha_and_eps(values, moving, capsys):
    appr = made(adahat.Appr, MLP, **values)
    learn(appr, MLP)
    masks = appr.kept(2)
    for (_, rate), (_, _, count) in zip(appr.rates(2, masks), gates.views(appr.model, appr.counts)):
        assert torch.allclose(rate, torch.ones_like(count) if moving else (count == 0).float(), atol=1e-6)


@pytest.mark.parametrize('recipe', [SGD, DECAYED])
@pytest.mark.parametrize('alpha, values', [(1e-30, {}), (1e30, {'used': 'free'})])
def test_adahat_lies_between_binary_hat_and_fine_tuning_under_gates(alpha, values, recipe, capsys):
    expected = learn(made(hat.Appr, MLP, recipe, binary='on', **values), MLP)
    found, between = (learn(made(adahat.Appr, MLP, recipe, alpha=a), MLP) for a in (alpha, .1))
    assert all(torch.equal(w, expected[n]) for n, w in found.items())
    assert not torch.equal(between['fc2.weight'], expected['fc2.weight'])


def test_adahat_says_what_capacity_each_task_had(capsys):
    appr = made(adahat.Appr, MLP, alpha=.01)
    learn(appr, MLP)
    found = appr.account(3)['capacity']
    assert found[0] == 1 and found[0] > found[1] > found[2] > 0 and appr.account(2)['capacity'] == found[:2]
    assert appr.report_lines()[-1] == 'Network capacity of the tasks so far: %s' % ', '.join('%.3g' % c for c in appr.capacity)
    assert all(torch.equal(m, (c > 0).float()) and c.max() > 1 for m, c in zip(appr.mask_pre, appr.counts))


def test_the_layer_of_a_weight_is_the_one_that_it_feeds():
    net = gated.Stacked(alexnet_hat.Net([1, 12, 12], [(0, 2)]).layers[:3], [1, 12, 12], [(0, 2)])
    assert gates.layers_of(net) == {'c%d.%s' % (k + 1, n): k for k in range(3) for n in ('weight', 'bias')}
