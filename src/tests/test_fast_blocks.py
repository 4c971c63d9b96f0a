"""Units that are off in the middle of residual blocks are left out, and every number stays: in float64, to rounding."""
import pytest
import torch

import fast
import utils
from approaches import hat
from fast import blocks, units
from fast.narrow import Narrow
from learning.recipe import Recipe
from networks import layers, resnet18, variants

SIZE, TASKCLA = [3, 8, 8], [(0, 3), (1, 3)]


class Own(layers.Plain):
    """Somebody's: fully connected layers with norms and shortcuts, and layers without."""

    def __init__(self, inputsize, taskcla):
        full = layers.Layer('f1', 20, norm='batch')
        super().__init__([
            layers.Layer('c', 6, kernel=3, norm='batch'), full, full.replaced(name='f2'), full.replaced(name='f3', skip=2),
            layers.Layer('f4', 10), layers.Layer('f5', 10, bias=False), layers.Layer('f6', 10, skip=2)], inputsize, taskcla)


class Blocks(layers.Plain):
    """Two blocks, as resnets have them, the second of half the size."""

    def __init__(self, inputsize, taskcla, norm='batch'):
        conv = layers.Layer('stem', 6, kernel=3, padding=1, bias=not norm, norm=norm, pool='none')
        super().__init__([
            conv, conv.replaced(name='a1'), conv.replaced(name='b1', skip=2), conv.replaced(name='a2', width=10, stride=2),
            conv.replaced(name='b2', width=10, skip=2, pool='average')], inputsize, taskcla)


NETS = {'blocks': (Blocks, {}), 'own': (Own, {}), 'group': (Blocks, {'norm': 'group'}), 'none': (Blocks, {'norm': ''})}


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Leaves out every unit as soon as it is off."""
    monkeypatch.setattr(units, 'CHECK', {'cpu': 1}), monkeypatch.setattr(units, 'REBUILD', 0)
    monkeypatch.setattr(units, 'MULTIPLE', {'cpu': 1})


@pytest.fixture
def widths(monkeypatch):
    """The units of every layer, at each use of a part."""
    seen, forward = [], Narrow.forward
    monkeypatch.setattr(Narrow, 'forward', lambda self, *args: (seen.append(self.below[1:]), forward(self, *args))[1])
    return seen


def made(name, t, wing, recipe=None, dtype=torch.float64):
    """(an approach that is about to learn task t, images, labels)."""
    Net, values = NETS[name]
    torch.manual_seed(0)
    net = variants.of(Net, '_hat')(SIZE, TASKCLA, **values).to(dtype)
    appr = hat.Appr(net, lr=.01, sbatch=8)
    g = torch.Generator().manual_seed(1)
    if t:
        appr.mask_pre = [(1.5 * torch.rand(1, e.shape[1], generator=g) - .2).clamp(0, 1).to(dtype) for e in net.embeddings()]
    appr.configure(seen=t + 1, recipe=recipe or Recipe())
    appr.optimizer = appr._get_optimizer(.01)
    appr.configure(wing=fast.of(appr) if wing else None)
    assert bool(appr.wing) == wing
    return appr, torch.randn(24, *SIZE, generator=g).to(dtype), torch.randint(0, 3, (24,), generator=g)


def learnt(name, t, wing, **more):
    """(what evaluations before and after an epoch say, weights and statistics after it)."""
    appr, x, y = made(name, t, wing, **more)
    tests = [*appr.eval(t, x, y)]
    utils.seed_everything(3)
    appr.train_epoch(t, x, y)
    return [*tests, *appr.eval(t, x, y)], utils.get_model(appr.model)


@pytest.mark.parametrize('t', [0, 1])
@pytest.mark.parametrize('name', NETS)
def test_an_epoch_without_units_that_are_off_is_that_with_them(name, t, widths):
    tests, weights = learnt(name, t, True)
    expected, plain = learnt(name, t, False)
    assert tests == pytest.approx(expected, abs=1e-6)  # sums are kept in float32
    for n, w in weights.items():
        assert torch.allclose(w, plain[n], rtol=0, atol=1e-9), n
    moved = [n for n, w in weights.items() if not torch.equal(w, utils.get_model(made(name, t, False)[0].model)[n])]
    assert any('running_mean' in n for n in moved) == (name in ('blocks', 'own'))
    full = [layer.width for layer in made(name, t, False)[0].model.layers]
    loose = units.loose(made(name, t, False)[0].model.layers)
    narrowest = [min(w) for w in zip(*widths)]
    assert any(loose) == (name != 'group')
    assert all((a == b) if not free else a <= b for a, b, free in zip(narrowest, full, loose))
    assert sum(narrowest) < sum(full) or name == 'group'


def test_only_units_in_the_middle_of_blocks_are_left_out():
    net = variants.of(resnet18.Net, '_hat')([3, 16, 16], TASKCLA, maps=2)
    assert [layer.name for layer, free in zip(net.layers, units.loose(net.layers)) if free] == [
        'stage%dblock%da' % (i, j) for i in (1, 2, 3, 4) for j in (1, 2)]


def test_what_is_left_out_is_noted_by_the_running_statistics(monkeypatch):
    expected = learnt('blocks', 0, True)[1]
    monkeypatch.setattr(blocks, 'note', lambda *args: None)
    weights = learnt('blocks', 0, True)[1]
    assert {n.split('.')[-1] for n, w in weights.items() if not torch.equal(w, expected[n])} == {'running_mean', 'running_var'}


@pytest.mark.parametrize('recipe', [Recipe('adam'), Recipe(momentum=.9), Recipe(weight_decay=.1)])
def test_with_another_optimizer_all_units_are_trained_and_evaluations_leave_out(recipe, widths):
    tests, weights = learnt('blocks', 1, True, recipe=recipe)
    assert len(widths) == 2 and all(sum(w) < sum(layer.width for layer in made('blocks', 1, False)[0].model.layers) for w in widths)
    expected, plain = learnt('blocks', 1, False, recipe=recipe)
    assert tests == pytest.approx(expected, abs=1e-6)
    assert all(torch.equal(w, plain[n]) for n, w in weights.items())


@pytest.mark.parametrize('amp', [None, torch.bfloat16])
def test_in_single_precision_and_bfloat16_it_runs_as_near(amp, widths):
    tests, weights = learnt('blocks', 0, True, recipe=Recipe(amp=amp), dtype=torch.float32)
    expected, plain = learnt('blocks', 0, False, recipe=Recipe(amp=amp), dtype=torch.float32)
    close = .1 if amp else 1e-3
    assert tests[::2] == pytest.approx(expected[::2], abs=close)
    statistics = [n for n in weights if n.endswith('running_mean') and '.0.' in n]
    assert all(torch.allclose(weights[n], plain[n], atol=close) for n in statistics) and statistics


def test_an_evaluation_is_of_the_present_statistics():
    appr, x, y = made('blocks', 0, True)
    before = appr.eval(0, x, y)
    appr.model.stem.norm[0].running_mean.add_(.5)
    after = appr.eval(0, x, y)
    appr.configure(wing=None)
    assert after != before and after == pytest.approx(appr.eval(0, x, y), abs=1e-6)
