"""Experiments made from any data set: split, permuted, rotated; data of one's own; orders of tasks."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

import discovery
import run
import run_multi
from conftest import own
from dataloaders import common, joined, raw
from results import collect, metrics, records
from runs import build
from runs.network import choose
from utils import ROOT, UserError

SHORT = ['--nepochs', '1', '--device', 'cpu']


def get(name, folder, **kwargs):
    """(data, taskcla, size) of an experiment."""
    return build.experiment(name, folder).get(data_dir=folder, **kwargs)


def test_splits_are_as_equal_as_can_be(data_dir):
    data, taskcla, size = get('split:traffic-signs:5', data_dir, pc_valid=0)
    assert taskcla == [(0, 9), (1, 9), (2, 9), (3, 8), (4, 8)] and size == [3, 32, 32]
    assert data['note'] == '43 classes in 5 tasks of 9, 9, 9, 8, 8' and data[3]['name'] == 'traffic-signs-27-34'
    y = raw.load('traffic-signs', data_dir)['y_train']
    assert (data[3]['train']['y'].numpy() == y[(y >= 27) & (y < 35)] - 27).all()
    names = [t['name'] for t in (get('smnist', data_dir)[0][t] for t in range(5))]
    assert names == ['mnist-0-1', 'mnist-2-3', 'mnist-4-5', 'mnist-6-7', 'mnist-8-9']


def test_ten_permutations_of_mnist_are_pmnist_and_colours_are_permuted_together(data_dir):
    one, other = get('pmnist', data_dir, seed=3)[0], get('permuted:mnist:10', data_dir, seed=3)[0]
    assert all(torch.equal(one[t]['train']['x'], other[t]['train']['x']) for t in (0, 7))
    plain = get('split:cifar10:1', data_dir, pc_valid=0)[0][0]['train']['x'].flatten(2)
    mixed = get('permuted:cifar10:3', data_dir)[0][2]['train']['x'].flatten(2)
    order = [(plain[:, 0] == mixed[:, 0, i:i + 1]).all(0).nonzero().item() for i in range(1024)]
    assert sorted(order) == list(range(1024)) and order != list(range(1024)) and torch.equal(plain[:, :, order], mixed)


def test_rotations_are_torchvision_s_by_angles_of_the_seed(data_dir):
    data, taskcla, _ = get('rmnist', data_dir, seed=5, pc_valid=0)
    assert len(taskcla) == 10 and data[0]['name'].startswith('rotated-mnist-0-by-')
    x = torch.from_numpy(raw.load('mnist', data_dir)['x_train'])[:, None].float()
    for t in (0, 9):
        angle = data[t]['train'].pixels.angle
        expected = functional.rotate(x, angle, functional.InterpolationMode.BILINEAR)
        assert torch.allclose(data[t]['train']['x'] * .3081 + .1307, expected / 255, atol=2e-3)
    assert get('rmnist', data_dir, seed=6)[0][0]['train'].pixels.angle != data[0]['train'].pixels.angle


@pytest.mark.parametrize('name', ['split:mnist:3', 'permuted:mnist:4', 'rotated:mnist:3', 'rotated:cifar10:2', 'mixture'])
@pytest.mark.parametrize('pc_valid', [0, .3])
def test_joined_sets_give_the_floats_of_all_tasks_without_making_them(name, pc_valid, data_dir):
    data, taskcla, _ = get(name, data_dir, pc_valid=pc_valid, seed=1)
    for s in ('train', 'valid'):
        pool, whole = joined.Joined([(t, data[t][s].images) for t, _ in taskcla]), torch.cat([data[t][s]['x'] for t, _ in taskcla])
        b = torch.randperm(len(whole))[:50]
        assert pool.tasks.tolist() == [t for t, _ in taskcla for _ in data[t][s]['y']]
        assert len(pool) == len(whole) and torch.equal(pool[b], whole[b]) and torch.equal(torch.cat(list(pool.split(17))), whole)


@pytest.mark.parametrize('shape, size, network', [
    ((48, 48, 3), [3, 48, 48], 'alexnet'), ((3, 48, 48), [3, 48, 48], 'alexnet'), ((20, 30), [1, 20, 30], 'mlp'),
    ((20, 20, 1), [1, 20, 20], 'mlp'), ((1, 20, 20), [1, 20, 20], 'mlp'), ((20, 30, 3), [3, 20, 30], 'mlp'), ((8, 8, 3), [3, 8, 8], 'mlp')])
def test_images_of_one_s_own_may_have_any_size(shape, size, network, tmp_path, capsys):
    arrays = own(tmp_path, shape=shape, class_names=np.array(['ä', 'b', 'c', 'd']))
    experiment = build.experiment('split:shapes:2', tmp_path)
    capsys.readouterr()
    args, appr = SimpleNamespace(approach='sgd', network=None), discovery.load('approaches', 'sgd').Appr
    assert choose(experiment, args, appr)[0] == network
    said = capsys.readouterr().out
    assert ('of %d x %d pixels: mlp is taken' % tuple(size[1:]) in said) == (size[0] == 3 and network == 'mlp')
    data, taskcla, found = get('split:shapes:2', tmp_path, pc_valid=0)
    assert (found, experiment.network, taskcla) == (size, network, [(0, 2), (1, 2)]) and data[1]['class_names'] == ['c', 'd']
    x, y = torch.cat([data[t]['train']['x'] for t in (0, 1)]), arrays['x_train'].astype(float) / 255
    channels = y if y.shape[1:] == tuple(size) else np.moveaxis(y, -1, 1) if y.ndim == 4 else y[:, None]
    mean, std = channels.mean((0, 2, 3)), channels.std((0, 2, 3))
    assert np.allclose(data['normalisation']['shapes']['mean'], mean) and np.allclose(data['normalisation']['shapes']['std'], std)
    assert torch.allclose(x.mean((0, 2, 3)), torch.zeros(size[0]), atol=1e-4) and torch.allclose(x.std((0, 2, 3)), torch.ones(size[0]), atol=1e-3)
    expected = (channels[arrays['y_train'] < 2] - mean.reshape(1, -1, 1, 1)) / std.reshape(1, -1, 1, 1)
    assert np.allclose(data[0]['train']['x'], expected, atol=1e-5)


@pytest.mark.parametrize('approach, shape', [('sgd', (24, 24, 3)), ('hat', (10, 14))])
def test_runs_on_images_of_one_s_own(approach, shape, tmp_path, capsys):
    own(tmp_path / 'd', shape=shape)
    run.main(['--experiment', 'split:shapes:2', '--approach', approach, '--data-dir', str(tmp_path / 'd'), *SHORT, '--output', str(tmp_path / 'o.txt')])
    record = records.read_record(tmp_path / 'o.txt')
    assert len(record['normalisation']['shapes']['mean']) == (3 if len(shape) == 3 else 1) and record['config']['data'].keys() == {'shapes'}


def test_results_have_hyphens_where_experiments_have_colons(data_dir, capsys, monkeypatch):
    argv = ['--experiment', 'split:notmnist:5', '--approach', 'random', '--data-dir', str(data_dir), '--seed', '98765', *SHORT]
    try:
        run.main(argv)
        run.main([*argv, '--scenario', 'class'])
        assert (ROOT / 'res' / 'split-notmnist-5_random_98765.txt').exists()
        assert (ROOT / 'res' / 'split-notmnist-5-class_random_98765.json').exists()
    finally:
        for f in (ROOT / 'res').glob('split-notmnist-5*_random_98765.*'):
            f.unlink()


@pytest.mark.parametrize('changes, says', [
    ({'x_train': np.zeros((40, 48, 48, 3), np.float32)}, 'x_train is float32, expected uint8'),
    ({'y_test': None}, 'lacks y_test'), ({'x_test': None, 'x_train': None}, 'lacks x_train'),
    ({'y_train': np.arange(40) % 4 * 2}, '1, 3, 5 are missing'), ({'y_train': np.arange(40) % 4 + 1}, '; 0 is missing'),
    ({'y_train': np.arange(40) % 4 - 1}, 'from -1 to 2'), ({'y_test': np.full(40, 4)}, 'those of y_train from 0 to 3'),
    ({'y_train': np.arange(40) % 4 / 1.}, 'y_train is float64, expected integers'), ({'y_train': np.arange(39) % 4}, 'for 40 images'),
    ({'x_train': np.zeros((40, 48, 48, 5), np.uint8)}, 'expected [N,H,W]'), ({'x_test': np.zeros((40, 9, 9, 3), np.uint8)}, 'x_test of [9, 9, 3]'),
    ({'y_train': np.full(40, 10 ** 18)}, 'expected 0 to n-1'), ({'class_names': np.array(['a'])}, 'expected 4 texts'),
    ({'x_train': np.zeros((3, 30000, 30000), np.uint8)[:0]}, 'for 0 images')])
def test_data_of_one_s_own_that_cannot_be_are_refused_in_one_line(changes, says, tmp_path, refused):
    own(tmp_path / 'd', shape=(48, 48, 3), **changes)
    line = refused(run.main, ['--experiment', 'split:shapes:2', '--approach', 'sgd', '--data-dir', tmp_path / 'd', '--output', tmp_path / 'o.txt'])
    assert says in line and not (tmp_path / 'o.txt').exists()


@pytest.mark.parametrize('name, says', [
    ('split:glyphs:19', 'a single class'), ('split:glyphs:37', 'give 1 to 36 tasks'), ('split:glyphs:37+1', 'a first task of 1 to 36'),
    ('permuted:glyphs:5+1', 'as in permuted:mnist:10'), ('split:glyphs:5+0', 'as in split:mnist:5 or split:cifar100:50+10'), ('split', 'as in split:mnist:5'), ('split:mnist', 'as in split:mnist:5'),
    ('split:mnist:0', 'as in split:mnist:5'), ('split:../x:2', 'as in split:mnist:5'), ('split:mnis:2', 'no data set mnis (perhaps mnist)'),
    ('glyphs:3', 'no \'glyphs:3\''), ('permuted:nothing:2', 'or one of your own as')])
def test_experiments_that_cannot_be_are_refused(name, says, tmp_path, refused):
    assert says in refused(run.main, ['--experiment', name, '--approach', 'sgd', '--data-dir', tmp_path, '--output', tmp_path / 'o.txt'])


def test_a_file_of_zeros_that_unpacks_to_gigabytes_is_refused_by_its_header(tmp_path, refused):
    own(tmp_path, shape=(4, 4))
    with np.load(tmp_path / 'shapes.npz') as z:
        arrays = {**z, 'x_train': np.zeros((40, 2000, 2000), np.uint8)}
    np.savez_compressed(tmp_path / 'shapes.npz', **arrays)
    assert 'unpacks to 160000128 bytes from' in refused(run.main, [
        '--experiment', 'split:shapes:2', '--approach', 'sgd', '--data-dir', tmp_path, '--output', tmp_path / 'o.txt'])


def test_one_class_in_a_task_leaves_nothing_to_tell_apart(tmp_path, refused):
    from dataloaders import glyphs
    task = common.Task('one', 'glyphs', range(3, 4))
    from unittest import mock
    with mock.patch.object(glyphs, 'TASKS', [glyphs.TASKS[0], task]):
        for approach, scenario in (('sgd', 'task'), ('hat', 'class')):
            assert 'task 1 has a single class' in refused(run.main, [
                '--experiment', 'glyphs', '--approach', approach, '--scenario', scenario, '--output', tmp_path / 'o.txt'])


def test_a_dataloader_s_own_raw_set_is_checked_normalised_and_hashed(tmp_path):
    arrays = own(tmp_path, shape=(6, 6))
    made = raw.Raw(name='mine', make=lambda: [arrays[k] for k in raw.ARRAYS])
    data, taskcla, _ = common.build([common.Task('a', made, range(0, 2)), common.Task('b', made, range(2, 4))], [1, 6, 6], 0, .1)
    assert taskcla == [(0, 2), (1, 2)] and data['sha256']['mine'] == raw.sha256(raw.load('shapes', tmp_path))
    assert np.isclose(data['normalisation']['mine']['mean'][0], arrays['x_train'].mean() / 255)
    other = raw.Raw(name='mine', make=lambda: None)
    with pytest.raises(UserError, match='two data sets are named mine'):
        common.build([common.Task('a', made, range(0, 2)), common.Task('b', other)], [1, 6, 6], 0, .1)
    arrays['x_train'] = arrays['x_train'].astype(float)
    with pytest.raises(UserError, match='mine: x_train is float64'):
        common.build([common.Task('a', made)], [1, 6, 6], 0, .1)


def test_orders_are_balanced_and_their_spread_is_shown(tmp_path, in_process, capsys):
    found = [order[1].split(',') for _, order in run_multi.orders('glyphs', 'sgd', [], 12)]
    for block in (found[:6], found[6:]):
        assert all(sorted(places) == list('012345') for places in zip(*block))
    assert found[0] == list('012345') and found[6] not in found[:6]
    assert [o[1][1] for o in run_multi.orders('split:mnist:5', 'sgd', ['--tasks', '4,1'], 2)] == ['4,1', '1,4']
    argv = ['--experiments', 'glyphs', '--approaches', 'random', '--seeds', '0-1', '--orders', '2', '--res_folder', str(tmp_path / 'res'),
            '--execute', '--', '--tasks', '0,1', *SHORT]
    assert run_multi.main(argv) == 0
    by = collect.orders('glyphs', ['random'], [tmp_path / 'res'])
    assert list(by) == [0, 1] and by[0]['random'][0]['tasks'] == by[1]['random'][0]['tasks'][::-1]
    values = metrics.over_orders(by)['random']
    row = metrics.order_table(by, {'random': values}).rows[0]
    assert values.shape == (2, 2) and row[3] == pytest.approx(values.mean()) and row[4] == pytest.approx(values.mean(1).std(ddof=1))
    assert row[5] == pytest.approx(np.sqrt(np.mean([values[0].var(ddof=1), values[1].var(ddof=1)])))
    import plot_results
    assert plot_results.main(['--figure', 'orders', '--experiment', 'glyphs', '--approaches', 'random', '--folders', str(tmp_path / 'res'),
                              '--output', str(tmp_path / 'o.png')]) == 0 and (tmp_path / 'o.png').stat().st_size > 1000


def test_a_hundred_permutations_take_no_memory_until_they_are_used(data_dir):
    data, taskcla, _ = get('permuted:mnist:100', data_dir)
    assert len(taskcla) == 100 and len({id(data[t]['train'].source) for t in range(100)}) == 1
    assert not any(data[t]['train'].made() is not None for t in range(100))
    orders = {tuple(data[t]['train'].pixels.permutation[:20]) for t in range(100)}
    assert len(orders) == 100


def test_a_raw_set_of_a_name_alone_that_is_not_there_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match='gone.npz is not an npz file'):
        raw.load(raw.Raw(name='gone'), tmp_path)
