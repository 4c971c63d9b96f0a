"""ER-ACE, GDumb, BiC, WA and RWalk: as public code computes them on tiny inputs (methods2.json), and each its own idea."""
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import run
import utils
from approaches import bic, er_ace, gdumb, rwalk, wa
from fast.quadratic import of as closed
from learning import buffer, scenario as scenarios
from learning.batch import Batch
from networks import mlp
from published import cases, near, tensor
from synthetic import tasks
from test_methods import Vector

DATA, TASKCLA, SIZE = tasks('mlp')
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--device', 'cpu', '--net', 'nhid=60,nlayers=1,pdrop=0']


class Told(nn.Module):
    """A network that says what it was given: an image is the number of its row of logits [N,K], cut into heads."""

    def __init__(self, logits, sizes):
        super().__init__()
        self.logits, self.sizes = nn.Parameter(logits), sizes
        self.taskcla = list(enumerate(sizes))
        self.last = nn.ModuleList(nn.Linear(1, n) for n in sizes)

    def forward(self, x):
        return list(self.logits[x.flatten().long()].split(self.sizes, 1))


def told(kind, sizes, logits, **kwargs):
    """An approach under the class scenario whose network says logits [N,K], heads of some sizes, with all tasks met."""
    appr = kind(Told(logits, list(sizes)), **kwargs)
    appr.configure(scenario=scenarios.Class(appr.model.taskcla), seen=len(sizes))
    appr.model.train()
    return appr


def rows(appr, first, labels, task=None):
    """A Batch of the samples from row `first` on, with labels among all classes."""
    t, y = torch.tensor([appr.scenario.firsts[c] for c in labels]).t()
    x = torch.arange(first, first + len(y), dtype=torch.float64)[:, None]
    return Batch(x, y, t, task)


@cases('er_ace')
def test_incoming_samples_compete_among_the_classes_of_the_batch(case):
    i, out, tol = case['inputs'], case['outputs']['avalanche'], case['tolerance']
    everything, n = tensor([*i['logits'], *i['buffer_logits']]), len(i['labels'])
    appr = told(er_ace.Appr, (everything.shape[1],), everything)
    appr.configure(scenario=scenarios.Domain(appr.model.taskcla))
    appr.drawn = lambda batch, before=None: rows(appr, n, i['buffer_labels'])
    loss = appr.loss(rows(appr, 0, i['labels'], task=1))
    loss.backward()
    assert near(loss, 2 * out['loss'], tol)  # that code halves the sum of the two means
    assert near(appr.model.logits.grad[:n], 2 * tensor(out['grad_logits']), tol)
    assert near(appr.model.logits.grad[n:], 2 * tensor(out['grad_buffer_logits']), tol)


@cases('gdumb')
@pytest.mark.parametrize('together', [1, 3, 10 ** 6])
def test_the_greedy_balanced_sampler(case, together, monkeypatch):
    i, out = case['inputs'], case['outputs']['ocl']
    memory, draws, sizes = buffer.Buffer(i['memory'], 'greedy'), iter(i['draws']), []
    monkeypatch.setattr(np.random, 'randint', lambda n: next(draws))
    labels = torch.tensor(i['labels'])
    for rows in torch.arange(len(labels)).split(together):
        memory.add(Batch(rows[:, None].float(), labels[rows], task=0))
        sizes += [len(memory)]
    there = {}
    for place in sorted(range(len(memory)), key=memory.ages.__getitem__):
        there.setdefault(str(int(memory.y[place])), []).append(int(memory.x[place]))
    assert there == {c: kept for c, kept in out['kept'].items() if kept} and next(draws, None) is None
    assert [c for _, c in memory.met] == out['order_of_classes']
    assert sizes == (out['size_after_each'][together - 1::together] if together == 1 else sizes)
    assert sizes[-1] == out['size_after_each'][-1]


@cases('gdumb_schedule')
def test_the_learning_rate_of_each_pass(case):
    i = case['inputs']
    found = [gdumb.rate(p, i['maxlr'], i['minlr']) for p in range(i['passes'])]
    assert near(found, case['outputs']['gdumb_authors']['lr_of_pass'], case['tolerance'])


def move(appr, steps):
    """Takes a task's steps, {'grad', 'theta_after'} each."""
    appr.begin_task(0, None, None)
    for s in steps:
        appr.model.theta.grad, batch = tensor(s['grad']), SimpleNamespace()
        with torch.no_grad():
            appr.after_backward(batch)
            appr.model.theta.copy_(tensor(s['theta_after']))
            appr.after_step(batch)
    appr.end_task(0, None, None)


def walker(theta, **kwargs):
    """RWalk on a vector."""
    appr = rwalk.Appr(Vector(theta), **{'lamb': 1., **kwargs})
    appr.configure(scenario=scenarios.Domain(appr.model.taskcla), seen=1)
    return appr


@cases('rwalk')
def test_the_walk_in_the_metric_of_the_loss(case):
    i, out, tol = case['inputs'], case['outputs']['avalanche'], case['tolerance']
    appr = walker(i['theta0'], alpha=i['alpha'], delta_t=i['delta_t'], eps=np.finfo(float).eps)
    for steps, expected in zip(i['tasks'], out['after_task']):
        move(appr, steps)
        assert near(appr.information['theta'], expected['fisher'], tol)
        assert near(appr.scores['theta'], expected['scores'], tol)
        assert near(appr.omega['theta'], expected['penalty_weights'], tol)
    with torch.no_grad():
        appr.model.theta.copy_(tensor(i['theta_eval']))
    assert near(appr.penalty(), out['penalty_lambda_1'], tol) and near(closed(appr).value(), out['penalty_lambda_1'], tol)


@cases('rwalk')
def test_the_penalty_that_is_not_normalised(case):
    i, out = case['inputs'], case['outputs']['facil']
    appr = walker(i['tasks'][-1][-1]['theta_after'], normalise='none')
    move(appr, [])
    last = out['after_task'][-1]
    appr.information['theta'], appr.scores['theta'] = tensor(last['fisher']), tensor(last['scores'])
    appr.omega = appr.weighed()
    with torch.no_grad():
        appr.model.theta.copy_(tensor(i['theta_eval']))
    assert near(appr.penalty(), out['penalty_lambda_1'], case['tolerance'])


@cases('bic')
def test_the_stages_of_bic(case):
    i, out, tol = case['inputs'], case['outputs']['facil'], case['tolerance']
    z, y, old = tensor(i['logits']), torch.tensor(i['labels']), i['n_old']
    alpha, beta = bic.correction(z, y, old, i['epochs'], i['stage2_lr_facil'])
    assert near([alpha, beta], [out['alpha'], out['beta']], tol)
    appr = told(bic.Appr, (old, z.shape[1] - old), z, T=i['T'])
    appr.model_old = Told(torch.cat([tensor(i['old_logits']), 7 * torch.ones_like(z[:, old:])], 1), appr.model.sizes)
    appr.corrections = [(1., 0.)]
    assert near(appr.loss(rows(appr, 0, i['labels'])), out['stage1_loss_lambda_n_old_over_all'], tol)
    appr.corrections.append((alpha, beta))
    appr.model.eval()
    assert near(appr.compete(rows(appr, 0, i['labels']))[0], out['corrected_logits'], tol)


@cases('wa')
def test_the_aligned_weights_and_the_loss_of_wa(case):
    i, out, tol = case['inputs'], case['outputs']['pycil'], case['tolerance']
    weight, z = tensor(i['weight']), tensor(i['logits'])
    old = len(weight) - i['n_new']
    assert near(wa.gamma(weight[:old], weight[old:]), out['gamma'], tol)
    appr = told(wa.Appr, (old, i['n_new']), z, T=i['T'])
    appr.model.last = nn.ModuleList(nn.Linear(weight.shape[1], n).double() for n in appr.model.sizes)
    with torch.no_grad():
        for head, part in zip(appr.model.last, weight.split(appr.model.sizes)):
            head.weight.copy_(part)
    biases = [head.bias.clone() for head in appr.model.last]
    appr.align(1)
    assert near(torch.cat([head.weight for head in appr.model.last]), out['aligned'], tol)
    assert all(torch.equal(head.bias, b) for head, b in zip(appr.model.last, biases))
    appr.model_old = Told(torch.cat([tensor(i['old_logits']), 7 * torch.ones_like(z[:, old:])], 1), appr.model.sizes)
    batch = rows(appr, 0, i['labels'])
    assert near(appr.loss(batch), out['loss'], tol)
    assert near(appr.kd(z[:, :old], tensor(i['old_logits'])), out['kd_loss'], tol)


def images(t, n=240, seed=0):
    """(x, y) of task t: three classes about a prototype each."""
    g = torch.Generator().manual_seed(100 + t)
    prototypes = torch.randn(3, 1, 4, 4, generator=g)
    g.manual_seed(10 * t + seed)
    y = torch.randint(3, (n,), generator=g)
    return prototypes[y] + .5 * torch.randn(n, 1, 4, 4, generator=g), y


def made(kind, scenario='task', pdrop=0., **kwargs):
    """An approach for two tasks of three classes."""
    utils.seed_everything(0)
    scenario = scenarios.KINDS[scenario]([(0, 3), (1, 3)])
    appr = kind(mlp.Net([1, 4, 4], scenario.taskcla(), 1, 24, pdrop), **{'nepochs': 6, 'sbatch': 16, 'lr': .1, **kwargs})
    appr.configure(scenario=scenario)
    return appr


def learn(appr, *tasks):
    """Trains on tasks."""
    for t in tasks:
        appr.train(t, *images(t), *images(t, 60, 1))


SMALL = {'gdumb': {'passes': 8, 'lr': .05, 'buffer_size': 60}, 'bic': {'buffer_size': 60}, 'wa': {'buffer_size': 60}}
METHODS = {'er-ace': er_ace, 'gdumb': gdumb, 'bic': bic, 'wa': wa, 'rwalk': rwalk}


@pytest.mark.parametrize('name, scenario', [(a, s) for a, m in METHODS.items() for s in m.Appr.scenarios])
def test_two_tasks_are_learnt(name, scenario, capsys):
    appr = made(METHODS[name].Appr, scenario, **SMALL.get(name, {}))
    learn(appr, 0, 1)
    chance = 1 / 6 if scenario == 'class' else 1 / 3
    first, second = (appr.eval(t, *images(t, 200, 2))[1] for t in (0, 1))
    assert second > 2 * chance and (first > 1.5 * chance or (name, scenario) == ('rwalk', 'class')), (first, second)


def test_new_samples_push_no_earlier_class_and_replayed_ones_do():
    for among, own in (('batch', [3, 4]), ('task', [3, 4, 5])):
        appr = told(er_ace.Appr, (3, 3), torch.randn(6, 6), among=among)
        new, old = rows(appr, 0, [3, 4, 3], 1), rows(appr, 3, [0, 4, 2])
        appr.drawn = lambda batch, before=None: old
        appr.loss(new).backward()
        moved = appr.model.logits.grad != 0
        assert moved[:3].any(0).nonzero().flatten().tolist() == own and moved[3:].all()


def test_er_ace_within_a_head_is_er_with_the_sum_of_two_means():
    appr = made(er_ace.Appr)
    appr.configure(seen=2)
    appr.model.train()
    (x, y), (x2, y2) = images(1, 8), images(0, 8)
    y[:] = 1  # absent classes compete, too
    appr.drawn = lambda batch, before=None: Batch(x2, y2, torch.zeros_like(y2))
    loss = appr.loss(Batch(x, y, task=1))
    outputs = appr.model(x)[1], appr.model(x2)[0]
    assert loss.item() == pytest.approx(sum(nn.functional.cross_entropy(z, a).item() for z, a in zip(outputs, (y, y2))), rel=1e-6)
    assert loss.item() > .1 and appr.lone is None


@pytest.mark.parametrize('among', ['batch', 'task'])
def test_that_a_batch_has_one_class_is_said_once(among, capsys):
    appr = made(er_ace.Appr, 'class', among=among, sbatch=1, nepochs=2, buffer_size=20)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        learn(appr, 0, 1)
    assert ['one class' in str(w.message) for w in found] == [True] * (among == 'batch')


def test_gdumb_trains_a_new_network_that_shifts_no_other_number(capsys):
    appr, found = made(gdumb.Appr, passes=2, buffer_size=60), []
    first = utils.get_model(appr.model)
    for t in (0, 1, 2):
        before = torch.get_rng_state(), np.random.get_state()[1].copy(), appr.model.last[0].weight
        appr.begin_task(t, None, None)
        assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()
        assert appr.model.last[0].weight is before[2]  # which an optimizer may know
        found.append(utils.get_model(appr.model))
        appr.model.fc1.weight.data.zero_()
    for n, w in first.items():
        others = [w, *(f[n] for f in found[1:])]
        assert all(not torch.equal(a, b) for i, a in enumerate(others) for b in others[:i]), n
        assert all(.5 < v.abs().mean() / w.abs().mean() < 2 for v in others if v.dim() > 1), n
    again = made(gdumb.Appr, passes=2)
    again.begin_task(0, None, None)
    assert torch.equal(again.model.fc1.weight, found[0]['fc1.weight'])


def test_gdumb_s_learner_sees_the_memory_alone_and_by_its_schedule(capsys, monkeypatch):
    appr, seen = made(gdumb.Appr, 'class', passes=4, sbatch=7, lr=.03, lr_end=.001, buffer_size=30), []
    step = type(appr).step

    def watched(self, batch):
        seen.append((len(batch), self.optimizer.param_groups[0]['lr'], len(self.optimizer.state), self.memory.y.tolist()))
        return step(self, batch)
    monkeypatch.setattr(type(appr), 'step', watched)
    learn(appr, 0, 1)
    assert [n for n, *_ in seen] == [16, 14] * 8
    rates = [.003, .03, .03, .0155] * 2
    assert [lr for _, lr, *_ in seen] == pytest.approx(np.repeat(rates, 2))
    assert [bool(n) for *_, n, _ in seen] == ([False] + [True] * 7) * 2  # momentum goes on over passes, not over tasks
    group, = appr.optimizer.param_groups
    assert (group['momentum'], group['weight_decay'], appr.clipgrad) == (.9, 1e-6, 10)
    assert all(y == seen[0][3] for *_, y in seen[:8]) and set(appr.memory.counts.values()) == {5}


def test_the_sampler_counts_the_samples_of_a_class_in_the_order_in_which_they_came(monkeypatch):
    memory, draws, labels = buffer.Buffer(4, 'greedy'), iter([3, 0, 0, 0]), torch.tensor([0, 0, 0, 0, 1, 1, 2, 3])
    monkeypatch.setattr(np.random, 'randint', lambda n: next(draws))
    memory.add(Batch(torch.arange(8.)[:, None], labels, task=0))
    assert sorted(memory.x.flatten().tolist()) == [2, 5, 6, 7]  # of class 1 the one that came first, in a later place, has gone


def test_stage_2_has_as_many_held_out_samples_of_every_class_none_of_them_trained_on(capsys, monkeypatch):
    appr, trained, held = made(bic.Appr, 'class', buffer_size=60, held_out=.2), [], []
    monkeypatch.setattr(appr.fitting, 'run', lambda t, x, y, *valid: trained.append(x[torch.arange(len(y))]))
    correct = bic.Appr.correct
    monkeypatch.setattr(bic.Appr, 'correct', lambda self, t, x, y: held.append((x[torch.arange(len(y))], y + 3 * x.tasks)) or correct(self, t, x, y))
    learn(appr, 0)
    assert not held and appr.corrections == [(1., 0.)] and len(appr.memory) == 60
    kept, before = {tuple(v.flatten().tolist()) for v in appr.memory.x}, utils.get_model(appr.model)
    learn(appr, 1)
    (x, y), = held
    sets = [{tuple(v.flatten().tolist()) for v in part} for part in (x, trained[1])]
    assert y.bincount().tolist() == [4] * 6  # a fifth of 20 exemplars of each class
    assert not sets[0] & sets[1] and len(sets[0] | sets[1]) == 240 + 60
    assert kept <= sets[0] | sets[1]
    assert all(torch.equal(w, before[n]) for n, w in utils.get_model(appr.model).items())  # stage 2 moves two numbers
    assert len(appr.corrections) == 2 and appr.corrections[1] != (1., 0.) and appr.held is None


def test_bic_without_exemplars_to_hold_out_corrects_nothing(capsys):
    appr = made(bic.Appr, 'class', buffer_size=3)  # one of each class
    learn(appr, 0, 1)
    assert appr.corrections == [(1., 0.)] * 2 and 'alpha 1.000, beta 0.000' in appr.report_lines()[-1]


def test_corrections_of_earlier_tasks_stay_in_the_network_and_in_what_it_is_taught():
    appr = told(bic.Appr, (2, 2, 2), torch.ones(4, 6))
    appr.corrections = [(1., 0.), (2., -1.5)]
    for training in (True, False):
        appr.model.train(training)
        assert appr.compete(rows(appr, 0, [0, 3, 5]))[0][0].tolist() == [1, 1, .5, .5, 1, 1]
    assert torch.cat(appr.taught(list(torch.ones(1, 6).split(2, 1))), 1).tolist() == [[1, 1, .5, .5, 1, 1]]


def test_wa_aligns_before_the_network_becomes_the_teacher(capsys):
    appr = made(wa.Appr, 'class', buffer_size=60, lr=.5)
    norms = []
    for t in (0, 1):
        learn(appr, t)
        norms.append([head.weight.norm(dim=1).mean().item() for head in appr.model.last])
        assert torch.equal(appr.model_old.last[t].weight, appr.model.last[t].weight)
    assert norms[1][0] == pytest.approx(norms[1][1], rel=1e-5)


def test_wa_refuses_heads_without_weight_vectors():
    net = mlp.Net([1, 4, 4], [(0, 2)], 1, 8)
    net.last = nn.ModuleList([nn.Identity()])
    with pytest.raises(utils.UserError, match='heads are linear layers'):
        wa.Appr(net)


@pytest.mark.parametrize('normalise', ['max', 'none'])
def test_where_no_score_is_positive_the_fisher_information_is_left(normalise):
    appr = walker([1., 2.], normalise=normalise, delta_t=1)
    move(appr, [{'grad': [1., -2.], 'theta_after': [1.5, 1.5]}])  # both go uphill
    assert (appr.scores['theta'] < 0).all()
    assert appr.omega['theta'].tolist() == ([.25, 1.] if normalise == 'max' else [1., 4.])
    appr = walker([1., 2.], normalise=normalise)
    move(appr, [{'grad': [0., 0.], 'theta_after': [1., 2.]}])
    assert appr.omega['theta'].tolist() == [0., 0.]


BAD = [
    (['er-ace', '--among', 'head'], '--among must be one of batch, task'),
    (['er-ace', '--scenario', 'class', '--active-classes', 'current'], 'all classes so far'),
    (['gdumb', '--passes', '3'], 'a power of two'), (['gdumb', '--passes', '0'], '>= 1'), (['gdumb', '--lr-end', '0'], '> 0'),
    (['gdumb', '--optimizer', 'adam'], 'momentum 0.9'), (['gdumb', '--memory-sbatch', '0'], '>= 1'),
    (['bic', '--scenario', 'task'], 'it supports: class'), (['bic', '--scenario', 'class', '--T', '0'], '> 0'),
    (['bic', '--scenario', 'class', '--held-out', '0.9'], '<= 0.5'), (['bic', '--scenario', 'class', '--stage2-lr', '-1'], '> 0'),
    (['wa', '--scenario', 'class', '--buffer', 'reservoir'], 'one of balanced, herding, each'), (['wa', '--scenario', 'domain'], 'class'),
    (['rwalk', '--alpha', '0'], '> 0'), (['rwalk', '--alpha', '1.5'], '<= 1'), (['rwalk', '--delta-t', '0'], '>= 1'),
    (['rwalk', '--eps', '0'], '> 0'), (['rwalk', '--normalise', 'sum'], 'max, none'), (['rwalk', '--lamb', '-1'], '>= 0')]


@pytest.mark.parametrize('options, says', BAD, ids=lambda v: ' '.join(v) if isinstance(v, list) else None)
def test_bad_values_are_refused_in_one_line(options, says, tmp_path, refused):
    assert says in refused(run.main, [*SHORT, '--approach', *options, '--output', tmp_path / 'o.txt'])


@pytest.mark.parametrize('options', [
    ['rwalk', '--normalise', 'none'], ['er', '--buffer', 'greedy'], ['er-ace', '--optimizer', 'adam'],
    ['wa', '--scenario', 'class', '--active-classes', 'all'],
    ['bic', '--scenario', 'class', '--active-classes', 'all']], ids=' '.join)
def test_debug_saves_and_loads_what_they_keep(options, tmp_path, capsys):
    size = [] if options[0] == 'rwalk' else ['--buffer-size', '40']
    run.main([*SHORT, '--approach', *options, *size, '--debug', '--output', str(tmp_path / 'o.txt')])
    printed = capsys.readouterr().out
    assert '2 models saved and loaded' in printed and 'the state saved and loaded' in printed
