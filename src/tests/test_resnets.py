"""Residual networks and their norms: as public ones are built, gated as the equations say, old tasks as they were."""
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import fast
import run
import discovery
import utils
from learning import evaluation, normalising
from networks import gated, layers, mlp, parts, resnet18, resnet32, variants
from results import records
from synthetic import goes_on
from utils import UserError

SIZE, TASKCLA = [3, 16, 16], [(0, 3), (1, 3)]


class Block(nn.Module):
    """A block as everybody writes it."""

    def __init__(self, units, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(units, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or units != width:
            self.shortcut = nn.Sequential(nn.Conv2d(units, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Public(nn.Module):
    """ResNet-18 as everybody writes it."""

    def __init__(self, maps, ncla):
        super().__init__()
        self.conv1, self.bn1, units, blocks = nn.Conv2d(3, maps, 3, 1, 1, bias=False), nn.BatchNorm2d(maps), maps, []
        for i in range(4):
            for j in range(2):
                blocks.append(Block(units, maps * 2 ** i, 2 if i and not j else 1))
                units = maps * 2 ** i
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(units, ncla)

    def forward(self, x):
        return self.linear(F.adaptive_avg_pool2d(self.blocks(F.relu(self.bn1(self.conv1(x)))), 1).flatten(1))


@pytest.mark.parametrize('module, ncla, maps, count', [
    (resnet18, 10, 64, 11173962), (resnet18, 100, 20, 1109240), (resnet32, 100, 16, 472756), (resnet32, 10, 16, 466906)])
def test_the_number_of_parameters_is_that_of_the_public_networks(module, ncla, maps, count):
    with torch.device('meta'):
        net = module.Net([3, 32, 32], [(0, ncla)], maps=maps)
    assert sum(p.numel() for p in net.parameters()) == count


def test_initial_weights_and_outputs_are_those_of_the_public_network():
    torch.manual_seed(3)
    public = Public(6, 5)
    torch.manual_seed(3)
    net, x = resnet18.Net([3, 20, 20], [(0, 5)], maps=6), torch.randn(7, 3, 20, 20)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), public.parameters()))
    for mode in (True, False):
        net.train(mode), public.train(mode)
        assert torch.allclose(net(x)[0], public(x), atol=1e-5)
    assert all(torch.equal(p, q) for p, q in zip(net.buffers(), public.buffers()))


def test_every_weight_is_held_by_the_units_that_it_joins():
    net = variants.of(resnet18.Net, '_hat')(SIZE, TASKCLA, maps=2)
    gated.check(net)
    masks = [torch.rand(1, e.shape[1]) for e in net.embeddings()]
    names = [layer.name for layer in net.layers]
    own = {id(p) for module in layers.of_tasks(net) for p in module.parameters()}
    for n, p in net.named_parameters():
        view, (name, *which, _) = net.get_view_for(n, masks), n.split('.')
        if view is None:
            assert id(p) in own or name[1:] in names and name[0] == 'e', n
            continue
        i = names.index(name)
        below = i - (2 if which == ['skip'] else 1)
        o, c = 1, p.shape[1] - 1
        expected = masks[i][0, o] if i == 0 else torch.min(masks[i][0, o], masks[below][0, c])
        assert view.shape == p.shape and (view[o, c] == expected).all(), n
    assert len(own) == 2 * 2 + 2 * 2 * (17 + 3)


def data(t, n=48):
    """Images and labels of a task that can be learnt."""
    g = torch.Generator().manual_seed(t)
    y = torch.arange(n) % 3
    return torch.randn(n, *SIZE, generator=g) + 2 * torch.randn(3, *SIZE, generator=g)[y], y


def made(approach, network=resnet18, **more):
    """An approach on a small residual network."""
    utils.seed_everything(1)
    kind = discovery.load('approaches', approach).Appr
    named = {'pathnet': {'generations': 2}, 'packnet': {'retrain': 2}}.get(approach, {})
    suffix = kind.variants[0]
    Net = variants.of(network.Net, suffix) if suffix else network.Net
    if suffix == '_hat':
        more.setdefault('maps', 8)
    appr = kind(Net(SIZE, TASKCLA, **{'maps': 4, **more}), nepochs=8, sbatch=8, lr=.02, **named)
    appr.configure(wing=fast.of(appr))
    return appr


def saturate(net):
    """Makes the attention of every unit to every task exactly 0 or 1."""
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for e in gated.embeddings(net):
            e.copy_(torch.where(torch.rand(e.shape, generator=g) < .8, 6., -6.))


@pytest.mark.parametrize('approach, more', [
    ('hat', {}), ('progressive', {}), ('pathnet', {}), ('packnet', {}), ('packnet', {'norm': 'task'}), ('sgd-frozen', {}),
    ('sgd-frozen', {'norm': 'task'}), ('hat', {'norm': 'group'}), ('hat', {'network': resnet32})])
def test_old_tasks_stay_to_the_bit(approach, more, capsys):
    appr = made(approach, **more)
    if approach == 'hat':
        saturate(appr.model)
    x, y = data(0)
    appr.train(0, x, y, x, y)
    before = evaluation.logits(appr, 0, x)
    assert (before.argmax(1) == y).float().mean() > .5
    found, weights = data(1), utils.get_model(appr.model)
    appr.train(1, *found, *found)
    assert torch.equal(evaluation.logits(appr, 0, x), before)
    learnt = (evaluation.logits(appr, 1, found[0]).argmax(1) == found[1]).float().mean()
    assert learnt > .4 or approach == 'sgd-frozen' or more.get('network')  # 31 layers take longer
    moved = [n for n, w in utils.get_model(appr.model).items() if not torch.equal(w, weights[n])]
    assert any('map.weight' in n for n in moved) == (approach != 'sgd-frozen')
    if more.get('norm') == 'task':
        assert any('norm.1.running_mean' in n for n in moved) and not any('norm.0.' in n for n in moved)


@pytest.mark.parametrize('approach, more', [('sgd', {}), ('hat', {}), ('packnet', {'norm': 'task'}), ('lwf', {}), ('lfl', {})])
def test_runs_go_on_to_the_bit(approach, more, capsys):
    def fresh():
        appr = made(approach, **more)
        appr.nepochs = 2
        return appr
    sets = {t: {s: dict(zip('xy', data(t))) for s in ('train', 'valid', 'test')} for t in (0, 1)}
    goes_on(fresh, sets, lambda n: (1, n - 2))


def test_own_norms_are_not_held_and_need_the_task():
    net = resnet18.Net(SIZE, TASKCLA, maps=2, norm='task').train()
    with normalising.held(net):
        assert all(m.training for m in net.modules())
    with pytest.raises(UserError, match='has to be told the task'):
        net(torch.randn(2, *SIZE))
    shared = resnet18.Net(SIZE, TASKCLA, maps=2).train()
    with normalising.held(shared):
        assert not any(m.training for m in shared.modules() if isinstance(m, nn.BatchNorm2d))
    assert not parts.own(shared) and len(parts.own(net)) == 20


def test_group_norms_do_not_mix_what_is_off_into_what_is_on():
    net = variants.of(resnet18.Net, '_hat')(SIZE, TASKCLA, maps=4, norm='group').eval()
    saturate(net)
    x, t = torch.randn(3, *SIZE), torch.tensor([0])
    before, masks = net(t, x, s=400)
    with torch.no_grad():
        for i, m in enumerate(masks):  # weights of units that are off
            net.map(i).weight[m[0] == 0] += 1
    assert all(torch.equal(a, b) for a, b in zip(before, net(t, x, s=400)[0]))


@pytest.mark.parametrize('options, what', [
    (['--net', 'norm=layer'], 'one of batch, group, none, task'), (['--net', 'maps=0'], 'maps must be'), ([], '16 x 16 pixels or more')])
def test_settings_and_images_that_cannot_be_are_refused(options, what, tmp_path, refused):
    argv = ['--experiment', 'glyphs', '--approach', 'sgd', '--network', 'resnet18', '--device', 'cpu', '--output', tmp_path / 'o.txt']
    if options:
        assert what in refused(run.main, [*argv, *options])
    else:
        with pytest.raises(UserError, match=what):
            resnet18.Net([3, 12, 12], TASKCLA)


def test_a_user_s_network_of_a_few_lines_has_all_variants():
    class Net(layers.Plain):
        def __init__(self, inputsize, taskcla, maps=4):
            conv = layers.Layer('a', maps, kernel=3, padding=1, norm='batch', pool='none')
            super().__init__([conv, conv.replaced(name='b'), conv.replaced(name='c', skip=2, pool='average')], inputsize, taskcla)
    x = torch.randn(4, *SIZE)
    for suffix in variants.KINDS:
        net = variants.of(Net, suffix)(SIZE, TASKCLA)
        if suffix == '_pathnet':
            assert net(x, 1, net.draw_paths(1)[0])[1].shape == (4, 3)
        elif suffix == '_progressive':
            assert net(x, 1)[1].shape == (4, 3)
        elif suffix == '_lfl':
            assert net(x)[1].shape == (4, 4)
        else:
            assert net(torch.tensor([1]), x)[0][1].shape == (4, 3)


def test_a_multi_layer_perceptron_has_norms_before_its_relus(tmp_path, capsys, refused):
    net = mlp.Net([1, 4, 4], TASKCLA, 2, 8, 0., 1, 'batch').train()
    x, h = torch.randn(6, 1, 4, 4), None
    for layer in (net.fc1, net.fc2):
        z = F.linear(x.flatten(1) if h is None else h, layer.map.weight, layer.map.bias)
        h = F.relu((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt())
    assert torch.allclose(net(x)[1], F.linear(h, net.last[1].weight, net.last[1].bias), atol=1e-5)
    assert not parts.own(net) and len(parts.own(mlp.Net([1, 4, 4], TASKCLA, norm='task'))) == 3
    argv = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '2', '--device', 'cpu']
    found = []
    for k, more in enumerate((['--net', 'nhid=20,norm=batch'], ['--net', 'nhid=20,norm=batch', '--plain'], ['--net', 'nhid=20'])):
        output = tmp_path / ('%d.txt' % k)
        run.main([*argv, '--approach', 'ewc', *more, '--output', str(output)])
        found.append(records.matrix(output))
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    line = refused(run.main, [*argv, '--approach', 'sgd', '--net', 'norm=layer', '--output', tmp_path / 'o.txt'])
    assert 'one of batch, group, none, task' in line


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(UserError, match='two layers of the network are named conv1'):
        layers.Plain([layers.Layer('conv1', 4, kernel=3), layers.Layer('conv1', 4, kernel=3)], SIZE, TASKCLA)
