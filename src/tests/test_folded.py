"""One task's network with norms and masks folded into its weights computes what the network computes."""
import pytest
import torch

from networks import cut, folded, layers, resnet18, resnet32, variants

TASKCLA = [(0, 3), (1, 2)]


class Own(layers.Plain):
    """Somebody's: fully connected layers with norms and shortcuts, and layers without."""

    def __init__(self, inputsize, taskcla):
        full = layers.Layer('f1', 9, norm='batch')
        super().__init__([
            layers.Layer('c', 6, kernel=3, stride=2, padding=1), layers.Layer('d', 5, kernel=2, pool='none', norm='batch'), full,
            full.replaced(name='f2', width=7, bias=False), full.replaced(name='f3', skip=2), layers.Layer('f4', 4, skip=1)], inputsize, taskcla)


def disturbed(net):
    """A network with random statistics, in evaluation mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for b in net.buffers():
            b.copy_(torch.rand_like(b) + .5) if b.is_floating_point() else None
        for p in net.parameters():
            p.add_(.1 * torch.randn_like(p))
    return net.eval()


def same(found, wanted):
    """Whether logits are the same but for rounding."""
    return torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * max(1, wanted.abs().max().item()))


@pytest.mark.parametrize('t', [0, 1])
@pytest.mark.parametrize('kind, more', [
    (resnet18, {'maps': 3}), (resnet18, {'maps': 3, 'norm': 'task'}), (resnet18, {'maps': 2, 'norm': 'none'}), (resnet32, {'maps': 2}), (Own, {})])
@torch.no_grad()
def test_a_plain_network(kind, more, t):
    size = [3, 16, 16]
    net, x = disturbed(getattr(kind, 'Net', kind)(size, TASKCLA, **more)), torch.randn(4, *size)
    weights = {n: p * (torch.rand_like(p) < .8) for n, p in net.named_parameters()}  # as masks of a method leave them
    found = cut.network(net, t, weights, None)
    assert type(found) is folded.Folded and same(found(x), torch.func.functional_call(net, weights, (x, t))[t])
    assert not any(isinstance(m, torch.nn.modules.batchnorm._NormBase) for m in found.modules())


def gated(kind, more, off):
    """A gated network, its masks of task 1 of which a share is off and the others are 1 or, of some, between."""
    net = disturbed(variants.of(getattr(kind, 'Net', kind), '_hat')([3, 16, 16], TASKCLA, **more))
    torch.manual_seed(1)
    with torch.no_grad():
        for e in net.embeddings():
            e[1] = torch.where(torch.rand(e.shape[1]) < off, -6., 6.)
            e[1, 0] = .002
    return net, [m[0] for m in net.mask(torch.tensor([1]), s=400)]


@pytest.mark.parametrize('kind, more', [(resnet18, {'maps': 5}), (resnet32, {'maps': 3}), (Own, {}), (resnet18, {'maps': 3, 'norm': 'none'})])
@torch.no_grad()
def test_a_gated_network_without_what_is_off(kind, more):
    (net, masks), x = gated(kind, more, .6), torch.randn(4, 3, 16, 16)
    wanted = net(torch.tensor([1]), x, s=400)[0][1]
    weights = dict(net.named_parameters())
    whole, part = (cut.network(net, 1, weights, None, masks, least) for least in (None, .01))
    assert type(part) is folded.Folded and same(whole(x), wanted) and same(part(x), wanted)
    counts = [sum(p.numel() for p in f.parameters()) for f in (part, whole)]
    assert counts[0] < (.4 if kind is resnet18 else .9) * counts[1]
    rows = [m.weight.shape[0] for m in part.maps]
    names = [layer.name for layer in net.layers]
    for i, (name, m) in enumerate(zip(names, masks)):
        on = int((m >= .01).sum())
        assert rows[i] == on if name.endswith('a') and kind is resnet18 else rows[i] >= on
    exported = torch.export.export(part, (x,), dynamic_shapes=({0: torch.export.Dim('batch')},)).module()
    assert same(exported(x[:3]), wanted[:3])


@torch.no_grad()
def test_maps_that_a_shortcut_carries_on_are_there_where_any_block_has_them():
    net, masks = gated(resnet18, {'maps': 5}, .6)
    part = cut.network(net, 1, dict(net.named_parameters()), None, masks, .01)
    stage = [k for k, layer in enumerate(net.layers) if layer.name in ('conv1', 'stage1block1b', 'stage1block2b')]
    union = torch.stack([masks[k] for k in stage]).amax(0) >= .01
    assert [part.maps[k].weight.shape[0] for k in stage] == [int(union.sum())] * 3


def test_norms_of_groups_are_not_folded():
    net, masks = gated(resnet18, {'maps': 4, 'norm': 'group'}, .5)
    assert type(cut.network(net, 1, dict(net.named_parameters()), lambda x: x, masks, .01)) is cut.Whole
