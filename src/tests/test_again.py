"""Classes that come again: the streams that have such, and what each part of a run makes of them."""
from collections import Counter

import numpy as np
import pytest
import torch

import evaluate
import predict
import run
import utils
from approaches import icarl, joint
from dataloaders import dealing
from learning import inference, scenario as scenarios
from learning.buffer import Buffer
from learning.policies import KINDS
from results import records
from runs import build, checkpoint, options, saved
from synthetic import batch_of
from test_saved import check, tidy  # noqa: F401 a fixture
from test_scenarios import Isolated, net

REPEAT = ['--experiment', 'repeat:tiny:4:3', '--scenario', 'class']
TINY = ['--nepochs', '2', '--sbatch', '20', '--device', 'cpu', '--network', 'mlp', '--net', 'nhid=20,nlayers=1,pdrop=0']
MORE = {'gdumb': ['--passes', '4'], 'packnet': ['--retrain', '1'], 'hat': ['--net', 'nhid=20,nlayers=1']}


@pytest.fixture
def folder(tmp_path):
    """A folder with a raw data set of six classes that are easily told apart, 40 training and 15 test images each."""
    rs = np.random.RandomState(0)
    prototypes, arrays = rs.randint(0, 256, (6, 8, 8)), {}
    for s, n in (('train', 240), ('test', 90)):
        y = np.arange(n) % 6
        arrays['x_' + s] = np.clip(.6 * prototypes[y] + rs.randint(0, 100, (n, 8, 8)), 0, 255).astype(np.uint8)
        arrays['y_' + s] = y
    np.savez(tmp_path / 'tiny.npz', **arrays, class_names=np.array(list('abcdef')))
    return tmp_path


def load(folder, *argv):
    """data and the classes of each task of a command line."""
    args, _ = options.parse(['--approach', 'sgd', '--data-dir', str(folder), *argv])
    data, taskcla, _ = build.load_data(build.experiment(args.experiment, args.data_dir), args)
    assert [n for _, n in taskcla] == [len(data[t]['classes']) for t, _ in taskcla]
    return data, [list(data[t]['classes']) for t, _ in taskcla]


def learnt(folder, approach, *argv):
    """(the accuracy matrix, the path of the result) of a short run on the folder's data."""
    output = folder / (approach + '.txt')
    acc = run.main([*TINY, *argv, '--approach', approach, *MORE.get(approach, []), '--data-dir', str(folder), '--output', str(output)])
    return acc, output


def rows(data, s):
    """[rows of the raw set] of a split of all tasks."""
    return [data[t][s].rows.tolist() for t in range(len([t for t in data if isinstance(t, int)]))]


def numbers(data, t, s):
    """The raw set's classes of a task's images."""
    return np.array(data[t]['classes'])[data[t][s]['y'].numpy()]


@pytest.mark.parametrize('experiment', ['repeat:tiny:4:3', 'instances:tiny:3', 'blurry:tiny:3:20'])
def test_no_image_is_in_two_tasks_and_all_are_in_one_and_keep_their_class(experiment, folder):
    data, classes = load(folder, '--experiment', experiment)
    for s, n in (('train', 240), ('test', 90)):
        parts = [sum(both, []) for both in zip(rows(data, s), rows(data, 'valid'))] if s == 'train' else rows(data, s)
        assert sorted(sum(parts, [])) == list(range(n))
        for t, mine in enumerate(rows(data, s)):
            assert (numbers(data, t, s) == np.array(mine) % 6).all()
    turned, _ = load(folder, '--experiment', experiment, '--tasks', '1,0')
    assert rows(turned, 'train') == [rows(data, 'train')[1], rows(data, 'train')[0]]
    assert rows(load(folder, '--experiment', experiment, '--seed', '1')[0], 'train') != rows(data, 'train')
    assert [data[t]['class_names'] for t in range(len(classes))] == [['abcdef'[c] for c in mine] for mine in classes]


@pytest.mark.parametrize('ntasks, each', [(4, 3), (2, 3), (6, 1), (3, 6), (1, 2)])
def test_repeat_has_every_class_where_there_are_places(ntasks, each, folder):
    found = set()
    for seed in range(6):
        data, classes = load(folder, '--experiment', 'repeat:tiny:%d:%d' % (ntasks, each), '--seed', str(seed))
        assert [len(set(mine)) for mine in classes] == [each] * ntasks
        assert len(set(sum(classes, []))) == 6 if ntasks * each >= 6 else 'classes of tiny are in no task' in data['note']
        found.add(str(classes))
    assert len(found) > 1 or each == 6


def test_a_class_is_dealt_out_as_equally_as_can_be():
    hands = dealing.dealt(np.arange(60) % 6, [[0, 1], [1, 2], [1, 5], [1]], 0)
    assert [Counter((hand % 6).tolist())[1] for hand in hands] in ([3, 3, 2, 2], [3, 2, 3, 2], [3, 2, 2, 3], [2, 3, 3, 2], [2, 3, 2, 3], [2, 2, 3, 3])
    assert Counter((hands[0] % 6).tolist())[0] == 10 and not any((hand % 6 == 3).any() for hand in hands)


def test_blurry_gives_that_share_to_the_others_and_tests_on_the_split(folder):
    data, classes = load(folder, '--experiment', 'blurry:tiny:3:20', '--pc-valid', '0')
    assert classes == [list(range(6))] * 3
    for t in range(3):
        foreign = Counter((numbers(data, t, 'train') // 2).tolist())
        assert foreign == {t: 64, (t + 1) % 3: 8, (t + 2) % 3: 8}  # of 80 images of its own
        assert set(numbers(data, t, 'test')) == {2 * t, 2 * t + 1} and len(data[t]['test']['y']) == 30
    few, _ = load(folder, '--experiment', 'blurry:tiny:3:20', '--samples', '40', '--valid-samples', '20')
    assert [len(few[t]['train']['y']) for t in range(3)] == [40] * 3 and min((numbers(few, t, 'train') // 2 == t).mean() for t in range(3)) > .6
    drawn, _ = load(folder, '--experiment', 'blurry:tiny:3:20', '--class-order', 'seed', '--seed', '2')
    assert set(numbers(drawn, 0, 'test')) != {0, 1} and len(set(numbers(drawn, 0, 'test'))) == 2


@pytest.mark.parametrize('experiment, says, more', [
    ('repeat:tiny:4:7', 'tiny has 6 classes: give 1 to 6 of each task', ()), ('repeat:tiny:4', 'expected repeat:<data set>:<number of tasks>:<classes of each>', ()),
    ('blurry:tiny:1:5', '2 tasks or more', ()), ('blurry:tiny:3:101', '1 to 100 per cent', ()), ('blurry:tiny:7:10', 'give 1 to 6 tasks', ()),
    ('blurry:tiny:3', 'as in blurry:mnist:5:10', ()), ('instances:tiny:0', 'as in instances:mnist:5', ()),
    ('instances:tiny:100', 'no test images of the classes of instances-tiny', ('--pc-valid', '0')), ('repeat:tiny:4:1', 'has a single class', ()),
    ('instances:tiny:2', 'does not split the classes of one data set', ('--class-order', 'seed'))])
def test_what_cannot_be_is_refused_in_one_line(experiment, says, more, folder, refused):
    line = refused(run.main, ['--experiment', experiment, '--approach', 'hat', '--scenario', 'class', '--data-dir', folder, '--output', folder / 'o.txt', *more])
    assert says in line and not (folder / 'o.txt').exists()


KEYS = [[5, 3], [3, 9, 5], [3, 5]]  # of three tasks: 5 and 3 come again, in the last task none is new


def test_a_class_that_comes_again_keeps_number_and_logit():
    taskcla = [(0, 2), (1, 3), (2, 2)]
    scenario = scenarios.Class(taskcla, classes=KEYS)
    assert scenario.numbers == [[0, 1], [1, 2, 0], [1, 0]] and scenario.firsts == [(0, 0), (0, 1), (1, 1)]
    assert scenario.taskcla() == [(0, 2), (1, 1), (2, 0)] and scenarios.Class(taskcla).ncla == [2, 3, 2]
    assert scenario.returning == {(1, 0): (0, 1), (1, 2): (0, 0), (2, 0): (0, 1), (2, 1): (0, 0)} and not scenarios.Class(taskcla).returning
    assert not scenario.alike(2) and scenario.answer(1, torch.tensor([0, 1, 2])).tolist() == [1, 2, 0]
    for active, width in (('all-so-far', 3), ('current', None)):
        appr, x, y = joint.Appr(net(scenario.taskcla())), torch.randn(6, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1, 1])
        appr.configure(scenario=scenarios.Class(taskcla, active, KEYS), seen=3)
        appr.model.train()
        everything = torch.cat(appr.model(x), 1)
        z, targets = appr.compete(batch_of(1, x, y))
        assert torch.equal(z, everything if width else everything[:, [1, 2, 0]]) and targets.tolist() == ([1, 2, 0, 1, 2, 2] if width else y.tolist())
        t = torch.tensor([1, 1, 1, 0, 0, 2])
        several, alone = appr.loss(batch_of(t, x, y)), [appr.loss(batch_of(u, x[t == u], y[t == u])) * (t == u).sum() for u in range(3)]
        assert several.item() == pytest.approx(sum(alone).item() / 6, rel=1e-5)


def test_where_every_task_has_a_head_of_its_own_a_class_counts_whoever_says_it():
    taskcla, y = [(0, 2), (1, 3), (2, 2)], torch.zeros(4, dtype=torch.int64)
    appr = Isolated(net(taskcla))
    appr.table = [torch.tensor([1., 9.]), torch.tensor([2., 1., 1.]), torch.tensor([0., 0.])]  # the surest says class 3
    appr.configure(scenario=inference.Inferred('max-logit', scenarios.Class(taskcla, classes=KEYS)), seen=3)
    x = torch.randn(4, 1, 4, 4)
    assert [appr.eval(t, x, y + c)[1] for t, c in ((0, 1), (1, 0), (2, 0), (1, 1))] == [1, 1, 1, 0]
    assert appr.eval(1, x, y)[1] == 1 and appr.scenario.right == 0


@pytest.mark.parametrize('policy', [name for name in KINDS if name != 'reservoir'])
def test_a_buffer_has_room_for_classes_not_for_labels(policy):
    utils.seed_everything(0)
    scenario = scenarios.Class([(0, 2), (1, 3), (2, 2)], classes=KEYS)
    memory = Buffer(12, policy, returning=scenario.returning)
    for t, keys in enumerate(KEYS):
        y = torch.arange(30) % len(keys)
        x = torch.tensor(keys)[y][:, None, None, None] + torch.randn(30, 1, 2, 2) / 10
        for k in range(0, 30, 10):
            memory.add(batch_of(t, x[k:k + 10], y[k:k + 10]))
        memory.end_task(t, x, y, features=lambda x: x.flatten(1))
    share = 12 if policy == 'each' else 4
    assert memory.classes == 3 and memory.share == share and memory.counts[0, 0] == memory.counts[0, 1] == share
    said = [KEYS[t][label] for t, label in zip(memory.t.tolist(), memory.y.tolist())]
    assert (memory.x.mean((1, 2, 3)).round() == torch.tensor(said)).all()
    if policy in ('balanced', 'each', 'herding'):  # of all its samples, not those of its last task alone
        assert len({t for t, c in zip(memory.t.tolist(), said) if c == 5}) > 1
    vars(memory).pop('returning')  # as in files that know nothing of it
    assert memory.key(1, 2) == (1, 2) and memory.counts == Counter(zip(memory.t.tolist(), memory.y.tolist()))


def test_herding_chooses_among_the_old_and_the_new_samples_of_a_class():
    memory, x = Buffer(2, 'herding', returning={(1, 0): (0, 0)}), torch.zeros(5, 1, 1, 2)
    x[:, 0, 0] = torch.tensor([[1., 0.], [.9, .2], [.2, .9], [0., 1.], [.7, .7]])
    label = torch.zeros(5, dtype=torch.int64)
    memory.end_task(0, x[:2], label[:2], features=lambda x: x.flatten(1))
    memory.end_task(1, x[2:], label[2:], features=lambda x: x.flatten(1))
    assert memory.t.tolist() == [1, 0] or memory.t.tolist() == [1, 1]
    assert torch.equal(memory.x[0], x[4])  # the nearest to the mean of all five comes first


def test_icarl_learns_a_class_that_comes_again_by_its_labels():
    output, old, labels = torch.zeros(2, 4), torch.full((2, 3), 9.), torch.tensor([[0., 0., 1., 0.], [0., 0., 0., 1.]])
    wanted = labels.clone()
    wanted[:, [0, 1]] = torch.sigmoid(old[:, :2])  # class 2 is the task's own, though the old network knows it
    loss = torch.nn.functional.binary_cross_entropy_with_logits(output + 1, wanted)
    assert icarl.distilled(output + 1, torch.tensor([2, 3]), old, [3, 2]).item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize('approach', ['joint', 'er', 'icarl', 'derpp', 'bic', 'wa', 'sgd'])
def test_what_trains_one_network_reaches_the_ceiling_where_all_classes_come_again(approach, folder, capsys, one_thread):
    acc, output = learnt(folder, approach, '--experiment', 'instances:tiny:3', '--scenario', 'class', '--nepochs', '5', '--save')
    assert '6 classes in all: one that comes again keeps the logit' in capsys.readouterr().out
    assert acc[-1].min() > .9  # with a logit for each task, it could not tell them apart
    check(output, folder)


@pytest.mark.parametrize('approach', ['hat', 'packnet', 'wsn', 'lwf', 'gdumb', 'rwalk', 'ewc', 'er-ace', 'random'])
def test_saved_models_compute_their_rows(approach, folder, capsys, one_thread):
    save = ['--save'] if approach != 'random' else []
    acc, output = learnt(folder, approach, *REPEAT, *save)
    losses = np.array(records.read_record(output)['loss'])
    assert np.isfinite(losses).all() and acc.shape == (4, 4)
    if save:
        check(output, folder)


@pytest.mark.parametrize('approach', ['er', 'hat'])
def test_the_confusion_matrix_has_each_class_once(approach, folder, capsys, one_thread):
    acc, output = learnt(folder, approach, *REPEAT, '--save')
    capsys.readouterr()
    assert evaluate.main([str(output), '--data-dir', str(folder), '--matrix', '--table', 'csv']) == 0
    printed = capsys.readouterr().out
    table = [line.split(',') for line in printed.splitlines() if line[:2] in [c + ',' for c in 'abcdef']]
    shares, matrix = {r[0]: r for r in table[:6]}, np.array([r[1:] for r in table[6:]], dtype=int)
    assert 'The row of the record is the same' in printed and matrix.shape == (6, 6) and sorted(shares) == list('abcdef')
    assert [int(shares[r[0]][1]) for r in table[6:]] == [15] * 6 == matrix.sum(1).tolist()
    data, _ = load(folder, '--experiment', 'repeat:tiny:4:3')
    hits = [acc[-1, t] * len(data[t]['test']['y']) for t in range(4)]
    assert np.trace(matrix) == pytest.approx(sum(hits), abs=1e-3)
    model, x = saved.Model(output), data[3]['test']['x'][:2]
    assert model.logits(3, x).shape == (2, 3)
    tasks, p, names = predict.tell(model, x, None)
    assert p.shape[0] == 2 and set(names[0]) <= set('abcdef') and len(names[0]) == len(set(names[0]))
    told = [n[k] for n, k in zip(names, p.argmax(1).tolist())]
    assert approach == 'hat' or told == [data[3]['class_names'][c] for c in data[3]['test']['y'][:2]]


@pytest.mark.parametrize('approach', ['icarl', 'er', 'hat'])
def test_a_stopped_run_goes_on_with_the_same_numbers(approach, folder, capsys, monkeypatch, one_thread):
    from runs import sequence
    more = ['--buffer', 'greedy'] if approach == 'er' else []
    more += [] if approach == 'hat' else ['--buffer-size', '20']
    whole, output = learnt(folder, approach, *REPEAT, '--checkpoint-every', '0', *more)
    learn, calls = sequence.Sequence.learn, []

    def stop(self, t):
        if t == 2 and not calls:
            calls.append(t)
            raise sequence.Stop(15)
        learn(self, t)
    monkeypatch.setattr(sequence.Sequence, 'learn', stop)
    with pytest.raises(SystemExit):
        learnt(folder, approach, *REPEAT, '--checkpoint-every', '0', *more, '--overwrite')
    assert (learnt(folder, approach, *REPEAT, '--checkpoint-every', '0', *more, '--resume')[0] == whole).all()
    assert not (checkpoint.folder(output) / 'checkpoint.pt').exists()


@pytest.mark.parametrize('approach', ['sgd', 'ewc'])
def test_the_fast_wing_says_the_same(approach, folder, capsys, one_thread):
    fast, _ = learnt(folder, approach, *REPEAT)
    assert (learnt(folder, approach, *REPEAT, '--plain', '--overwrite')[0] == fast).all()
