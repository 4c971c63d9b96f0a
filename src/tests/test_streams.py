"""Streams of tasks: unequal ones, of one class, of few samples, of even angles."""
import gc

import numpy as np
import pytest
import torch

import run
import discovery
from dataloaders import common, fewer
from dataloaders.images import Images
from results import records
from runs import build, commandline, options, sequence


def load(*argv, folder=None):
    """(data, taskcla, size) of a command line of fine-tuning on glyphs, or on what is in a folder."""
    more = ['--data-dir', str(folder)] if folder else []
    args, _ = options.parse(['--approach', 'sgd', *argv, *more])
    return build.load_data(build.experiment(args.experiment, args.data_dir), args)


def test_a_first_task_may_have_more_classes_than_the_others():
    data, taskcla, _ = load('--experiment', 'split:glyphs:20+5')
    assert [n for _, n in taskcla] == [20, 5, 5, 5, 1] and data['ncla'] == 36
    assert data['note'] == '36 classes in 5 tasks of 20, 5, 5, 5, 1' and data[1]['classes'] == tuple(range(20, 25))
    data, taskcla, _ = load('--experiment', 'split:glyphs:20+4', '--class-order', 'seed', '--seed', '3')
    assert [n for _, n in taskcla] == [20, 4, 4, 4, 4] and 'note' not in data
    assert data[1]['classes'] == tuple(common.shuffle(np.arange(36), 3)[20:24])
    args, _ = options.parse(['--approach', 'sgd', '--experiment', 'split:glyphs:20+5'])
    assert build.count_tasks(args) == 5


ONE_BY_ONE = ['sgd', 'er', 'joint', 'ewc', 'gem', 'agem', 'si', 'lwf', 'mas', 'derpp', 'icarl', 'lfl',
              'imm-mode']


@pytest.mark.parametrize('approach, experiment', [
    *((approach, 'split:glyphs:36') for approach in ONE_BY_ONE), ('sgd', 'split:glyphs:4+1'),
    ('icarl', 'split:glyphs:4+1')])
def test_tasks_of_one_class_compete_under_class(approach, experiment, tmp_path, capsys):
    acc = run.main(['--experiment', experiment, '--tasks', '0,1,2', '--approach', approach, '--scenario', 'class', '--nepochs', '1',
                    '--samples', '60', '--net', 'nhid=20', '--device', 'cpu', '--lr', '.01', '--output', str(tmp_path / 'o.txt')])
    losses = np.array(records.read_record(tmp_path / 'o.txt')['loss'])
    assert acc.shape == (3, 3) and np.isfinite(losses).all()
    assert (losses[2] > 0).all()  # of its class alone, each would be 0


@pytest.mark.parametrize('more', [['sgd'], ['hat', '--scenario', 'class'], ['er', '--scenario', 'class', '--active-classes', 'current'],
                                  ['er', '--scenario', 'class', '--tasks', '1']])
def test_a_class_that_nothing_competes_with_is_refused(more, tmp_path, refused):
    tasks = [] if '--tasks' in more else ['--tasks', '0,1']
    line = refused(run.main, ['--experiment', 'split:glyphs:4+1', '--approach', *more, *tasks, '--output', tmp_path / 'o.txt'])
    assert 'has a single class' in line and ('use --scenario class' in line) == (more == ['sgd']) and not (tmp_path / 'o.txt').exists()


def test_samples_are_as_equal_over_classes_as_can_be():
    y = np.repeat(np.arange(4), [3, 50, 50, 10])
    for n, wanted in ((4, [1, 1, 1, 1]), (15, [3, 4, 4, 4]), (60, [3, 24, 23, 10]), (200, [3, 50, 50, 10])):
        found = fewer.even(y, n, [0, 7])
        assert sorted(np.bincount(y[found])) == sorted(wanted) and (np.diff(found) > 0).all()
    first = {tuple(y[fewer.even(y, 2, [seed])]) for seed in range(40)}
    assert len(first) > 3  # which classes have one more is drawn
    assert (fewer.even(y, 9, [1]) == fewer.even(y, 9, [1])).all() and (fewer.even(y, 9, [1]) != fewer.even(y, 9, [2])).any()


def rows(data, t, s):
    """The rows of the raw set that a task's split is of."""
    split = data[t][s]
    return set(range(len(split['y'])) if split.rows is None else split.rows.tolist())


def test_samples_and_validation_samples_are_drawn_by_the_seed_and_apart():
    data, taskcla, _ = load('--experiment', 'split:glyphs:6', '--samples', '60', '--valid-samples', '30')
    assert all(np.bincount(data[t][s]['y']).tolist() == [n] * 6 for t, _ in taskcla for s, n in (('train', 10), ('valid', 5)))
    assert 'note' not in data and not any(rows(data, t, 'train') & rows(data, t, 'valid') for t in range(6))
    turned = load('--experiment', 'split:glyphs:6', '--samples', '60', '--valid-samples', '30', '--tasks', '3,1')[0]
    assert rows(turned, 0, 'train') == rows(data, 3, 'train') and rows(turned, 1, 'valid') == rows(data, 1, 'valid')
    other = load('--experiment', 'split:glyphs:6', '--samples', '60', '--seed', '1')[0]
    assert rows(other, 0, 'train') != rows(data, 0, 'train') and len(other[0]['valid']['y']) == int(.1 * 1800)
    whole = load('--experiment', 'split:glyphs:6', '--pc-valid', '.2', '--seed', '1')[0]
    part = load('--experiment', 'split:glyphs:6', '--pc-valid', '.2', '--seed', '1', '--samples', '100')[0]
    assert rows(part, 2, 'valid') == rows(whole, 2, 'valid') and rows(part, 2, 'train') < rows(whole, 2, 'train')


def test_validation_on_the_training_samples_stays_that_of_few():
    data, _, _ = load('--experiment', 'permuted:glyphs:3', '--samples', '100')
    assert all(data[t]['valid'] is data[t]['train'] and len(data[t]['train']['y']) == 100 for t in range(3))
    assert rows(data, 0, 'train') != rows(data, 1, 'train')
    data, _, _ = load('--experiment', 'permuted:glyphs:3', '--samples', '100', '--valid-samples', '40')
    assert len(data[0]['valid']['y']) == 40 and not rows(data, 0, 'train') & rows(data, 0, 'valid')


def test_more_samples_than_there_are_is_all_of_them_and_said(refused, tmp_path):
    data, _, _ = load('--experiment', 'split:glyphs:20+8', '--samples', '2500', '--valid-samples', '10')
    assert [len(data[t]['train']['y']) for t in range(3)] == [2500, 2390, 2390]
    assert data['note'] == '--samples 2500: of a task with fewer, all there are: 2500, 2390, 2390'
    line = refused(run.main, ['--experiment', 'glyphs', '--approach', 'sgd', '--valid-samples', '1800', '--output', tmp_path / 'o.txt'])
    assert '--valid-samples 1800 leaves no training sample of glyphs-012345' in line


def test_loaders_of_plain_tensors_may_have_few_samples_too():
    train = {'x': torch.arange(40.), 'y': torch.arange(40) % 4}
    data = {0: {'name': 'a', 'ncla': 4, 'train': dict(train), 'valid': dict(train), 'test': dict(train)}}
    fewer.limit(data, [(0, 4)], 0, 8, 4)
    x = torch.cat([data[0][s]['x'] for s in ('train', 'valid')])
    assert len(x.unique()) == 12 and all((d['x'] % 4 == d['y']).all() for d in data[0].values() if isinstance(d, dict))


def test_help_has_an_example_of_every_form():
    text = ' '.join(commandline.build.__wrapped__().format_help().split())  # which is not kept, as others add choices
    names = [name for name in discovery.choices('dataloaders') if discovery.has_form(name)]
    assert {'split', 'permuted', 'rotated'} <= set(names) and '; permuted:<data set>:<number of tasks>, as in permuted:mnist:10; ' in text
    for name in names:
        assert discovery.form(name) + ', as in ' + ' or '.join(discovery.examples(name)) in text
        assert all(discovery.choice('dataloaders', example, '--experiment') == example for example in discovery.examples(name))


def test_a_file_may_give_its_form_without_an_example(tmp_path, monkeypatch, refused):
    import dataloaders
    (tmp_path / 'twice.py').write_text("form = ('name', 'ntasks')\ndef get():\n    pass\n")
    monkeypatch.setattr(dataloaders, '__path__', [*dataloaders.__path__, str(tmp_path)])
    assert discovery.choice('dataloaders', 'twice:x:3', '--experiment') == 'twice:x:3'
    assert 'twice:<data set>:<number of tasks>, as in twice:mnist:5' in refused(run.main, ['--experiment', 'nothing', '--approach', 'sgd'])
    assert '(perhaps twice:x:3)' in refused(run.main, ['--experiment', 'twic:x:3', '--approach', 'sgd'])
    assert discovery.form('split') == 'split:<data set>:<number of tasks> or split:<data set>:<first>+<step>'
    assert 'expected twice:<data set>:<number of tasks>, as in twice:mnist:5' in refused(
        run.main, ['--experiment', 'twice:x', '--approach', 'sgd'])


def test_angles_are_drawn_or_even(refused):
    def angles(*more):
        data, taskcla, _ = load('--experiment', 'rotated:glyphs:4', *more)
        return [data[t]['train'].pixels.angle for t, _ in taskcla]
    assert angles('--angles', 'even') == [0, 45, 90, 135] == angles('--angles', 'even', '--seed', '3')
    assert angles() == angles('--angles', 'drawn') == np.random.RandomState(0).uniform(0, 180, 4).tolist()
    assert '--angles: the experiment glyphs rotates nothing' in refused(
        run.main, ['--experiment', 'glyphs', '--approach', 'sgd', '--angles', 'even'])


def test_floats_of_earlier_tasks_are_let_go(tmp_path, data_dir, monkeypatch):
    """A checkpoint knows the data of all tasks, and holds the floats of none."""
    def held():
        return {id(x) for x in gc.get_objects() if type(x) is Images and x.floats is not None}
    alive, task, before = [], sequence.Sequence.test, held()

    def test(run, t):
        task(run, t)
        alive.append(len(held() - before))
    monkeypatch.setattr(sequence.Sequence, 'test', test)
    run.main(['--experiment', 'permuted:mnist:4', '--approach', 'er', '--nepochs', '1', '--net', 'nhid=8,nlayers=1', '--device', 'cpu',
              '--data-dir', str(data_dir), '--output', str(tmp_path / 'o.txt')])
    assert len(alive) == 4 and max(alive) <= 2, alive
