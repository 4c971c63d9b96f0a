"""What published set-ups need: iterations instead of epochs, other pixels, classes in another order."""
import argparse
import json

import numpy as np
import pytest
import torch

import run
import utils
from approaches import agem, ewc_er, hat, sgd
from dataloaders import raw
from networks import mlp, mlp_hat
from runs import build, options
from synthetic import batch_of, tasks
from utils import UserError

DATA, TASKCLA, SIZE = tasks('mlp')


def load(folder, *argv):
    """(data, taskcla, size) of a command line."""
    args, _ = options.parse(['--approach', 'sgd', '--data-dir', str(folder), *argv])
    return build.load_data(build.experiment(args.experiment, folder), args)


def counted(kind, net, **named):
    """An approach that notes the size of every batch, and what share of the epoch lies behind it."""
    class Appr(kind):
        def loss(self, batch):
            if self.model.training:
                self.sizes.append(len(batch)), self.shares.append(self.progress)
            return super().loss(batch)
    appr = Appr(net, **named)
    appr.sizes, appr.shares = [], []
    return appr


def test_iterations_are_steps_of_whole_batches_over_reshuffled_data(capsys):
    appr = counted(sgd.Appr, mlp.Net(SIZE, TASKCLA, 1, 8), nepochs=1, sbatch=30)
    appr.recipe.iterations, x, y = 7, DATA[0]['train']['x'][:100], DATA[0]['train']['y'][:100] % 4
    appr.train(0, x, y, x, y)
    assert appr.sizes == [30] * 7 and capsys.readouterr().out.count('| Epoch') == 3
    assert appr.shares == [0, 1 / 3, 2 / 3, 0, 1 / 3, 2 / 3, 0]
    appr.sbatch, appr.sizes, appr.recipe.iterations = 300, [], 2  # more than there are
    appr.train(1, x, y, x, y)
    assert appr.sizes == [100] * 2
    appr.recipe.iterations, appr.sbatch, appr.sizes, appr.nepochs = None, 30, [], 2
    appr.train(2, x, y, x, y)
    assert appr.sizes == [30, 30, 30, 10] * 2


def test_hat_s_gates_close_within_the_last_part_of_an_epoch_too():
    appr = counted(hat.Appr, mlp_hat.Net(SIZE, TASKCLA, 1, 8), sbatch=30)
    appr.recipe.iterations, x, y = 5, DATA[0]['train']['x'][:120], DATA[0]['train']['y'][:120] % 4
    appr.train(0, x, y, x, y)
    assert appr.shares == [0, 1 / 4, 2 / 4, 3 / 4, 0]
    appr.recipe.iterations, appr.shares = 6, []
    appr.train(1, x, y, x, y)
    assert appr.shares[4:] == [0, 1 / 2]


def test_pixels_can_stay_in_0_to_1_and_be_padded_with_black(data_dir):
    arrays = raw.load('mnist', data_dir)
    for experiment in ('smnist', 'permuted:mnist:3', 'rotated:mnist:3'):
        plain = load(data_dir, '--experiment', experiment, '--pc-valid', '0')
        data, taskcla, size = load(data_dir, '--experiment', experiment, '--pc-valid', '0', '--pixels', 'unit', '--pad', '2')
        x, before = data[1]['train']['x'], plain[0][1]['train']['x']
        assert size == [1, 32, 32] and list(x.shape[1:]) == size and data['normalisation'] == {'mnist': {'mean': (0.,), 'std': (1.,)}}
        assert torch.allclose(x[:, :, 2:-2, 2:-2], before * .3081 + .1307, atol=1e-6)
        assert not x[:, :, :2].any() and not x[..., -2:].any()
    grey, _, size = load(data_dir, '--experiment', 'smnist', '--pc-valid', '0', '--pad', '1')
    assert size == [1, 30, 30] and torch.allclose(grey[0]['test']['x'][:, :, 0], torch.tensor(-.1307 / .3081))
    y = arrays['y_train']
    assert torch.equal(grey[0]['train']['y'], torch.from_numpy(y[y < 2]))


def test_classes_can_come_in_an_order_of_the_seed(data_dir):
    arrays, orders = raw.load('mnist', data_dir), set()
    for seed in ('1', '2'):
        data, taskcla, _ = load(data_dir, '--experiment', 'split:mnist:4', '--seed', seed, '--class-order', 'seed', '--pc-valid', '0')
        names = [list(map(int, data[t]['name'].split('-')[1:])) for t, _ in taskcla]
        assert sorted(sum(names, [])) == list(range(10)) and [len(n) for n in names] == [n for _, n in taskcla] == [3, 3, 2, 2]
        for t, classes in enumerate(names):
            for label, c in enumerate(classes):
                found = data[t]['test']['x'][data[t]['test']['y'] == label]
                expected = torch.from_numpy(arrays['x_test'][arrays['y_test'] == c]).float()[:, None]
                assert torch.allclose(found, (expected / 255 - .1307) / .3081, atol=1e-5)
        orders.add(str(names))
    assert len(orders) == 2


def test_they_are_part_of_the_configuration_and_named_only_if_given(data_dir, tmp_path):
    base = ['--experiment', 'smnist', '--approach', 'sgd', '--tasks', '0', '--data-dir', data_dir, '--output', tmp_path / 'o.txt',
            '--net', 'nhid=8,nlayers=1', '--device', 'cpu']
    run.main([str(a) for a in [*base, '--iterations', '3', '--pixels', 'unit', '--pad', '1', '--class-order', 'seed']])
    config = json.loads((tmp_path / 'o.json').read_text())['config']
    assert (config['iterations'], config['pixels'], config['pad'], config['class_order']) == (3, 'unit', 1, 'seed')
    settings = options.settings(options.parse([str(a) for a in base])[0])
    assert not {'iterations', 'pixels', 'pad', 'class_order'} & settings.keys()


@pytest.mark.parametrize('more, says', [
    (['--approach', 'sgd', '--experiment', 'pmnist', '--class-order', 'seed'], 'does not split the classes'),
    (['--approach', 'sgd', '--experiment', 'smnist', '--joined-heads', '--scenario', 'domain', '--optimizer', 'adam'], 'uses all heads'),
    (['--approach', 'sgd', '--experiment', 'smnist', '--iterations', '0'], '>= 1'),
    (['--approach', 'sgd', '--experiment', 'smnist', '--pad', '-1'], '>= 0')])
def test_what_does_not_go_together_is_refused(more, says, data_dir, tmp_path, refused):
    assert says in refused(run.main, [*more, '--data-dir', data_dir, '--output', tmp_path / 'o.txt'])


TASKS = [(t, 4) for t in range(3)]


def one_layer(optimizer, lamb):
    """Trains a network of one output layer for three tasks of 4 on the first two, on the second held to where the first ended by
    lamb / 2 times the squared distance; returns that layer's weights."""
    utils.seed_everything(0)
    net = mlp.Net(SIZE, TASKS, 1, 8, pdrop=0)
    out = torch.nn.Linear(8, 12)
    out.weight.data, out.bias.data = torch.cat([h.weight.data for h in net.last]), torch.cat([h.bias.data for h in net.last])
    params, old = [*net.fc1.parameters(), *out.parameters()], None
    descent = optimizer(params)
    for t in range(2):
        for b in range(6):
            x, y = DATA[t]['train']['x'][20 * b:20 * b + 20], DATA[t]['train']['y'][20 * b:20 * b + 20] % 4
            logits = out(net.fc1(x.flatten(1)).relu())[:, 4 * t:4 * t + 4]
            loss = torch.nn.functional.cross_entropy(logits, y)
            if old is not None:
                loss = loss + lamb / 2 * sum((p - q).square().sum() for p, q in zip(params, old))
            descent.zero_grad()
            loss.backward()
            descent.step()
        old = [p.detach().clone() for p in params]
    return out.weight


@pytest.mark.parametrize('lamb', [0, 3])
@pytest.mark.parametrize('how, optimizer', [
    (['--optimizer', 'adam', '--lr', '0.01'], lambda p: torch.optim.Adam(p, lr=.01)),
    (['--momentum', '0.9', '--weight-decay', '0.1'], lambda p: torch.optim.SGD(p, lr=.05, momentum=.9, weight_decay=.1))])
def test_joined_heads_descend_as_one_layer_does(how, optimizer, lamb, monkeypatch, capsys):
    monkeypatch.setattr(np.random, 'shuffle', lambda r: None)
    args, approach = options.parse(['--experiment', 'smnist', '--approach', 'l2', '--lamb', str(lamb), '--keep-optimizer',
                                    '--joined-heads', '--no-patience', *how])
    ends = []
    for joined in (True, False):
        utils.seed_everything(0)
        appr = approach(mlp.Net(SIZE, TASKS, 1, 8, pdrop=0), nepochs=1, sbatch=20, lr=args.lr, **args.named)
        build.set_optimizer(appr, args.but(joined_heads=joined))
        for t in range(2):
            x, y = DATA[t]['train']['x'][:120], DATA[t]['train']['y'][:120] % 4
            appr.train(t, x, y, x, y)
        ends.append(torch.cat([h.weight for h in appr.model.last]))
    assert torch.allclose(ends[0], one_layer(optimizer, lamb), atol=1e-5)
    assert (ends[0] - ends[1])[:4].abs().max() > 1e-3  # the first task's head goes on
    capsys.readouterr()


def learnt(kind, **named):
    """(approach that has learnt the first of two tasks of two classes, its images, their labels)."""
    utils.seed_everything(0)
    appr = kind(mlp.Net(SIZE, [(0, 2), (1, 2)], 1, 8, pdrop=0), nepochs=3, sbatch=24, buffer='balanced', buffer_size=24, **named)
    x, y = DATA[0]['train']['x'][:24], DATA[0]['train']['y'][:24] % 2
    appr.train(0, x, y, x, y)
    appr.configure(seen=2)
    return appr, x, y


@pytest.mark.parametrize('joined', [False, True])
def test_a_gradient_is_projected_with_heads_that_the_batch_does_not_use_if_they_are_joined(joined, capsys):
    appr, x, y = learnt(agem.Appr, lr=.01)
    appr.recipe.joined_heads, (old, new) = joined, appr.model.heads()
    new.load_state_dict({n: -p for n, p in old.state_dict().items()})  # so that the second task goes against the first
    before = old.weight.detach().clone()
    appr.model.train()
    appr.step(batch_of(1, x, y))
    assert torch.equal(old.weight, before) != joined
    capsys.readouterr()


def test_ewc_er_holds_heads_that_only_replayed_samples_train(capsys):
    appr, _, _ = learnt(ewc_er.Appr, lr=.01)
    assert appr.penalty() == 0
    with torch.no_grad():
        appr.model.heads()[0].weight.add_(.1)
    assert appr.penalty() > 0
    capsys.readouterr()


def test_images_that_are_no_bytes_stay_as_they_are():
    args = argparse.Namespace(pixels='unit', pad=0, experiment='mine')
    with pytest.raises(UserError, match='--pixels: the images of mine come as they are'):
        build.reshaped(DATA, TASKCLA, SIZE, args)
