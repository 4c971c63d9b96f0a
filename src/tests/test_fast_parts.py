"""A fast view of a network and the network itself: the same bits, forward and backward, whatever a derived class does."""
import gc
import weakref
from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.utils.prune
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import discovery
from fast.view import view
from networks import cut, gated, mlp, mlp_hat
from networks.layers import Layer, Plain

pytestmark = pytest.mark.usefixtures('one_thread')
TASKS = [(t, 4) for t in range(3)]
SMALL = [1, 12, 12]
Y = torch.arange(9) % 4
NAMES = [kind + suffix for kind in ('mlp', 'alexnet') for suffix in ('', '_hat', '_lfl', '_pathnet', '_progressive')]


def images(size):
    """Nine of them."""
    return torch.randn(9, *size, generator=torch.Generator().manual_seed(1))


def loss_of(run, name, t, x):
    """A loss of task t that every output and every mask has to do with."""
    if name.endswith('_hat'):
        outputs, masks = run(torch.tensor([t]), x, s=3.)
        return F.cross_entropy(outputs[t], Y) + sum(m.square().sum() for m in masks) / 1000
    if name.endswith('_lfl'):
        outputs, h = run(x, only=t)
        return F.cross_entropy(outputs[t], Y) + h.square().mean()
    if name.endswith('_pathnet'):
        path = np.arange(3 * run.L).reshape(run.L, 3) % 5
        return F.cross_entropy(run(x, t, path=path)[t], Y)
    if name.endswith('_progressive'):
        return F.cross_entropy(sum(run(x, t)), Y)
    return F.cross_entropy(torch.cat(run(x, only=range(t + 1))[:t + 1], 1), Y)


def computed(make, quick, loss, training=True, tape=None):
    """(loss, gradients, random state) of a network that make() returns, by its view if quick; tape: a list, or None."""
    torch.manual_seed(0)
    net = make().train(training)
    run = view(net) if quick else net
    torch.manual_seed(1)
    if quick:
        type(run).tape = tape
    found = loss(run)
    if training:
        found.backward()
    if quick:
        type(run).tape = None
    with torch.no_grad():
        for entry in tape or ():
            entry.form()
    return found.detach(), {n: p.grad for n, p in net.named_parameters()}, torch.get_rng_state()


def same(found, expected, rtol=0.):
    """Asserts that two of computed() are."""
    (a, gradients, state), (b, others, other_state) = found, expected
    assert torch.allclose(a, b, rtol=rtol, atol=0) and torch.equal(state, other_state)
    for n, g in gradients.items():
        assert (g is None) == (others[n] is None), n
        assert g is None or torch.equal(g, others[n]), n


@pytest.mark.parametrize('training, tape', [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize('t', [0, 2])
@pytest.mark.parametrize('name', NAMES)
def test_a_view_computes_what_its_network_computes(name, t, training, tape):
    size = [3, 32, 32] if name.startswith('alexnet') else SMALL
    x = images(size)

    def make():
        return discovery.load('networks', name).Net(size, TASKS)

    def loss(run):
        return loss_of(run, name, t, x)

    waiting = [] if tape else None
    found = computed(make, True, loss, training, waiting)
    assert bool(waiting) == tape
    # Convolutions are tested in another memory format, which adds in another order.
    same(found, computed(make, False, loss, training), 0. if training else 1e-5)


def test_each_sample_s_own_head():
    x, t = images(SMALL), Y % 3

    def make():
        return mlp.Net(SMALL, TASKS, nhid=20)

    def loss(run):
        return F.cross_entropy(run(x, only=(t, range(3))), Y)

    same(computed(make, True, loss, tape=[]), computed(make, False, loss))
    net = make().eval()
    whole = net(x)
    assert torch.allclose(net(x, only=(t, range(3))), torch.stack([whole[u][i] for i, u in enumerate(t)]), atol=1e-6)


class Base(Plain):
    """What somebody derives from."""

    def __init__(self):
        super().__init__([Layer('fc1', 20, .5), Layer('fc2', 20, 0.)], SMALL, TASKS)


class Skipping(Base):
    """Goes on with what finish() was given."""

    def hidden(self, x):
        z = self.product(self.fc1, x.flatten(1))
        return self.finish(0, z) + z


class Pooling(Plain):
    """The same of maps."""

    def __init__(self):
        super().__init__([Layer('conv1', 4, .2, 3), Layer('fc1', 20, 0.)], SMALL, TASKS)

    def hidden(self, x):
        z = self.product(self.conv1, x)
        return self.run(1, self.finish(0, z) + F.max_pool2d(z, 2))


class First(Base):
    """Finishes the images themselves."""

    def hidden(self, x):
        return super().hidden(self.finish(1, x))


class Passing(Base):
    """A layer that is none."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Identity()

    def hidden(self, x):
        z = self.run(0, x)
        return (z + self.shaped(0, x))[:, :20]


class Normed(Base):
    """Weights made of others."""

    def __init__(self):
        super().__init__()
        nn.utils.parametrizations.weight_norm(self.fc2)


class Pruned(Base):
    """Weights made of others by a hook."""

    def __init__(self):
        super().__init__()
        nn.utils.prune.random_unstructured(self.fc2, 'weight', .5)


class Hooked(Base):
    """A layer that somebody hangs something on."""

    def __init__(self):
        super().__init__()
        self.fc2.register_forward_hook(lambda module, x, y: 2 * y)


class Cosine(nn.Linear):
    """A linear map in name."""

    def forward(self, x):
        return 5 * F.linear(F.normalize(x), F.normalize(self.weight))


class Angles(Base):
    """Heads of a class of their own."""

    def __init__(self):
        super().__init__()
        self.last = nn.ModuleList(Cosine(20, n, bias=False) for _, n in TASKS)


class Still(Base):
    """A bias that is not trained."""

    def __init__(self):
        super().__init__()
        self.fc2.bias.requires_grad_(False)


class Halved(Base):
    """Weights of a function of them."""

    def forward(self, x, only=None):
        weights = {'fc2.weight': self.fc2.weight / 2}
        return [head(self.run(1, self.run(0, x))) for head in self.last] if only == 'inner' else functional_call(
            self, weights, (x, 'inner'))


class Twice(Base):
    """One layer two times."""

    def hidden(self, x):
        return self.run(1, super().hidden(x))


@pytest.mark.parametrize('kind', [Skipping, Pooling, First, Passing, Normed, Pruned, Hooked, Angles, Still, Halved, Twice])
def test_so_it_does_for_what_somebody_derives(kind):
    x = images(SMALL)
    before = x.clone()

    def loss(run):
        return F.cross_entropy(run(x)[0], Y)

    same(computed(kind, True, loss, tape=[]), computed(kind, False, loss))
    assert torch.equal(x, before)


@pytest.mark.parametrize('kind', [Normed, Pruned, Hooked, Angles])
def test_layers_that_do_more_are_not_cut(kind):
    """Their exported network is the whole one, their units are not left out."""
    assert cut.plain(Base()) and not cut.plain(kind())
    net = mlp_hat.Net(SMALL, TASKS, nhid=20)
    assert gated.is_standard(net)
    net.last = kind().last
    net.fc2 = kind().fc2
    assert not gated.is_standard(net)


@pytest.mark.parametrize('name', ['run', 'product', 'drop', 'finish'])
def test_a_network_with_parts_of_its_own_has_no_view(name):
    own = type('Own', (Base,), {name: lambda self, *args: getattr(super(type(self), self), name)(*args)})
    assert view(own()) is None and view(nn.Linear(2, 3)) is None


def test_a_view_is_the_network_under_another_name():
    net, x = Base(), images(SMALL)
    quick = view(net)
    assert isinstance(quick, Base) and quick.fc1 is net.fc1 and list(quick.state_dict()) == list(net.state_dict())
    quick.eval()
    assert not net.training
    quick.tape_of_mine = 1
    assert net.tape_of_mine == 1 and 'tape' not in vars(net)
    weights = {n: 2 * p for n, p in net.named_parameters()}
    assert torch.equal(functional_call(quick, weights, (x,))[0], functional_call(net, weights, (x,))[0])
    assert not torch.equal(functional_call(quick, weights, (x,))[0], net(x)[0])
    type(quick).tape = []
    copy = deepcopy(net)
    assert type(copy) is Base and copy.fc1 is not net.fc1 and torch.equal(copy(x)[0], net(x)[0])
    assert view(net).tape is None and type(quick).tape == []


def test_a_tape_leaves_nothing_behind():
    net = mlp.Net(SMALL, TASKS, nhid=20)
    quick, tape = view(net), []
    gc.disable()
    try:
        type(quick).tape = tape
        output = quick(images(SMALL), only=0)[0]
        F.cross_entropy(output, Y).backward()
        type(quick).tape = None
        assert [e.module for e in tape] == [net.last[0], net.fc3, net.fc2, net.fc1]
        dead = weakref.ref(output)
        del output, tape
        assert dead() is None  # no cycle holds a batch's tensors until the garbage is collected
    finally:
        gc.enable()
