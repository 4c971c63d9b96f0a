"""Scenarios: which logits compete, what the target is, which task is inferred; the same from any point of a run."""
import io

import numpy as np
import pytest
import torch

import run
import utils
from approaches import base, joint, lwf, sgd
from learning import inference, scenario as scenarios
from learning.recipe import Recipe
from networks import layers, mlp
from results import records
from runs import checkpoint
from synthetic import batch_of, learn, logits, progress, tasks

DATA, TASKCLA, SIZE = tasks('hard')  # two tasks of four classes
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu']


def net(taskcla=((0, 3), (1, 2), (2, 4)), pdrop=0.):
    """A small network."""
    utils.seed_everything(0)
    return mlp.Net([1, 4, 4], list(taskcla), 1, 16, pdrop)


def batch(n=24, ncla=2):
    """Images and labels."""
    g = torch.Generator().manual_seed(1)
    return torch.randn(n, 1, 4, 4, generator=g), torch.randint(ncla, (n,), generator=g)


def test_task_is_the_default_and_its_own_head_alone_counts():
    appr, (x, y) = sgd.Appr(net()), batch()
    found = appr.compete(batch_of(1, x, y))
    assert torch.equal(found[0], appr.model(x)[1]) and found[1] is y


@pytest.mark.parametrize('active, width', [('all-so-far', 5), ('all', 9), ('current', 2)])
def test_class_joins_the_heads_in_training_as_asked_and_of_all_tasks_so_far_at_test(active, width):
    appr, (x, y) = sgd.Appr(net()), batch()
    appr.configure(scenario=scenarios.Class(appr.model.taskcla, active), seen=2)
    appr.model.train()
    (z, targets), shift = appr.compete(batch_of(1, x, y)), 0 if active == 'current' else 3
    assert z.shape[1] == width and torch.equal(z[:, shift:shift + 2], appr.model(x)[1])
    assert torch.equal(targets, y + shift)
    appr.model.eval()
    everything = torch.cat(appr.model(x), 1)
    assert torch.equal(logits(appr, 0, x), everything[:, :5]) and torch.equal(appr.compete(batch_of(1, x, y))[1], y + 3)
    told = everything[:, :5].argmax(1) == y + 3
    assert appr.eval(1, x, y)[1] == pytest.approx(told.float().mean().item())
    assert appr.eval(1, x, y)[0] == pytest.approx(torch.nn.functional.cross_entropy(everything[:, :5], y + 3).item(), rel=1e-5)
    appr.configure(seen=3)
    assert logits(appr, 0, x).shape[1] == 9


def test_domain_has_one_head_and_needs_as_many_classes_everywhere():
    scenario = scenarios.Domain([(0, 2), (1, 2)])
    appr, (x, y) = sgd.Appr(net(scenario.taskcla())), batch()
    appr.configure(scenario=scenario)
    assert len(appr.model.heads()) == 1
    for t in (0, 1):
        found = appr.compete(batch_of(t, x, y))
        assert torch.equal(found[0], appr.model(x)[0]) and found[1] is y
    with pytest.raises(utils.UserError, match='the same number of classes; they have 2, 3'):
        scenarios.Domain([(0, 2), (1, 3)])


@pytest.mark.parametrize('kind', [scenarios.Task, lambda c: scenarios.Class(c, 'current'), scenarios.Class, scenarios.Domain])
@pytest.mark.parametrize('equal', [True, False])
def test_samples_of_several_tasks_are_each_what_they_are_alone(kind, equal):
    taskcla = [(0, 2), (1, 2), (2, 2)] if equal else [(0, 2), (1, 3), (2, 4)]
    if kind is scenarios.Domain and not equal:
        return
    appr, (x, y), t = joint.Appr(net(taskcla)), batch(), torch.arange(24) % 3
    appr.configure(scenario=kind(taskcla), seen=3)
    if kind is scenarios.Domain:
        appr.model = net(appr.scenario.taskcla())
    appr.model.train()
    together = batch_of(t, x, y)
    alone = [batch_of(u, x[t == u], y[t == u]) for u in range(3)]
    loss, losses = appr.loss(together), [appr.loss(b) for b in alone]
    hits = [int((b.logits.argmax(1) == b.targets).sum()) for b in (together, *alone)]
    assert loss.item() == pytest.approx(sum(a.item() for a in losses) / 3, rel=1e-5) and hits[0] == sum(hits[1:])


def test_distillation_gives_classes_the_old_model_did_not_know_no_share():
    appr, (x, y) = lwf.Appr(net()), batch()
    appr.configure(scenario=scenarios.Class(appr.model.taskcla), seen=2)
    appr.model.train()
    appr.end_task(0, x, y)
    with torch.no_grad():
        for p in appr.model.parameters():
            p.add_(0.1)
    loss = appr.loss(batch_of(1, x, y))
    student, teacher = torch.cat(appr.model(x)[:2], 1), torch.softmax(appr.model_old(x)[0], 1)
    share = torch.softmax(student, 1) + 1e-5 / 5
    share = share / share.sum(1, keepdim=True)
    distilled = -(teacher * share.log()[:, :3]).sum(1).mean()
    expected = torch.nn.functional.cross_entropy(student, y + 3) + 2 * distilled
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize('active, classes', [('all-so-far', [0, 1, 2, 3, 4]), ('all', range(9)), ('current', [0])])
def test_what_takes_after_the_old_outputs_is_what_competes_with_them(active, classes):
    taskcla = [(0, 1), (1, 4), (2, 4)]  # in task 1 more classes than before it
    appr, (x, _) = lwf.Appr(net(taskcla)), batch()
    scenario = scenarios.Class(taskcla, active)
    outputs = appr.model.train()(x)
    (earlier, new), = scenario.students(1, outputs, 2, True)
    assert earlier == range(3 if active == 'all' else 1) and torch.equal(new, torch.cat(outputs, 1)[:, list(classes)])


class Isolated(base.Appr):
    """Has an outcome of its own for every task."""

    isolated, scenarios = True, ('task', 'class', 'domain')

    def outputs(self, batch):
        return [row.expand(len(batch), -1) for row in self.table]


@pytest.mark.parametrize('how, task', [('max-logit', 0), ('max-softmax', 1), ('min-entropy', 1)])
@pytest.mark.parametrize('kind', [scenarios.Class, scenarios.Domain])
def test_the_task_is_inferred_by_the_surest_head(how, task, kind):
    taskcla = [(0, 3), (1, 3), (2, 3)]
    appr, (x, y) = Isolated(net(taskcla)), batch()
    appr.table = torch.tensor([[9., 8.5, 8.4], [1., -5., -5.], [20., 1., 1.]])
    appr.configure(scenario=inference.Inferred(how, kind(taskcla)), seen=2)
    for t, label in ((0, 0), (0, 1), (1, 0)):
        accuracy = appr.eval(t, x, torch.full_like(y, label))[1]
        assert accuracy == float(label == 0 and (t == task or kind is scenarios.Domain)) and appr.scenario.right == float(t == task)
    appr.at['task'] = 1  # within training, the task is known
    assert appr.eval(1 - task, x, torch.zeros_like(y))[1] == 1


def learner(name, kind):
    """An approach under a scenario, on the synthetic tasks."""
    utils.seed_everything(0)
    module, scenario = utils.load('approaches', name), kind(TASKCLA)
    isolated = module.Appr.isolated
    network = {'hat': 'mlp_hat', 'progressive': 'mlp_progressive', 'lfl': 'mlp_lfl'}.get(name, 'mlp')
    model = utils.load('networks', network).Net(SIZE, TASKCLA if isolated else scenario.taskcla(), nhid=60)
    appr = module.Appr(model, nepochs=3, lr=0.1, lr_patience=1)
    appr.configure(scenario=inference.Inferred('max-logit', scenario) if isolated else scenario)
    return appr


@pytest.mark.parametrize('kind', [scenarios.Class, scenarios.Domain])
@pytest.mark.parametrize('name', ['sgd', 'ewc', 'imm-mode', 'lwf', 'lfl', 'joint', 'hat', 'progressive'])
def test_runs_go_on_bit_for_bit(name, kind, capsys, tmp_path):
    saved, states, accs, appr = checkpoint.Checkpoint(tmp_path / 'o.txt', {}), [], [], learner(name, kind)

    def note():
        saved.take(appr, progress(len(accs), 2))
        f = io.BytesIO()
        torch.save(saved.pending, f)
        states.append(f)
    appr.fitting.on_epoch = note
    learn(appr, DATA, 0, accs, note)
    weights = utils.get_model(appr.model)
    for k in (0, 3, 5):  # within the first task, after it, within the second
        states[k].seek(0)
        other, again = learner(name, kind), []
        torch.rand(3), np.random.rand(3)
        done = checkpoint.Checkpoint('o.txt', {}).restore(torch.load(states[k], weights_only=True), other, 2)['done']
        other.configure(seen=done)
        learn(other, DATA, done, again)
        assert again == accs[done:] and all(torch.equal(w, weights[n]) for n, w in utils.get_model(other.model).items())


@pytest.mark.parametrize('scenario', ['class', 'domain'])
def test_the_command_line_names_the_scenario_in_result_and_record(scenario, tmp_path, capsys, monkeypatch):
    output = tmp_path / 'o.txt'
    acc = run.main([*SHORT, '--approach', 'hat', '--scenario', scenario, '--infer', 'min-entropy', '--output', str(output)])
    record = records.read_record(output)
    assert record['scenario'] == record['config']['scenario'] == scenario and record['config']['infer'] == 'min-entropy'
    inferred = np.array(record['task_inferred'])
    assert inferred[0, 0] == 1 and 0 <= inferred.min() and (scenario == 'domain' or (acc[1] <= inferred[1] + 1e-6).all())
    assert 'task right=' in capsys.readouterr().out


@pytest.mark.parametrize('argv, says', [
    (['--approach', 'sgd', '--active-classes', 'all'], '--active-classes is for --scenario class'),
    (['--approach', 'hat', '--scenario', 'class', '--active-classes', 'all'], 'infers the task'),
    (['--approach', 'sgd', '--scenario', 'class', '--infer', 'max-logit'], 'infers no task'),
    (['--approach', 'hat', '--infer', 'max-logit'], 'the task is known'),
    (['--approach', 'sgd', '--scenario', 'shared'], 'invalid choice'),
    (['--approach', 'random', '--forward-transfer'], 'no labels'), (['--approach', 'pathnet', '--forward-transfer'], 'no path'),
    (['--approach', 'pathnet', '--no-patience'], 'patience of its own'), (['--approach', 'pathnet', '--momentum', '.5'], 'tournament'), (['--approach', 'random', '--weight-decay', '.1'], 'trains nothing'),
    (['--approach', 'sgd', '--optimizer', 'adam', '--momentum', '.9'], 'Adam has its own'),
    (['--approach', 'sgd', '--momentum', '1'], 'momentum must be'), (['--approach', 'sgd', '--net', 'nhidd=3'], "no nhidd (perhaps nhid)"),
    (['--approach', 'sgd', '--net', 'nhid'], 'expected name=value'), (['--approach', 'sgd', '--net', 'nhid=0'], 'nhid must be a whole number >= 1'),
    (['--approach', 'sgd', '--net', 'pdrop=1'], 'pdrop must be'), (['--approach', 'sgd', '--network', 'mlpp'], 'perhaps mlp'),
    (['--approach', 'sgd', '--net', 'nhid=3,nhid=4'], 'given twice')])
def test_what_does_not_go_together_is_refused_in_one_line(argv, says, tmp_path, refused):
    assert says in refused(run.main, [*SHORT, *argv, '--output', tmp_path / 'o.txt'])
    assert not list(tmp_path.iterdir())


def test_an_approach_that_does_not_say_so_knows_told_tasks_only(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(sgd.Appr, 'scenarios', ('task',))
    assert 'the class of sgd does not say' in refused(run.main, [*SHORT, '--approach', 'sgd', '--scenario', 'class', '--output', tmp_path / 'o.txt'])


@pytest.mark.parametrize('options', [{'momentum': .9}, {'optimizer': 'adam', 'weight_decay': .01}])
def test_weights_descend_as_torch_s_optimizers_do_and_what_they_remember_can_be_kept(options):
    def trained(keep):
        torch.manual_seed(0)
        appr = sgd.Appr(net(pdrop=0.), nepochs=2, lr=.01, sbatch=24, clipgrad=.1)
        appr.configure(recipe=Recipe(**options, patience=False, keep=keep))
        appr.optimizer = appr._get_optimizer(.01)
        return appr
    x, y = batch()
    for keep in (False, True):
        appr, plain = trained(keep), net(pdrop=0.)
        make = (lambda: torch.optim.Adam(plain.parameters(), lr=.01, weight_decay=.01)) if 'optimizer' in options else (
            lambda: torch.optim.SGD(plain.parameters(), lr=.01, momentum=.9))
        optimizer = make()
        for t in (1, 1):
            appr.train(t, x, y, x, y)
            optimizer = optimizer if keep else make()
            for _ in range(2):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(plain(x)[t], y).backward()
                assert torch.nn.utils.clip_grad_norm_(plain.parameters(), .1) > .1
                optimizer.step()
        for p, q in zip(appr.model.parameters(), plain.parameters()):
            assert torch.allclose(p, q, atol=1e-5)


def test_without_patience_the_last_weights_stay(capsys):
    class Seen(base.Appr):
        def end_epoch(self, t, e, train, valid):
            self.last = utils.get_model(self.model)
    x, y = batch()
    appr = Seen(net(), nepochs=4, lr=3., lr_min=1., lr_patience=1)
    appr.recipe.patience = False
    appr.train(1, x, y, x, y)
    assert appr.fitting.numbers['epoch'] == 4 and all(torch.equal(w, appr.last[n]) for n, w in utils.get_model(appr.model).items())
    assert appr.optimizer.param_groups[0]['lr'] == 3.


def test_an_optimizer_that_is_kept_goes_on_exactly_after_a_stop(tmp_path, capsys, monkeypatch):
    from runs import sequence
    command = [*SHORT, '--approach', 'sgd', '--momentum', '.9', '--lr', '.01', '--keep-optimizer', '--no-patience', '--nepochs', '2',
               '--checkpoint-every', '0', '--keep-checkpoint', '--output']
    whole = run.main([*command, str(tmp_path / 'a.txt')])
    learn, calls = sequence.Sequence.learn, []

    def stop(self, t):
        if t == 1 and not calls:
            calls.append(t)
            raise sequence.Stop(15)
        learn(self, t)
    monkeypatch.setattr(sequence.Sequence, 'learn', stop)
    with pytest.raises(SystemExit):
        run.main([*command, str(tmp_path / 'b.txt')])
    assert (run.main([*command, str(tmp_path / 'b.txt'), '--resume']) == whole).all()
    a, b = (torch.load(checkpoint.folder(tmp_path / f) / 'checkpoint.pt', weights_only=True)['model'] for f in ('a.txt', 'b.txt'))
    assert all(torch.equal(w, b[n]) for n, w in a.items())
    for f in ('a.txt', 'b.txt'):
        (checkpoint.folder(tmp_path / f) / 'checkpoint.pt').unlink()


@pytest.mark.parametrize('options', [['--approach', 'hat', '--scenario', 'class'], ['--approach', 'sgd', '--scenario', 'domain'],
                                     ['--approach', 'ewc', '--scenario', 'class', '--active-classes', 'all']])
@pytest.mark.parametrize('where', ['learn', 'end'])
def test_a_stopped_run_ends_with_the_same_record(options, where, tmp_path, capsys, monkeypatch):
    from runs import keeping, sequence
    command = [*SHORT, *options, '--forward-transfer', '--final-valid', '--checkpoint-every', '0', '--output']
    run.main([*command, str(tmp_path / 'a.txt')])
    owner, calls = sequence.Sequence if where == 'learn' else keeping.Validation, []
    work = getattr(owner, where)

    def stop(self, *t):
        if t != (0,) and not calls:
            calls.append(t)
            raise sequence.Stop(15)
        work(self, *t)
    monkeypatch.setattr(owner, where, stop)
    with pytest.raises(SystemExit):
        run.main([*command, str(tmp_path / 'b.txt')])
    run.main([*command, str(tmp_path / 'b.txt'), '--resume'])
    a, b = (records.read_record(tmp_path / f) for f in ('a.txt', 'b.txt'))
    for k in ('accuracy', 'loss', 'task_inferred', 'untrained', 'before_learning', 'forward_transfer', 'valid_accuracy'):
        assert a.get(k) == b.get(k), k
    assert b['resumed'] and ('task_inferred' in b) == ('hat' in options)


class Users(layers.Plain):
    """A network as a user declares it."""

    def __init__(self, inputsize, taskcla, width=20, pdrop=0.1):
        super().__init__([layers.Layer('conv1', 4, pdrop, 3), layers.Layer('fc1', width, pdrop)], inputsize, taskcla)


@pytest.mark.parametrize('approach', ['sgd', 'hat', 'hat-test', 'lfl', 'pathnet', 'progressive'])
def test_variants_follow_from_the_layers_of_one_file(approach, tmp_path, monkeypatch, capsys):
    (tmp_path / 'networks').mkdir()
    (tmp_path / 'networks' / 'users.py').write_text('import test_scenarios\n\n\nclass Net(test_scenarios.Users):\n    pass\n')
    import networks
    monkeypatch.setattr(networks, '__path__', [*networks.__path__, str(tmp_path / 'networks')])
    output = tmp_path / 'o.txt'
    acc = run.main([*SHORT, '--approach', approach, '--network', 'users', '--net', 'width=30', '--output', str(output)])
    record = records.read_record(output)
    assert record['net'] == {'width': 30, 'pdrop': .1} and record['config']['network'].startswith('users') and acc[1, 1] > .05


def test_a_network_with_a_way_of_its_own_has_no_variants(monkeypatch):
    from networks import variants

    class Own(Users):
        def hidden(self, x):
            return super().hidden(x) * 2
    with pytest.raises(utils.UserError, match='its variant test_scenarios_hat does not follow'):
        variants.of(Own, '_hat')
    with pytest.raises(utils.UserError, match='square ones of 4 pixels or more'):
        Users([1, 3, 3], [(0, 2)])
    assert Users([1, 4, 4], [(0, 2)])(torch.zeros(1, 1, 4, 4))[0].shape == (1, 2)
    with pytest.raises(utils.UserError, match='of 30 x 20: this network takes square ones'):
        Users([1, 30, 20], [(0, 2)])
