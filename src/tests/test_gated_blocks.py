"""Gated residual blocks as public code computes them on tiny inputs (methods2.json), and ours as the equations say."""
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from approaches import gates, hat
from networks import gated, resnet18, resnet32, variants
from networks.layers import Layer
from published import cases, near, tensor
from synthetic import batch_of

TASKCLA = [(0, 3), (1, 3)]


def ours(case):
    """A gated network whose layers are what a block's input comes from and a block, with a case's values: task 0's
    embeddings are the present ones; weights of the block's three convolutions, and how it normalises."""
    inputs = case['inputs']
    units, width = len(inputs['x'][0]), len(inputs['conv1'])
    conv = Layer('a', width, kernel=3, padding=1, bias=False, norm='batch', pool='none', stride=inputs['stride'])
    layers = [conv.replaced(name='c', width=units, stride=1), conv, conv.replaced(name='b', stride=1, skip=2)]
    net = gated.Stacked(layers, [1, *np.shape(inputs['x'])[2:]], [(0, 2)]).double().eval()
    found = {'conv1': net.a.map, 'conv2': net.b.map, 'convd': net.b.skip}
    norms = {'bn1': net.a.norm, 'bn2': net.b.norm, 'bnd': net.b.skip_norm}
    with torch.no_grad():
        for name, module in found.items():
            if name in inputs:
                module.weight.copy_(tensor(inputs[name]))
        for name, own in norms.items():
            if name in inputs:
                state = {'weight': 'weight', 'bias': 'bias', 'running_mean': 'mean', 'running_var': 'var'}
                own[0].load_state_dict({k: tensor(inputs[name][v]) for k, v in state.items()}, strict=False)
        for e, name in zip(net.embeddings(), ('embedding_in', 'embedding1', 'embedding2')):
            e.copy_(tensor(inputs[name])[None])
    return net


def clarena(net, x, m1, m2, md):
    """Its stride is in the second convolution, its shortcut neither normalised nor gated."""
    a, b = net.a, net.b
    r = F.relu(a.norm(F.conv2d(x, a.map.weight, padding=1), 0) * m1)
    z = b.norm(F.conv2d(r, b.map.weight, stride=a.map.stride, padding=1), 0)
    return F.relu((z + (x if b.skip is None else b.skip(x))) * m2)


def hatcl(net, x, m1, m2, md):
    """Its second gate comes twice, and its shortcut has one of its own."""
    r = F.relu(net.a.branch(x, 0) * m1)
    z = net.b.branch(r, 0) * m2
    return F.relu((z + (x if net.b.skip is None else net.b.shortcut(x, 0) * md)) * m2)


def resnet_hat(net, x, m1, m2, md):
    """It normalises the shortcut alone, and gates the addends, not their sum."""
    r = F.relu(net.a.map(x)) * m1
    return F.relu(net.b.map(r) * m2 + (x if net.b.skip is None else net.b.shortcut(x, 0) * md))


def column(m):
    """Gates of maps."""
    return m.view(1, -1, 1, 1)


@cases('hat_block', (clarena,), (hatcl,), (resnet_hat,))
def test_public_blocks_of_our_parts(case, value):
    """What is computed, and what of the gradients our views leave; a public shortcut's gate is no gate of ours."""
    inputs, net, wanted = case['inputs'], ours(case), case['outputs'][value.__name__]
    embeddings = [e for e in net.embeddings()]
    extra = tensor(inputs.get('embeddingd', inputs['embedding2'])).requires_grad_()

    def output(mask):
        m_in, *more = (column(mask(e)) for e in (*embeddings, extra))
        return value(net, F.relu(tensor(inputs['x'])) * m_in, *more)
    s = inputs['scale']
    found = output(lambda e: torch.sigmoid(s * e))
    assert near(found, wanted['output'], case)
    if 'output_binary_masks' in wanted:
        assert near(output(lambda e: (e > 0).double()), wanted['output_binary_masks'], case)
    (found * tensor(inputs['upstream'])).sum().backward()
    old = {name: tensor(inputs[name]) for name in ('old_in', 'old1', 'old2', 'oldd') if name in inputs}
    params, masks = dict(net.named_parameters()), [old[name][None] for name in ('old_in', 'old1', 'old2')]
    left = {n: params[n].grad * (1 - net.get_view_for(n, masks)) for n in ('a.map.weight', 'b.map.weight')}
    assert near(left['a.map.weight'], wanted['grad_conv1'], case) and near(left['b.map.weight'], wanted['grad_conv2'], case)
    if 'grad_convd_not_masked' in wanted:
        assert near(net.b.skip.weight.grad, wanted['grad_convd_not_masked'], case)
    if 'grad_convd' in wanted:
        view = net.get_view_for('b.skip.weight', [old['old_in'][None], None, old['oldd'][None]])
        assert near(net.b.skip.weight.grad * (1 - view), wanted['grad_convd'], case)
    for e, name in zip((*embeddings[1:], extra), ('conv1', 'conv2', 'convd')):
        if 'attention_grad_' + name in wanted:
            assert near(e.grad * gates.compensation(e.detach(), s, 100), np.reshape(wanted['attention_grad_' + name], e.shape), case)
    if 'held_inputs_of_next_block' in wanted:  # right only for a sum that is gated as a whole by the smaller
        held = torch.min(old['old2'], old.get('oldd', old['old2']))
        assert near(held, np.array(wanted['held_inputs_of_next_block'], float), case)


@cases('hat_block')
def test_our_block_is_hat_cl_s_where_gates_are_0_or_1_and_the_sum_s_gate_is_the_shortcut_s(case):
    net, x = ours(case), F.relu(tensor(case['inputs']['x']))
    m1, m2 = ((e.detach() > 0).double() for e in net.embeddings()[1:])
    found = net.run(1, x, gate=m1, task=0)
    found = net.run(2, found, gate=m2, source=x, task=0)
    assert near(found, hatcl(net, x, column(m1), column(m2), column(m2)), case) and found.any()


def stated(net, t, x, masks):
    """The logits of a gated resnet, block by block: r = relu(m1 BN1(conv1)), out = relu(m2 (BN2(conv2) + shortcut))."""
    w, gates = dict(net.named_parameters()) | dict(net.named_buffers()), [column(m) for m in masks]

    def norm(z, name):
        at = '%s.%d.' % (name, t)
        if net.training:
            mean, var = z.mean((0, 2, 3), keepdim=True), z.var((0, 2, 3), unbiased=False, keepdim=True)
        else:
            mean, var = (column(w[at + n]) for n in ('running_mean', 'running_var'))
        return (z - mean) / (var + 1e-5).sqrt() * column(w[at + 'weight']) + column(w[at + 'bias'])
    names = [layer.name for layer in net.layers]
    h = F.relu(gates[0] * norm(F.conv2d(x, w['conv1.map.weight'], padding=1), 'conv1.norm'))
    for i in range(1, len(names), 2):
        a, b = names[i:i + 2]
        stride = net.layers[i].stride
        r = F.relu(gates[i] * norm(F.conv2d(h, w[a + '.map.weight'], stride=stride, padding=1), a + '.norm'))
        z = norm(F.conv2d(r, w[b + '.map.weight'], padding=1), b + '.norm')
        if b + '.skip.weight' in w:
            h = norm(F.conv2d(h, w[b + '.skip.weight'], stride=stride), b + '.skip_norm')
        h = F.relu(gates[i + 1] * (z + h))
    return [F.linear(h.mean((2, 3)), head.weight, head.bias) for head in net.last]


def left(net, old, s, smax=400.):
    """{parameter's name: what is left of its gradient} as the equations say it: 1 - the smaller of the earlier tasks'
    gates that a weight joins; of embeddings, their dependence on s taken out."""
    out, names = {}, [layer.name for layer in net.layers]
    for i, name in enumerate(names):
        below = torch.ones_like(old[0]) if i == 0 else old[i - 1]
        out[name + '.map.weight'] = 1 - column(old[i]).transpose(0, 1).minimum(column(below) if i else torch.ones(()))
        if i and i % 2 == 0:
            out[name + '.skip.weight'] = 1 - column(old[i]).transpose(0, 1).minimum(column(old[i - 2]))
        e = net.embeddings()[i].detach()
        out['e%s.weight' % name] = smax / s * (torch.cosh((s * e).clamp(-50, 50)) + 1) / (torch.cosh(e) + 1)
    return out


@pytest.mark.parametrize('seed', range(20))
def test_our_blocks_and_what_is_left_of_their_gradients_are_as_stated(seed):
    rs = np.random.RandomState(seed)
    torch.manual_seed(seed)
    side, maps, t = int(rs.randint(16, 23)), int(rs.randint(2, 6)), seed // 2 % 2
    kind = (resnet18, resnet32)[seed % 2]
    net = variants.of(kind.Net, '_hat')([3, side, side], TASKCLA, maps=maps).double().train(bool(seed % 3))
    with torch.no_grad():
        for n, b in net.named_buffers():
            b.copy_(torch.rand_like(b) + .5) if b.is_floating_point() else None
        for p in net.parameters():
            p.add_(.1 * torch.randn_like(p))
    old = [torch.rand_like(e[:1]).mul(1.6).sub(.3).clamp(0, 1).detach() for e in net.embeddings()]
    x, progress = torch.randn(5, 3, side, side).double(), float(rs.uniform(.001, .05))
    appr = hat.Appr(net)
    appr.configure(progress=progress, mask_pre=old)
    s = appr.s
    outputs, masks = net(torch.tensor([t]), x, s=s)
    weights = [torch.randn_like(z) for z in outputs]
    sum((z * w).sum() for z, w in zip(outputs, weights)).backward()
    batch = batch_of(t, x)
    batch.gates = masks
    with torch.no_grad():
        appr.after_backward(batch)
    found = {n: p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}

    net.zero_grad()
    expected = stated(net, t, x, [torch.sigmoid(s * e[t]) for e in net.embeddings()])
    for z, other in zip(outputs, expected):
        assert torch.allclose(z, other, rtol=1e-5, atol=1e-5)
    sum((z * w).sum() for z, w in zip(expected, weights)).backward()
    there, factors = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}, left(net, old, s)
    assert there.keys() == found.keys()
    for n, g in there.items():
        g = g * factors.get(n, 1)
        assert torch.allclose(found[n], g, rtol=1e-5, atol=1e-5 * max(1, g.abs().max().item())), n
