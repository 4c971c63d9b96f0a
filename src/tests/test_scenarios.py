"""Scenarios: which logits compete, what the target is, which task is inferred; the same from any point of a run."""
import numpy as np
import pytest
import torch

import run
import discovery
import utils
from approaches import base, joint, lwf, sgd
from learning import calibration, inference, scenario as scenarios
from learning.recipe import Recipe
from networks import layers
from results import records
from runs import commandline
from synthetic import batch_of, goes_on, logits, tasks
from test_methods import batch, net as small

DATA, TASKCLA, SIZE = tasks('hard', 160)  # two tasks of four classes
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=30',
         '--samples', '600']


def net(taskcla=((0, 3), (1, 2), (2, 4)), pdrop=0.):
    """A small network."""
    return small(taskcla, pdrop)


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


def test_the_energy_is_the_log_of_the_sum_of_exponentials():
    z = torch.tensor([[9., 8.9, 8.9], [9.5, -5., -5.]])
    assert torch.allclose(inference.SURE['energy'](z), z.exp().sum(1).log())
    assert inference.SURE['energy'](z).argmax() == 0 and inference.SURE['max-logit'](z).argmax() == 1
    assert tuple(inference.SURE) == commandline.ALL['infer'].choices


def test_a_temperature_has_the_least_cross_entropy_and_is_finite_where_all_is_right():
    g = torch.Generator().manual_seed(0)
    y = torch.randint(3, (200,), generator=g)
    z = 4 * torch.nn.functional.one_hot(y, 3) + 3 * torch.randn(200, 3, generator=g)
    found, n = calibration.temperature(z, y), torch.bincount(y)
    target = torch.full((200, 3), 0.) + 1 / (n[y, None] + 3)
    target[range(200), y] = (n[y] + 1) / (n[y] + 3)
    loss = [torch.nn.functional.cross_entropy(z / t, target).item() for t in (.98 * found, found, 1.02 * found)]
    assert loss[1] < min(loss[0], loss[2]) and 1 < found < 10
    assert calibration.temperature(10 * z, y) == pytest.approx(10 * found, rel=1e-5)  # of float32 logits
    right = 5. * torch.nn.functional.one_hot(y, 3)
    assert .1 < calibration.temperature(right, y) < 2
    assert calibration.temperature(-right, y) == pytest.approx(calibration.MOST)  # as nothing can be learnt of it


def test_a_shift_brings_the_mean_energy_of_a_task_s_validation_data_to_0():
    g = torch.Generator().manual_seed(0)
    z, y = 20 + 5 * torch.randn(50, 4, generator=g), torch.randint(4, (50,), generator=g)
    temperature, shift = calibration.fit(z, y)
    rules = {how: inference.Inferred(how, scenarios.Class([(0, 4)]), True).sure for how in inference.SURE}
    scores = {how: sure(z, temperature, shift) for how, sure in rules.items()}
    assert temperature > 1 and scores['energy'].mean().abs() < 1e-5 and scores['max-logit'].mean() < 0
    assert torch.allclose(scores['max-softmax'], (z / temperature).softmax(1).max(1).values)
    assert all(torch.equal(sure(z), inference.SURE[how](z)) for how, sure in rules.items())


def test_calibrated_scores_choose_once_all_tasks_have_been_learnt():
    taskcla = [(0, 3), (1, 3)]
    appr, (x, y) = Isolated(net(taskcla)), batch()
    appr.table = torch.tensor([[9., 8., 8.], [3., 1., 1.]])
    scenario = inference.Inferred('max-logit', scenarios.Class(taskcla), calibrate=True)
    appr.configure(scenario=scenario, seen=2, task_calibration=[(3., -3.), (2., -1.)])
    assert (scenario.choose(appr, x, 2)[0] == 1).all()  # 9/3 - 3 against 3/2 - 1
    appr.configure(task_calibration=appr.task_calibration[:1])
    assert (scenario.choose(appr, x, 2)[0] == 0).all()
    scenario.learnt(appr, 1, x, torch.zeros_like(y))
    assert len(appr.task_calibration) == 2 and appr.task_calibration[0][0] == 3
    scenario.calibrate = False
    scenario.learnt(appr, 0, x, y)
    assert len(appr.task_calibration) == 2


@pytest.mark.parametrize('approach', ['hat', 'progressive'])
def test_calibrating_changes_nothing_but_which_task_is_inferred(approach, tmp_path, capsys):
    found = []
    for more in ([], ['--calibrate']):
        output = tmp_path / ('o%d.txt' % len(more))
        run.main([*SHORT, '--approach', approach, '--net', 'nhid=20,nlayers=2', '--nepochs', '2', '--scenario', 'class', *more,
                  '--output', str(output)])
        found.append(records.read_record(output))
    plain, calibrated = found
    assert plain['loss'] == calibrated['loss'] and plain['accuracy'][0] == calibrated['accuracy'][0]  # a single task
    assert 'calibration' not in plain and 'calibrate' not in plain['config'] and calibrated['config']['calibrate'] is True
    numbers = calibrated['calibration']
    assert len(numbers['temperature']) == len(numbers['shift']) == 2 and min(numbers['temperature']) > 0
    assert len(set(numbers['temperature'])) == 2 and plain['task_inferred'] != calibrated['task_inferred']


def learner(name, kind):
    """An approach under a scenario, on the synthetic tasks."""
    utils.seed_everything(0)
    module, scenario = discovery.load('approaches', name), kind(TASKCLA)
    isolated = module.Appr.isolated
    network = {'hat': 'mlp_hat', 'progressive': 'mlp_progressive', 'lfl': 'mlp_lfl'}.get(name, 'mlp')
    model = discovery.load('networks', network).Net(SIZE, TASKCLA if isolated else scenario.taskcla(), nhid=60)
    appr = module.Appr(model, nepochs=3, lr=0.1, lr_patience=1)
    appr.configure(scenario=inference.Inferred('energy', scenario, calibrate=True) if isolated else scenario)
    return appr


@pytest.mark.parametrize('name, kind', [
    ('sgd', scenarios.Class), ('lfl', scenarios.Domain), ('lwf', scenarios.Class), ('joint', scenarios.Class),
    ('hat', scenarios.Class),
    ('progressive', scenarios.Domain)])
def test_runs_go_on_bit_for_bit(name, kind, capsys):
    goes_on(lambda: learner(name, kind), DATA, lambda n: (0, 3, 5))  # within the first task, after it, within the second


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
    (['--approach', 'hat', '--calibrate'], '--calibrate: under --scenario task the task is known'),
    (['--approach', 'er', '--scenario', 'domain', '--infer', 'energy', '--calibrate'], '--infer, --calibrate: er has one network'),
    (['--approach', 'hat', '--scenario', 'class', '--calibrate', '--pc-valid', '0'], 'validated on its training set'),
    (['--approach', 'sgd', '--scenario', 'shared'], 'invalid choice'),
    (['--approach', 'random', '--forward-transfer'], 'no labels'), (['--approach', 'pathnet', '--forward-transfer'], 'no path'),
    (['--approach', 'pathnet', '--no-patience'], 'patience of its own'), (['--approach', 'pathnet', '--momentum', '.5'], 'tournament'), (['--approach', 'random', '--weight-decay', '.1'], 'trains nothing'),
    (['--approach', 'sgd', '--optimizer', 'adam', '--momentum', '.9'], 'Adam has its own'),
    (['--approach', 'sgd', '--momentum', '1'], '--momentum must be'), (['--approach', 'sgd', '--net', 'nhidd=3'], "no nhidd (perhaps nhid)"),
    (['--approach', 'sgd', '--net', 'nhid'], 'expected name=value'), (['--approach', 'sgd', '--net', 'nhid=0'], 'nhid must be a whole number >= 1'),
    (['--approach', 'sgd', '--net', 'pdrop=1'], 'pdrop must be'), (['--approach', 'sgd', '--network', 'mlpp'], 'perhaps mlp'),
    (['--approach', 'sgd', '--net', 'nhid=3,nhid=4'], 'given twice')])
def test_what_does_not_go_together_is_refused_in_one_line(argv, says, tmp_path, refused):
    assert says in refused(run.main, [*SHORT, *argv, '--output', tmp_path / 'o.txt'])
    assert not list(tmp_path.iterdir())


def test_an_approach_that_does_not_say_so_knows_told_tasks_only(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(sgd.Appr, 'scenarios', ('task',))
    assert 'sgd does not support it (its class says what it does' in refused(run.main, [*SHORT, '--approach', 'sgd', '--scenario', 'class', '--output', tmp_path / 'o.txt'])


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


@pytest.mark.parametrize('options, where', [
    (['--approach', 'hat', '--scenario', 'class'], 'learn'),
    (['--approach', 'hat', '--scenario', 'class'], 'end'),
    (['--approach', 'sgd', '--scenario', 'domain'], 'learn'),
    (['--approach', 'ewc', '--scenario', 'class', '--active-classes', 'all'], 'end')])
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


@pytest.mark.parametrize('approach', ['sgd', 'hat', 'lfl', 'pathnet', 'progressive'])
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
