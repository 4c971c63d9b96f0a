"""HAT's options, HAT under Adam and AdaHAT as public code computes them on tiny inputs (methods2.json)."""

import numpy as np
import pytest
import torch
from torch import nn

from approaches import adahat, gates, hat
from learning.recipe import Recipe
from published import cases, near, tensor
from synthetic import batch_of

RULES = {'adahat': (adahat.Appr, {}), 'adahat_no_sum': (adahat.Appr, {'count': 'all'}),
         'adahat_no_reg': (adahat.Appr, {'sparsity': 'off'}), 'hat': (hat.Appr, {'binary': 'on'}),
         'hat_const_alpha': (hat.Appr, {'binary': 'on', 'used': None})}


class Net(nn.Module):
    """Two gated layers and a head per task: h = m relu(W h' + b)."""

    NAMES = {'fc1.weight': 'W1', 'fc1.bias': 'b1', 'fc2.weight': 'W2', 'fc2.bias': 'b2', 'last.1.weight': 'W3', 'last.1.bias': 'b3'}

    def __init__(self, inputs, units, classes, tasks=2):
        super().__init__()
        self.taskcla = [(t, classes) for t in range(tasks)]
        self.fc1, self.fc2 = nn.Linear(inputs, units[0]), nn.Linear(units[0], units[1])
        self.last = nn.ModuleList(nn.Linear(units[1], classes) for _ in range(tasks))
        self.e1, self.e2 = nn.Embedding(tasks, units[0]), nn.Embedding(tasks, units[1])
        self.double()

    def embeddings(self):
        return [self.e1.weight, self.e2.weight]

    def mask(self, t, s=1):
        return [torch.sigmoid(s * e[t]) for e in self.embeddings()]

    def forward(self, t, x, s=1):
        m1, m2 = masks = self.mask(t, s)
        h = m2 * torch.relu(self.fc2(m1 * torch.relu(self.fc1(x))))
        return [head(h) for head in self.last], masks

    def get_view_for(self, n, masks):
        m1, m2 = (m.flatten() for m in masks)
        views = {'fc1.weight': m1[:, None], 'fc1.bias': m1, 'fc2.weight': torch.min(m2[:, None], m1), 'fc2.bias': m2}
        return views.get(n)

    def set(self, values):
        """Gives weights the values of a case."""
        with torch.no_grad():
            for n, p in self.named_parameters():
                if self.NAMES.get(n) in values:
                    p.copy_(tensor(values[self.NAMES[n]]))


def layered(masks):
    """Masks of a case, one list per layer, as [1, units]."""
    return [tensor(m)[None] for m in masks]


def adaptive(case, rule):
    """(an approach that has learnt a case's earlier tasks, a batch of the present one) under a rule."""
    inputs, (kind, values) = case['inputs'], RULES[rule]
    values = {k: str(inputs['const_alpha']) if v is None else v for k, v in values.items()}
    if kind is adahat.Appr:
        values.update(alpha=inputs['adjustment_intensity'], eps=inputs['epsilon'])
    earlier = [torch.stack([tensor(task[k]) for task in inputs['masks_of_earlier_tasks']]) for k in range(2)]
    net = Net(len(inputs['grads']['W1'][0]), [m.shape[1] for m in earlier], 2, inputs['task_id'])
    appr = kind(net, lamb=inputs['reg_factor'], **values)
    appr.mask_pre = [m.max(0, keepdim=True).values for m in earlier]
    appr.counts = [m.sum(0, keepdim=True) for m in earlier]
    batch = batch_of(inputs['task_id'] - 1, torch.zeros(1, net.fc1.in_features).double())
    batch.gates = layered(inputs['mask'])
    for e in net.embeddings():
        e.grad = torch.zeros_like(e)
    return appr, batch


@cases('adahat', *((rule,) for rule in RULES))
def test_what_is_used_moves_at_the_rule_s_rate(case, value):
    appr, batch = adaptive(case, value)
    names, wanted = {v: k for k, v in Net.NAMES.items()}, case['outputs']['clarena'][value]
    params = appr.params()
    for n in ('W1', 'b1', 'W2', 'b2'):
        params[names[n]].grad = torch.ones_like(params[names[n]])
    appr.after_backward(batch)
    rates = {n: params[names[n]].grad for n in ('W1', 'b1', 'W2', 'b2')}
    for n, rate in wanted['rates'].items():
        assert near(rates[n], np.broadcast_to(rate, rates[n].shape), case)
    means = [r.mean().item() for r in rates.values()]
    total = sum(r.sum().item() for r in rates.values()) / sum(r.numel() for r in rates.values())
    assert near(np.mean(means) if value == 'adahat_no_sum' else total, wanted['capacity'], case)
    for n in wanted.get('gradients', ()):
        params[names[n]].grad = tensor(case['inputs']['grads'][n])
    appr.after_backward(batch)
    for n, gradient in wanted.get('gradients', {}).items():
        assert near(params[names[n]].grad, gradient, case)


@cases('adahat')
def test_the_regulariser_counts_from_ten_free_units_on(case):
    appr, batch = adaptive(case, 'adahat')
    free = [1 - m for m in appr.mask_pre]
    attended = [(m * f).sum() for m, f in zip(batch.gates, free)]
    wanted = case['outputs']['clarena']
    assert near(appr.lamb * appr.share(sum(attended), sum(f.sum() for f in free)), wanted['reg'], case)
    assert near([appr.share(a, f.sum()).item() for a, f in zip(attended, free)], wanted['sparsity_by_layer'], case)


@cases('adahat')
def test_a_task_s_capacity_is_the_mean_rate_under_its_own_mask(case):
    appr, batch = adaptive(case, 'adahat')
    t = batch.task
    with torch.no_grad():
        for e, m in zip(appr.model.embeddings(), batch.gates):
            e[t] = m[0] - .5
    before = [c.clone() for c in appr.counts]
    appr.end_task(t, None, None)
    kept = [(m > .5).double() for m in batch.gates]
    rates = [rate.expand_as(p) for p, rate in adaptive(case, 'adahat')[0].rates(t, kept)]
    assert near(appr.capacity[-1], torch.cat([r.flatten() for r in rates]).mean().item(), case)
    for c, b, m in zip(appr.counts, before, kept):
        assert torch.equal(c, b + m)
    assert all(torch.equal(m, (c > 0).double()) for m, c in zip(appr.mask_pre, appr.counts))


@cases('hat_schedule')
def test_steepness_compensation_and_locks(case):
    inputs, wanted, smax = case['inputs'], case['outputs']['hatcl'], case['inputs']['smax']
    e, grad = tensor(inputs['embedding']), tensor(inputs['grad'])
    scales = [gates.steepness('linear', smax, p) for p in inputs['progress']]
    assert near(scales, wanted['scale']['linear'], case)
    for s, gradient in zip(scales, wanted['compensated_gradient']):
        assert near(grad * gates.compensation(e, s, 100), gradient, case)
    units = len(e)
    net = Net(1, [units, units], 2)
    appr = hat.Appr(net, smax=smax, binary='on')
    with torch.no_grad():
        for layer in net.embeddings():
            layer[0] = tensor(inputs['old_embedding'])
    appr.end_task(0, None, None)
    assert [m.flatten().tolist() for m in appr.mask_pre] == [list(map(float, wanted['locked']))] * 2
    free = 1 - appr.mask_pre[0]
    found = [appr.share((torch.sigmoid(s * e) * free).sum(), free.sum()) for s in scales]
    assert near(torch.stack(found), wanted['reg_without_quota'], case)


@pytest.mark.parametrize('smax', [2., 50., 400.])
@pytest.mark.parametrize('anneal', ['linear', 'cosine', 'exponential'])
def test_every_anneal_rises_from_the_least_to_the_largest_steepness(anneal, smax):
    found = [gates.steepness(anneal, smax, p) for p in np.linspace(0, 1, 41)]
    assert found[0] == pytest.approx(1 / smax) and found[-1] == pytest.approx(smax) and found == sorted(found)
    middle = {'linear': (smax + 1 / smax) / 2, 'cosine': (smax + 1 / smax) / 2, 'exponential': 1}[anneal]
    quarter = {'linear': smax / 4 + .75 / smax, 'cosine': 1 / smax + (smax - 1 / smax) * (1 - .5 ** .5) / 2, 'exponential': smax ** -.5}
    assert (found[20], found[10]) == pytest.approx((middle, quarter[anneal]))


def learner(case, **values):
    """HAT with Adam on the network of a case: task 0's embeddings are the old ones, task 1's the new ones."""
    inputs = case['inputs']
    units = [len(row) for row in inputs['embeddings_old']]
    net = Net(len(inputs['net']['W1'][0]), units, len(inputs['net']['b3']))
    net.set(inputs['net'])
    with torch.no_grad():
        for e, old, new in zip(net.embeddings(), inputs['embeddings_old'], inputs['embeddings_new']):
            e.copy_(tensor([old, new]))
    appr = hat.Appr(net, lr=inputs['lr'], smax=inputs['smax'], **values)
    appr.configure(recipe=Recipe('adam'))
    appr.optimizer = appr._get_optimizer(inputs['lr'])
    return appr


def new_task(appr, case):
    """The steps of a case on its new task."""
    x, y, size = tensor(case['inputs']['x']), torch.tensor(case['inputs']['y']), case['inputs']['batch']
    appr.model.train()
    for k, scale in zip(range(0, len(y), size), case['inputs']['scales']):
        appr.configure(progress=k / len(y), seen=2)
        assert appr.s == pytest.approx(scale)
        appr.step(batch_of(1, x[k:k + size], y[k:k + size]))


def weights(net):
    """{name in the cases: value}."""
    out = {Net.NAMES[n]: p.detach().clone() for n, p in net.named_parameters() if n in Net.NAMES}
    return {**out, **{'e%d' % (k + 1): e.detach()[1].clone() for k, e in enumerate(net.embeddings())}}


@cases('hat_adam')
def test_two_steps_of_adam_with_binary_locks(case):
    appr = learner(case, lamb=0, binary='on')
    appr.end_task(0, None, None)
    before, old = weights(appr.model), [e.detach()[0].clone() for e in appr.model.embeddings()]
    new_task(appr, case)
    after, wanted = weights(appr.model), case['outputs']['hatcl']
    for n, value in wanted['fresh_adam'].items():
        assert near(after[n], value, case)
    for n, locked in wanted['locked'].items():
        locked = torch.tensor(locked).bool()
        assert locked.any() and torch.equal(after[n][locked], before[n][locked]), n
    assert all(torch.equal(e.detach()[0], o) for e, o in zip(appr.model.embeddings(), old))


@cases('hat_adam')
def test_what_adam_remembers_of_an_earlier_task_does_not_move_what_is_locked(case):
    """Where masking the gradient alone does: kept_adam."""
    inputs, wanted = case['inputs'], case['outputs']['hatcl']
    assert not wanted['kept_adam_locked_weights_unchanged']
    appr = learner(case, lamb=0, binary='on')
    appr.model.train()
    appr.configure(progress=0., seen=2)
    batch = batch_of(1, tensor(inputs['x_old']), torch.tensor(inputs['y_old']))
    with torch.no_grad():  # the same head, under the old task's gates
        for e in appr.model.embeddings():
            e.copy_(e.flip(0))
    appr.step(batch)
    with torch.no_grad():
        for e in appr.model.embeddings():
            appr.optimizer.state[e].clear()
            e.copy_(e.flip(0))
    before = weights(appr.model)
    for n, value in wanted['kept_adam_after_old_step'].items():
        if n[0] != 'e':
            assert near(before[n], value, case)
    appr.end_task(0, None, None)
    new_task(appr, case)
    locks = [m.flatten().bool() for m in appr.mask_pre]
    after, moved = weights(appr.model), 0
    for n, lock in (('W1', locks[0]), ('b1', locks[0]), ('b2', locks[1]), ('W2', locks[1][:, None] & locks[0])):
        assert torch.equal(after[n][lock], before[n][lock]), n
        moved += (tensor(wanted['kept_adam'][n]) - tensor(wanted['kept_adam_after_old_step'][n]))[lock].abs().sum()
    assert moved > 0


@cases('hat_adam')
def test_soft_masks_brake_adam_by_as_much_as_they_say(case):
    """Where masking the gradient alone does not: ucl."""
    appr, lr = learner(case, lamb=case['inputs']['lamb']), case['inputs']['lr']
    appr.end_task(0, None, None)
    for m, old in zip(appr.mask_pre, case['outputs']['ucl']['old_mask']):
        assert near(m[0], old, case)
    before = weights(appr.model)
    new_task(appr, case)
    after, theirs, beyond = weights(appr.model), case['outputs']['ucl']['after_two_adam_steps'], []
    for n, p, view in gates.views(appr.model, appr.mask_pre):
        name, most = Net.NAMES[n], 2.001 * lr * (1 - view).expand_as(p)  # a step of Adam is lr at most, the first two
        assert ((after[name] - before[name]).abs() <= most).all()
        beyond.append(((tensor(theirs[name]) - before[name]).abs() > 1.5 * most).any())
    assert any(beyond)
