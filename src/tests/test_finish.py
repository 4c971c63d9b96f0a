"""What follows a layer's linear map, and dropout's masks drawn ahead, against the plain statement of the same."""
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import run
from approaches import sgd
from engine import ahead, dropout
from engine.finish import finish, largest
from networks import mlp
from synthetic import tasks


@pytest.fixture(autouse=True)
def inline():
    """Masks are drawn when they are asked for, but where a test has it otherwise."""
    before, dropout.ahead = dropout.ahead, None
    yield
    dropout.ahead = before


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
            h = finish(z * 1, p, True, gate=gate, pool=pool)
        direction = torch.arange(h.numel(), dtype=torch.float32).sin().view_as(h)
        outputs.append(h.detach().float())
        gradients.append(torch.autograd.grad((h.float() * direction).sum(), [z] if gate is None else [z, gate]))
    exact = not gated and dtype == torch.float32
    assert torch.allclose(*outputs, rtol=0 if exact else .02, atol=0 if exact else .02)
    for g, expected in zip(*gradients):
        assert torch.allclose(g.float(), expected.float(), rtol=1e-6 if exact else .02, atol=1e-6 if exact else .05)


@pytest.mark.parametrize('training', [False, True])
def test_frozen_layers_and_evaluation_see_the_same(training):
    z = maps((4, 3, 12, 12), False)
    torch.manual_seed(0)
    trained = finish((z.clone().requires_grad_() * 1), .5, training, pool=True).detach()
    torch.manual_seed(0)
    assert torch.equal(finish(z.clone(), .5, training, pool=True), trained)


REQUESTS = [(torch.Size((64, 50)), .5, torch.contiguous_format, 2.), (torch.Size((64, 50)), .5, torch.contiguous_format, 2.),
            (torch.Size((64, 3, 7, 7)), .8, torch.channels_last, 1.)]
SMALLER = [(torch.Size((9, *what[0][1:])), *what[1:]) for what in REQUESTS]


def always():
    """Masks ahead, whether it pays or not."""
    early = ahead.Ahead()
    early.on, early.choose = True, lambda: None
    return early


def ask(take, begin, batches, disturb=()):
    """All masks of batches of requests, with the generator's state after each; after those in disturb something else draws."""
    out = []
    for i, batch in enumerate(batches):
        begin()
        for j, what in enumerate(batch):
            out += [take(*what), torch.get_rng_state()]
            if (i, j) in disturb:
                torch.rand(3)
    return out


@pytest.mark.parametrize('fast', [False, True])
@pytest.mark.parametrize('disturb', [(), [(3, 0)], [(3, 2), (4, 1)], [(i, i % 3) for i in range(14)]])
def test_masks_drawn_ahead_are_those_that_are_drawn_at_once(disturb, fast, monkeypatch):
    monkeypatch.setattr(dropout, 'fast', fast)
    batches = [*[REQUESTS] * 5, SMALLER, *[REQUESTS] * 3, REQUESTS[1:], *[REQUESTS] * 2, SMALLER, *[REQUESTS] * 2]
    torch.manual_seed(5)
    expected = ask(dropout.kept, lambda: None, batches, disturb)
    torch.manual_seed(5)
    early = always()
    assert all(map(torch.equal, ask(early.take, early.begin, batches, disturb), expected))


def test_masks_are_drawn_from_the_third_batch_on_and_for_one_that_has_not_come():
    drawn, early = [], always()
    work = early.drawn
    early.drawn = lambda what: (drawn.append(what), work(what))[1]
    ask(early.take, early.begin, [REQUESTS] * 6)
    early.thread.submit(int).result()
    assert drawn == REQUESTS * 5


@pytest.mark.parametrize('ratio', [.5, 1., 2.])
def test_masks_are_drawn_ahead_where_batches_take_less_time_so(ratio, monkeypatch):
    clock, early, on = 0., ahead.Ahead(), []
    monkeypatch.setattr(ahead.time, 'perf_counter', lambda: clock)
    for i in range(2 * ahead.PERIOD):
        if i == ahead.PERIOD + 40:
            ratio = 1 / ratio  # found out in the next period, not before
        early.begin()
        for what in REQUESTS:
            assert torch.equal(early.take(*what), early.take(*what)) is False
        on.append(early.on)
        clock += (ratio if early.on else 1) * (100 if i % 10 == 5 else 1)  # now and then an evaluation
    assert not any(on[:ahead.TRIAL]) and on[40:ahead.PERIOD] == [ratio == 2.] * (ahead.PERIOD - 40)
    assert on[ahead.PERIOD + 40:] == on[40:ahead.PERIOD] and bool(early.waiting) == early.on


def test_a_run_is_the_same_with_masks_drawn_ahead(monkeypatch, capsys, tmp_path):
    data, taskcla, size = tasks('mlp')
    x, y = data[0]['train']['x'], data[0]['train']['y']
    ends = []
    for early in (None, always()):
        dropout.ahead = early
        torch.manual_seed(0), np.random.seed(0)
        net = mlp.Net(size, taskcla, nhid=40)
        appr = sgd.Appr(net, sbatch=30)
        for _ in range(3):
            appr.train_epoch(0, x[:100], y[:100])
            appr.eval(0, x, y)
        ends.append([*(p.detach() for p in net.parameters()), torch.get_rng_state()])
    assert all(map(torch.equal, *ends)) and dropout.ahead.waiting


def test_run_draws_ahead_where_a_core_is_free(monkeypatch, capsys):
    monkeypatch.setattr(ahead, 'room', lambda: True)
    made = []
    monkeypatch.setattr(ahead.Ahead, 'begin', lambda self: made.append(self))
    run.main(['--experiment', 'glyphs', '--approach', 'sgd', '--nepochs', '1', '--tasks', '1', '--debug'])
    assert made
