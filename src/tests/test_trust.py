"""Half-written results, names that mean one file, malformed checkpoints and records, and the state of one's own approach."""
import collections
import json
import random
import re
import shutil
import sys
from copy import deepcopy

import numpy as np
import pytest
import torch

import compare
import run
import run_multi
import discovery
import utils
import work
from approaches import base
from results import collect, records
from runs import checkpoint, local, locking, nodes, plan, sequence
from synthetic import progress, tasks
from utils import ROOT, UserError

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=30', '--samples', '200']
DATA, TASKCLA, SIZE = tasks('mlp', 160)


def test_a_new_matrix_beside_an_old_record_counts_as_unfinished_everywhere(tmp_path, monkeypatch, refused, capsys):
    output = tmp_path / 'glyphs_random_0.txt'
    command = [*SHORT, '--approach', 'random', '--output', str(output)]
    run.main(command)
    assert records.finished(output) and plan.Run(command).status() == 'finished'

    text = output.read_text()
    output.write_text(text.replace(text[:6], '0.0123'))
    assert json.loads(output.with_suffix('.json').read_text())['status'] == 'finished'
    assert not records.finished(output) and plan.Run(command).status() == 'unfinished' and collect.read(output) is None
    assert 'not of finished runs' in refused(compare.main, [output])
    with pytest.raises(UserError, match='no finished result of random'):
        collect.collect('glyphs', ['random'], [tmp_path])
    run.main([*command, '--resume'])
    assert records.finished(output) and output.read_text() == text


def test_one_result_has_one_lock_by_whatever_path_and_two_results_two(tmp_path, refused):
    folder = checkpoint.folder
    assert folder('res/../res/c.txt') == folder('res/c.txt') == folder(ROOT / 'res' / 'c.txt') == ROOT / 'logs' / 'c'
    (tmp_path / 'link').symlink_to(tmp_path)
    assert folder(tmp_path / 'link' / 'c.txt') == folder(tmp_path / 'c.txt')
    names = ['res/x0.5.txt', 'res/x0.75.txt', 'x0.5.txt', 'res/d.txt', 'res/d/d.txt', '/res/d.txt', '/d.txt']
    assert len({folder(n) for n in names}) == len({records.record_path(n) for n in names}) == len(names)
    logs = {plan.Run([*SHORT, '--approach', 'sgd', '--output', n]).log for n in names}
    assert len(logs) == len(names)
    for name in ('d', 'x0.5', 'd.text'):
        assert 'ends in .txt' in refused(run.main, [*SHORT, '--approach', 'sgd', '--output', tmp_path / name])


def test_a_log_is_replaced_by_the_same_configuration_alone(tmp_path, refused, capsys):
    command = [*SHORT, '--approach', 'hat-test', '--logpath', str(tmp_path / 'l.pkz'), '--output', str(tmp_path / 'o.txt')]
    run.main(command)
    run.main(command)
    before = (tmp_path / 'l.pkz').read_bytes()
    line = refused(run.main, [*command[:-1], tmp_path / 'p.txt', '--lamb', '2'])
    assert 'log of another configuration' in line and (tmp_path / 'l.pkz').read_bytes() == before
    run.main(['--rerun', str(tmp_path / 'o.json')])  # writes its own result, and no log
    assert (tmp_path / 'l.pkz').read_bytes() == before and (tmp_path / 'o_rerun.txt').exists()
    run.main(['--rerun', str(tmp_path / 'o.json'), '--output', str(tmp_path / 'mine.txt')])
    assert (tmp_path / 'mine.txt').exists()
    assert 'to compare with' in refused(run.main, ['--rerun', tmp_path / 'o.json', '--output', tmp_path / 'o.txt'])
    record = json.loads((tmp_path / 'o.json').read_text())
    record['command'] += ['--data-dir', str(tmp_path / 'nowhere')]
    (tmp_path / 'o.json').write_text(json.dumps(record))
    assert 'add --data-dir' in refused(run.main, ['--rerun', tmp_path / 'o.json']) and not (tmp_path / 'nowhere').exists()
    record['command'] = ['src/run.py', '--rerun', str(tmp_path / 'o.json')]
    (tmp_path / 'o.json').write_text(json.dumps(record))
    assert '--experiment' in refused(run.main, ['--rerun', tmp_path / 'o.json'])


RECORD = {'status': 'finished', 'config': {'experiment': 'e', 'approach': 'a'}, 'command': ['src/run.py'], 'tasks': ['t', 'u'],
          'seconds': 1.5, 'accuracy': [[.5, 0], [.4, .6]], 'loss': [[1, 0], [float('nan'), 2]], 'valid_accuracy': [.5, 1]}


@pytest.mark.parametrize('change', [
    {'accuracy': [['0.5', 0], [0, 1]]}, {'accuracy': [[.5, 0], [.4]]}, {'accuracy': []}, {'accuracy': [[True, 0], [0, 1]]},
    {'accuracy': [[1.5, 0], [0, 1]]}, {'accuracy': [[float('nan'), 0], [0, 1]]}, {'accuracy': {}}, {'accuracy': [[10 ** 400, 0], [0, 1]]},
    {'loss': [[1]]}, {'loss': 3}, {'status': 1}, {'config': []}, {'config': {'experiment': 'e'}}, {'config': {**RECORD['config'], 'lr': 1e999}},
    {'command': 'run.py'}, {'command': [1]}, {'tasks': ['t']}, {'tasks': ['t', 'u', 'v']}, {'tasks': 'tu'}, {'seconds': '1'}, {'seconds': -1}, {'seconds': 1e999},
    {'valid_accuracy': [1]}, {'valid_accuracy': [.5, 2]}, {'valid_accuracy': 'ab'}, {'valid_matrix': [[.5]]}, {'seconds_per_task': [None]}, {'matrix_sha256': 5},
    {'before_learning': [.5, .5]}, {'untrained': [.5, .5]}, {'before_learning': [.5], 'untrained': [.5, .5]}])
def test_records_are_of_one_schema(change, tmp_path):
    path = tmp_path / 'e_a_0.json'
    path.write_text(json.dumps(RECORD))
    assert records.read_record(path)['average_accuracy'] == .5
    path.write_text(json.dumps({**RECORD, **change}))
    with pytest.raises(UserError, match='is not a record of a run: %s' % next(iter(change))):
        records.read_record(path)


def made(kind=None, **kwargs):
    """An approach on a small network, from one seed."""
    utils.seed_everything(0)
    net = discovery.load('networks', 'mlp').Net(SIZE, TASKCLA)
    return (kind or discovery.load('approaches', 'ewc').Appr)(net, nepochs=3, lr=.05, lr_patience=1, **kwargs)


def data(t):
    """Training and validation data of a task."""
    return [DATA[t][s][k] for s in ('train', 'valid') for k in 'xy']


def states(appr, tmp_path):
    """What a checkpoint has of an approach after every epoch of two tasks."""
    saved, found = checkpoint.Checkpoint(tmp_path / 'o.txt', {}, every=1e9), []

    def note(done=0):
        saved.take(appr, progress(done, len(TASKCLA)))
        found.append(saved.pending)
    appr.fitting.on_epoch = note
    for t in (0, 1):
        appr.fitting.on_epoch = lambda: note(t)
        appr.train(t, *data(t))
    return found


def within(path, value):
    """A change of a state: a value at a path of keys; of what is written as nodes, of the value that they stand for."""
    def change(found):
        first, *rest = path
        whole = first in ('config', 'progress', 'position', 'optimizer', 'numpy', 'python')
        inner = nodes.Reader().value(found[first], first) if whole else found[first]
        at = {first: inner}
        for k in path[:-1]:
            at = at[k]
        if value is KeyError:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        if not rest:
            inner = at[first]
        found[first] = nodes.Writer().node(inner, first) if whole else inner
    return change


def node(value):
    """What a checkpoint has for a value."""
    return nodes.Writer().node(value, 'it')


MALFORMED = [within(p, v) for p, v in [
    (['model'], {}), (['model', 'fc1.weight'], torch.zeros(3)), (['model', 'fc1.weight'], 'x'), (['model', 'more'], torch.zeros(3)),
    (['model', 'fc1.bias'], torch.zeros(800, dtype=torch.int64)), (['trained'], ['nothing']), (['trained'], 5),
    (['approach', 'logpath'], '/tmp/x'), (['approach', 'old'], KeyError), (['approach'], {}), (['approach', 'old'], ('dict', 0)),
    (['approach', 'old'], node({'fc1.weight': torch.zeros(2)})), (['approach', 'old'], ('object', 0, 'os', 'DirEntry', [])),
    (['approach', 'old'], ('object', 0, 'runs.place', 'Place', [])), (['approach', 'old'], ('object', 0, 'torch', 'load', [])),
    (['approach', 'lr'], 'x'), (['approach', 'nepochs'], None), (['approach', 'lamb'], 'x'),
    (['approach', 'old'], ('known', 'self.nothing')), (['approach', 'old'], ('again', 99)), (['approach', 'old'], ('made', 0, 'os.system')),
    (['approach', 'old'], ('tensor', 0, torch.zeros(1).expand(10 ** 12), False, False, False)), (['approach', 'model.__class__'], 3),
    (['approach', 'old'], ('array', 0, 'O', [1], torch.zeros(8, dtype=torch.uint8), True)),
    (['progress', 'done'], 7), (['progress', 'done'], -1), (['progress', 'done'], 'x'),
    (['progress', 'acc'], np.zeros((2, 2))), (['progress', 'seconds'], ['x']), (['progress', 'cut'], 3), (['progress'], 5),
    (['position', 'epoch'], 'x'), (['position', 'lr'], float('nan')), (['position', 'best_model'], {}), (['position'], [1]),
    (['position', 'epoch'], KeyError), (['numpy', 'state', 'key'], np.zeros(5)), (['numpy'], None),
    (['model', 'fc1.bias'], torch.zeros(800, device='meta')), (['position', 'epoch'], -1), (['progress', 'done'], 2 ** 70),
    (['torch'], torch.zeros(5, dtype=torch.uint8)), (['torch'], 'x'), (['python'], [3, [1, 2], None]),
    (['optimizer', 'nothing'], {}), (['optimizer', 'fc1.bias'], {'exp_avg': torch.zeros(2)})]]


def test_checkpoints_that_do_not_fit_are_refused_before_anything_is_touched(tmp_path, capsys):
    found = states(made(), tmp_path)[4]
    other = made()
    before, torch_state = utils.get_model(other.model), torch.get_rng_state()
    for change in MALFORMED:
        bad = torch.load(dumped(found), weights_only=True)
        change(bad)
        with pytest.raises(UserError, match='^[^\n]*does not fit this run[^\n]*$'):
            checkpoint.Checkpoint('o.txt', {}).restore(bad, other, len(TASKCLA))
        assert all(torch.equal(w, before[n]) for n, w in utils.get_model(other.model).items()) and other.old == {}
        assert torch.equal(torch.get_rng_state(), torch_state) and not hasattr(other, 'logpath')
    assert checkpoint.Checkpoint('o.txt', {}).restore(torch.load(dumped(found), weights_only=True), other, len(TASKCLA))['done'] == 1


def dumped(value):
    """A value as torch.save writes it."""
    import io
    f = io.BytesIO()
    torch.save(value, f)
    f.seek(0)
    return f


def test_a_flipped_byte_and_a_compressed_checkpoint_are_refused(tmp_path, refused, capsys):
    import zipfile
    output = tmp_path / 'o.txt'
    command = [*SHORT, '--approach', 'sgd', '--output', str(output), '--overwrite', '--keep-checkpoint']
    run.main(command)
    output.unlink(), output.with_suffix('.json').unlink()
    path = checkpoint.folder(output) / 'checkpoint.pt'
    whole = path.read_bytes()
    command = [*command[:-2], '--resume']
    for place in (len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        assert 'or broken' in refused(run.main, command)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
        z.writestr('archive/data.pkl', b'x' * 10 ** 6)
    assert 'or broken' in refused(run.main, command)
    path.write_bytes(whole)
    run.main(command)
    shutil.rmtree(checkpoint.folder(output), ignore_errors=True)


@pytest.mark.parametrize('left', [None, b'', b'PK\x03\x04 no checkpoint', 'kept'])
def test_a_finished_run_has_a_state_only_if_it_was_told_to_keep_it(left, tmp_path, capsys):
    output = tmp_path / 'o.txt'
    command, path = [*SHORT, '--approach', 'sgd', '--output', str(output)], checkpoint.folder(output) / 'checkpoint.pt'
    run.main(command + ['--keep-checkpoint'] * (left == 'kept'))
    if left not in (None, 'kept'):  # of a run that was killed at its very end
        path.write_bytes(left)
    run.main([*command, '--resume'])
    assert 'Finished already' in capsys.readouterr().out and path.exists() == (left == 'kept')


@pytest.mark.parametrize('name, attribute, value', [
    ('pathnet', 'model.bestPath', np.zeros((1, 2, 3), np.int64)), ('ewc', 'information', {'fc1.weight': torch.zeros(800, 783)})])
def test_a_state_that_is_not_of_the_network_s_shapes_is_refused(name, attribute, value, tmp_path):
    net = {'pathnet': 'mlp_pathnet'}.get(name, 'mlp')

    def fresh():
        return discovery.load('approaches', name).Appr(discovery.load('networks', net).Net(SIZE, TASKCLA), nepochs=1)
    appr = fresh()
    appr.train(0, *data(0))
    saved = checkpoint.Checkpoint(tmp_path / 'o.txt', {}, every=1e9)
    saved.take(appr, progress(1, len(TASKCLA)))
    bad = {**saved.pending, 'approach': {**saved.pending['approach'], attribute: node(value)}}
    with pytest.raises(UserError, match='does not fit this run .*%s' % attribute):
        saved.restore(bad, fresh(), len(TASKCLA))
    assert saved.restore(saved.pending, fresh(), len(TASKCLA))['done'] == 1


def test_a_position_in_a_tournament_that_cannot_be_is_refused():
    appr = discovery.load('approaches', 'pathnet').Appr(discovery.load('networks', 'mlp_pathnet').Net(SIZE, TASKCLA))
    assert appr.fitting.possible(appr.fitting.start())
    for change in ({'winner': 2}, {'p': 3}, {'g': -1}, {'paths': np.full((2, 2, 3), 16)}):
        assert not appr.fitting.possible({**appr.fitting.start(), **change})


def test_a_log_has_a_lock_of_its_own(tmp_path, refused):
    log = tmp_path / 'a.pkz'
    command = [*SHORT, '--approach', 'hat-test', '--logpath', str(log), '--output']
    with locking.lock(log, '.log'):
        assert 'another run is writing %s' % log in refused(run.main, [*command, str(tmp_path / 'o.txt')])
    run.main([*command, str(tmp_path / 'a.txt')])
    assert log.exists()


def test_the_record_has_every_device_that_a_run_was_on(tmp_path, monkeypatch, capsys):
    output = tmp_path / 'o.txt'
    command = [*SHORT, '--approach', 'sgd', '--output', str(output), '--checkpoint-every', '0']
    monkeypatch.setattr(sequence.Sequence, 'test', lambda self, t: (_ for _ in ()).throw(sequence.Stop(15)))
    with pytest.raises(SystemExit):
        run.main(command)
    monkeypatch.undo()
    there = torch.get_num_threads()
    torch.set_num_threads(there + 1)
    try:
        run.main([*command, '--resume'])
    finally:
        torch.set_num_threads(there)
    devices = records.read_record(output)['devices']
    assert [re.search(r'(\d+) threads', d)[1] for d in devices] == [str(there), str(there + 1)]


Pair = collections.namedtuple('Pair', 'x n')


class Reservoir:
    """A buffer as users write them."""

    def __init__(self, size):
        self.size, self.seen, self.items, self.rs = size, np.int64(0), [], np.random.RandomState(3)

    def add(self, x):
        self.seen += 1
        place = len(self.items) if len(self.items) < self.size else self.rs.randint(self.seen)
        if place < self.size:
            self.items[place:place + 1] = [Pair(x.clone(), self.seen)]


class Hoarder(base.Appr):
    """Declares nothing, and keeps everything that a method may keep, in every shape."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.memory, self.velocity, self.rate = Reservoir(5), {n: torch.zeros_like(p) for n, p in self.params().items()}, np.float32(.1)
        self.side = torch.nn.Linear(10, 2)
        self.adam = torch.optim.Adam(self.side.parameters(), 1e-2)
        self.drawn, self.rng, self.own = torch.Generator().manual_seed(1), np.random.default_rng(2), random.Random(4)
        self.nested = {'a': [(1, 2.5, None), {'b': collections.deque([1, 2], 2)}], 3: {4, 5}, 'c': collections.Counter('aab')}
        self.head, self.same, self.act = self.model.last[0].weight, self.nested, torch.relu
        self.old = None

    def _get_optimizer(self, lr):
        return torch.optim.Adam(self.trainable(), lr=lr / 50)

    def after_backward(self, batch):
        for n, p in self.params().items():
            if p.grad is not None:
                self.velocity[n].mul_(self.rate).add_(p.grad)
                p.grad.copy_(self.velocity[n])
        noise = torch.rand(10, generator=self.drawn) * float(self.rng.random()) * self.own.random() * random.random()
        with torch.enable_grad():
            loss = self.act(self.side(noise)).sum()
            self.adam.zero_grad()
            loss.backward()
        self.adam.step()
        self.head.grad = self.head.grad * (1 + loss.item()) if self.head.grad is not None else None
        for x in batch.x[:3]:
            self.memory.add(x.flatten()[:4])
        self.rate = np.float32(self.rate * .99 + len(self.same['a'][1]['b']) * .001)
        self.nested['a'][1]['b'].append(int(self.memory.seen))
        self.late = [self.side, collections.defaultdict(list, {'k': [self.rate]})]

    def end_task(self, t, x, y):
        self.old = deepcopy(self.model)


def test_an_approach_that_declares_nothing_goes_on_exactly_from_any_epoch(tmp_path, capsys):
    appr = made(Hoarder)
    assert random.random() == random.Random(0).random()  # seeded with the rest
    appr = made(Hoarder)
    found = states(appr, tmp_path)
    for k in (0, 2, 4):
        other = made(Hoarder)
        np.random.rand(3), torch.rand(3), random.random()
        done = checkpoint.Checkpoint('o.txt', {}).restore(torch.load(dumped(found[k]), weights_only=True), other, len(TASKCLA))['done']
        assert other.same is other.nested and other.head is other.model.last[0].weight and other.late[0] is other.side
        assert other.adam.param_groups[0]['params'][0] is other.side.weight and type(other.rate) is np.float32
        assert type(other.memory.items[0]) is Pair and type(other.memory.seen) is np.int64 and other.act is torch.relu
        for t in range(done, 2):
            other.train(t, *data(t))
        for one, two in ((appr.model, other.model), (appr.old, other.old), (appr.side, other.side)):
            assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters()))
        assert other.nested == appr.nested and other.rate == appr.rate and other.late[1] == appr.late[1]
        assert [i.n for i in other.memory.items] == [i.n for i in appr.memory.items]
        assert torch.equal(torch.stack([i.x for i in other.memory.items]), torch.stack([i.x for i in appr.memory.items]))
    assert capsys.readouterr().err == ''


def test_what_cannot_be_kept_is_named_once_and_the_rest_is_kept(tmp_path, capsys):
    class Unsavable(base.Appr):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.twice, self.kept = lambda v: 2 * v, {'a': [open(tmp_path / 'notes', 'w'), 0]}

        def end_task(self, t, x, y):
            self.kept['a'][1] = self.twice(3)
    appr = made(Unsavable)
    states(appr, tmp_path)
    said = capsys.readouterr().err
    assert said.count('test_trust.Unsavable: ') == said.count('\n') == 2 and said.count('self.twice is ') == 1
    assert "self.kept['a'][0] is a TextIOWrapper, which no checkpoint keeps" in said
    saved, other = checkpoint.Checkpoint(tmp_path / 'o.txt', {}, every=1e9), made(Unsavable)
    saved.take(appr, progress(2, len(TASKCLA)))
    saved.restore(saved.pending, other, len(TASKCLA))
    assert other.kept['a'][1] == 6 and other.twice(1) == 2 and other.kept['a'][0] is not appr.kept['a'][0]
    for name, line in (('state', ('kept',)), ('scratch', ('a', 'b'))):
        with pytest.raises(UserError, match='delete the line %s = ' % name):
            type('Old', (base.Appr,), {name: line, '__module__': 'test_trust'})


@pytest.mark.parametrize('module', [run, run_multi, work])
def test_names_with_a_line_end_or_a_nul_are_refused(module, refused):
    for word in ('a\0b', 'a\nb'):
        line = refused(module.main, ['--data-dir', word])
        assert 'a line end or a NUL' in line


def test_a_full_disk_ends_a_table_in_one_line(tmp_path, monkeypatch, refused):
    run.main([*SHORT, '--approach', 'random', '--output', str(tmp_path / 'o.txt')])
    with open('/dev/full', 'w') as full, monkeypatch.context() as m:
        m.setattr(sys, 'stdout', full)
        line = refused(compare.main, [tmp_path / 'o.txt'])
    assert 'No space left' in line


def test_a_plan_may_be_large_and_help_is_no_part_of_it(tmp_path, refused, capsys):
    assert work.main(['cpu', 'glyphs', 'hat', str(tmp_path), '--search', 'random', '--trials', '500']) == 0
    with pytest.raises(utils.UserError, match='--trials must be a whole number >= 1'):
        work.main(['cpu', 'glyphs', 'hat', str(tmp_path), '--trials', '0'])
    assert ' missing; ' in capsys.readouterr().out
    assert '--help after --' in refused(run_multi.main,
                                        ['--experiments', 'glyphs', '--approaches', 'sgd', '--', '--help'])


def test_a_worker_that_dies_once_its_result_is_whole_has_finished(tmp_path, monkeypatch):
    command = [*SHORT, '--approach', 'random', '--output', str(tmp_path / 'o.txt')]
    run.main(command)
    monkeypatch.setattr(plan.Run, 'command', [sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'])
    assert local.execute([plan.Run(command)]) == []
    missing = plan.Run([*command[:-1], str(tmp_path / 'p.txt')])
    assert local.execute([missing]) == [missing]
