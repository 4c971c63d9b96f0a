"""How networks are trained today: augmentation, and schedules of the learning rate."""
import json
import sys

import numpy as np
import pytest
import torch

import run
from approaches import der, sgd
from dataloaders import images
from dataloaders.augment import Augment
from dataloaders.images import Images, Pixels
from dataloaders.joined import Joined, Kept, Transforms
from learning.batch import Batch
from learning.schedule import Schedule
from networks import mlp
from results import epochs
from runs import checkpoint, place, sequence
from runs.stopping import Stop
from utils import UserError

COLOUR = torch.arange(400 * 8 * 8 * 3).remainder(251).add(1).to(torch.uint8).view(400, 8, 8, 3)  # no pixel is 0


def moved(x, dy, dx):
    """An image [H,W,C] whose pixel (i, j) is x[i + dy, j + dx], 0 outside."""
    out = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if 0 <= i + dy < x.shape[0] and 0 <= j + dx < x.shape[1]:
                out[i, j] = x[i + dy, j + dx]
    return out


def test_a_crop_moves_each_image_by_itself():
    found = set()
    for before, after in zip(COLOUR, Augment('crop:2')(COLOUR)):
        shifts = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if torch.equal(after, moved(before, dy, dx))]
        assert len(shifts) == 1
        found.update(shifts)
    assert len(found) == 25


def test_a_flip_exchanges_left_and_right_of_about_half():
    after = Augment('flip')(COLOUR)
    flipped = [torch.equal(a, b.flip(1)) for a, b in zip(after, COLOUR)]
    same = [torch.equal(a, b) for a, b in zip(after, COLOUR)]
    assert all(a != b for a, b in zip(flipped, same)) and 140 < sum(flipped) < 260


def test_cutout_leaves_a_square_of_zeros_that_the_border_may_cut():
    sizes = set()
    for before, after in zip(COLOUR, Augment('cutout:3')(COLOUR)):
        gone = (after == 0).all(2)
        rows, columns = gone.any(1).nonzero().flatten(), gone.any(0).nonzero().flatten()
        assert gone.sum() == len(rows) * len(columns) and torch.equal(after[~gone], before[~gone])
        assert rows[-1] - rows[0] == len(rows) - 1 and columns[-1] - columns[0] == len(columns) - 1
        sizes.add((len(rows), len(columns)))
    assert sizes == {(a, b) for a in (2, 3) for b in (2, 3)}


def test_a_rotation_turns_each_image_by_an_angle_of_its_own():
    x = torch.zeros(200, 21, 21, dtype=torch.uint8)
    x[:, 9:12, 17:20] = 255
    weights = Augment('rotate:30')(x).float()
    side, mass = torch.arange(21.) - 10, weights.sum((1, 2))
    dy, dx = (weights.sum(2) * side).sum(1) / mass, (weights.sum(1) * side).sum(1) / mass
    angles = torch.rad2deg(torch.atan2(-dy, dx))
    assert ((dy ** 2 + dx ** 2).sqrt() - 8).abs().max() < .1
    assert angles.min() < -25 and angles.max() > 25 and angles.abs().max() < 30.5


ALL = 'crop:2,flip,rotate:20,cutout:3'


@pytest.mark.parametrize('text', ['crop:2', 'flip', 'rotate:20', 'cutout:3', ALL])
def test_grey_images_and_floats_and_single_ones_are_treated_alike(text):
    colour = Augment(text, 3)(COLOUR)
    assert colour.dtype == torch.uint8 and colour.shape == COLOUR.shape and not torch.equal(colour, COLOUR)
    assert torch.equal(Augment(text, 3)(COLOUR[..., 0]), colour[..., 0])
    floats = Augment(text, 3)(COLOUR.permute(0, 3, 1, 2).float())
    assert floats.dtype == torch.float32 and floats.is_contiguous()
    assert (floats.permute(0, 2, 3, 1) - colour.float()).abs().max() <= .5 + 1e-3
    one = Augment(text)
    assert torch.cat([one(COLOUR[k:k + 1]) for k in range(5)]).shape == (5, 8, 8, 3)


def test_random_numbers_are_its_own():
    before, numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, other = Augment(ALL, 1), Augment(ALL, 2)
    a, state = first(COLOUR), first.state
    b = first(COLOUR)
    assert torch.equal(torch.get_rng_state(), before) and (np.random.get_state()[1] == numpy).all()
    assert not torch.equal(a, b) and not torch.equal(a, other(COLOUR))
    other.state = state
    assert torch.equal(other(COLOUR), b)


class Inverted:
    """What stands for an augmentation: the bytes' or floats' negative."""

    def __call__(self, x):
        return -x if x.is_floating_point() else 255 - x


def of_images(whole):
    """(two Images of one source and other permutations, what 255 - bytes become of them all); whole: whether their floats are
    made at once."""
    order = np.random.RandomState(0).permutation(64)
    pixels = [Pixels((.4,), (.3,), (3, 12, 12), p) for p in (order, order[::-1].copy())]
    sets = [Images(COLOUR[k:k + 40], p, torch.arange(30)) for k, p in zip((0, 40), pixels)]
    return sets, torch.cat([p(255 - x.raw(slice(None))) for x, p in zip(sets, pixels)])


@pytest.mark.parametrize('whole', [True, False])
def test_it_comes_before_permutation_padding_and_normalisation(whole, monkeypatch):
    if not whole:
        for module in (images, sys.modules[Joined.__module__]):
            monkeypatch.setattr(module, 'WHOLE', 0)
    sets, expected = of_images(whole)
    y, rows = torch.arange(60) % 3, torch.tensor([3, 50, 7, 31])
    plain = torch.cat([x[:] for x in sets])
    batch = Batch.of(1, sets[1], y[:30], torch.tensor([4, 2]), 'cpu', Inverted())
    assert torch.equal(batch.x, expected[[34, 32]]) and torch.equal(batch.plain, plain[[34, 32]])
    assert torch.equal(batch.raw, COLOUR[[44, 42]]) and batch.task == 1
    shared = [Images(COLOUR, x.pixels, torch.arange(k, k + 30)) for x, k in zip(sets, (0, 40))]  # made together
    floats = [(0, sets[0]), (1, plain[30:])]
    kept = [(0, sets[0]), (torch.ones(30, dtype=torch.int64), Kept(COLOUR[40:70].flatten(1), torch.ones(30, dtype=torch.int64),
            Transforms({u: (x.pixels, (8, 8, 3)) for u, x in enumerate(sets)})))]
    for parts in ([(0, sets[0]), (1, sets[1])], [(0, shared[0]), (1, shared[1])], kept, floats):
        joined = Joined(parts)
        batch = Batch.of(1, joined, y, rows, 'cpu', Inverted())
        wanted = expected if parts is not floats else torch.cat([expected[:30], -plain[30:]])
        assert torch.equal(batch.x, wanted[rows]) and batch.t.tolist() == [0, 1, 0, 1]
        assert torch.equal(batch.plain, plain[rows]) and torch.equal(joined[rows], plain[rows])
        assert torch.equal(Batch.of(1, joined, y, rows, 'cpu').x, plain[rows])
    both = batch[:2] + Batch(plain[:1], y[:1], task=0)
    assert torch.equal(both.plain, torch.cat([plain[rows[:2]], plain[:1]])) and len(both) == 3


@pytest.mark.parametrize('bytes_', [True, False])
def test_a_buffer_keeps_images_as_they_were_and_gives_them_augmented_anew(bytes_, capsys):
    sets, _ = of_images(True)
    x, y, size = sets[0] if bytes_ else sets[0][:], torch.arange(30) % 3, [3, 12, 12]
    appr = der.Appr(mlp.Net(size, [(0, 3), (1, 3)], 1, 8, pdrop=0), nepochs=1, sbatch=10, buffer_size=40, lr=1e-9)
    appr.transforms.update({0: (sets[0].pixels, (8, 8, 3))} if bytes_ else {})
    appr.recipe.augment, drawn = Augment('crop:3'), []
    appr.train(0, x, y, x, y)
    kept, plain = appr.memory.take(torch.arange(30)), sets[0][:]
    places = [next(k for k in range(30) if torch.equal(row, plain[k])) for row in kept.x]
    assert sorted(places) == list(range(30)) and (appr.memory.x.dtype == torch.uint8) == bytes_
    with torch.no_grad():
        assert not torch.allclose(torch.cat(appr.model(kept.x), 1), kept.z, atol=1e-3)  # of the augmented image
    for _ in range(2):
        drawn.append(appr.memory.take(torch.arange(30), augment=appr.recipe.augment).x)
    assert not torch.equal(*drawn) and not torch.equal(drawn[0], kept.x)
    capsys.readouterr()


RUN = ['--tasks', '0,1', '--net', 'nhid=12,nlayers=1', '--device', 'cpu', '--sbatch', '50']


@pytest.fixture
def tried(data_dir, tmp_path):
    """Runs a command line on small data sets; returns its output's path."""
    def call(text, *more, name='o'):
        output = tmp_path / (name + '.txt')
        words = text.split()
        default = ['--experiment', 'smnist', '--nepochs', '3']
        for option, value in zip(default[::2], default[1::2]):
            words += [] if option in words or option == '--nepochs' and '--iterations' in words else [option, value]
        run.main([*RUN, *words, '--data-dir', str(data_dir), '--output', str(output), *map(str, more)])
        return output
    return call


N = 36  # training images of a task of these
OWN = 2 * 2 * N  # in two epochs of two tasks
COUNTS = {'sgd': OWN, 'ewc': OWN, 'ewc --fisher sample': OWN, 'mas': OWN, 'hat': OWN, 'dgr': OWN, 'packnet --retrain 2': 2 * OWN,
          'joint': OWN + 2 * N, 'er': OWN + 2 * N, 'derpp': OWN + 7 * 18 + 8 * 18, 'gem': OWN + 8 * N,
          'icarl --scenario class --buffer-size 8': OWN + 2 * 8, 'er-ace': OWN + 2 * N,
          'gdumb --passes 2 --memory-sbatch 9 --buffer-size 20': 2 * 2 * 20}


@pytest.mark.parametrize('approach', COUNTS)
def test_only_what_is_trained_on_is_augmented(approach, tried, monkeypatch, capsys):
    counts, call = [], Augment.__call__
    monkeypatch.setattr(Augment, '__call__', lambda self, x: counts.append(len(x)) or call(self, x))
    tried('--approach %s --nepochs 2 --augment crop:2' % approach, '--sbatch', '9', *['--no-patience'] * ('gdumb' not in approach))
    assert sum(counts) == COUNTS[approach]
    capsys.readouterr()


def test_it_is_off_where_a_few_samples_are_to_be_fitted(tried, monkeypatch, capsys):
    monkeypatch.setattr(Augment, '__call__', lambda *_: 1 / 0)
    tried('--approach sgd --nepochs 200 --net nhid=100 --augment crop:9,flip', '--overfit', '4')
    assert 'Overfit: 4 of 4' in capsys.readouterr().out


STOPPED = ['er --augment crop:4,flip --schedule cosine', 'derpp --augment rotate:9,cutout:5 --sbatch 1',
           'icarl --scenario class --augment crop:4 --warmup 2', 'joint --augment crop:4 --experiment permuted:mnist:2 --pad 2',
           'packnet --retrain 3 --schedule multistep:1,2:0.3 --warmup 1', 'hat --schedule cosine --augment crop:1 --plain --iterations 7',
           'sgd --optimizer adam --keep-optimizer --schedule cosine --iterations 7 --warmup 2', 'gem --augment crop:4', 'er --iterations 7 --optimizer adam --keep-optimizer --joined-heads']


@pytest.mark.parametrize('command, after', [(command, 1 + 2 * k % 5) for k, command in enumerate(STOPPED)])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(command, after, tried, tmp_path, monkeypatch, capsys, one_thread):
    command, tell = '--approach ' + command, sequence.Sequence.epoch
    outputs = [tried(command, '--keep-checkpoint', name='whole')]

    def stop(self):
        tell(self)
        self.epochs_told = getattr(self, 'epochs_told', 0) + 1
        if self.epochs_told == after:
            raise Stop(15)
    with monkeypatch.context() as m, pytest.raises(SystemExit):
        m.setattr(sequence.Sequence, 'epoch', stop)
        tried(command, name='o')
    outputs.append(tried(command, '--keep-checkpoint', '--resume'))
    whole, resumed = (checkpoint.load(place.folder(o) / place.STATE) for o in outputs)
    assert 'Resuming in task' in capsys.readouterr().out
    assert all(torch.equal(v, resumed['model'][n]) for n, v in whole['model'].items())
    assert whole['augment'] is None and resumed['augment'] is None or torch.equal(whole['augment'], resumed['augment'])
    rows = [[{**r, 'seconds': 0} for r in epochs.load(place.folder(o) / 'epochs.csv')] for o in outputs]
    assert rows[0] == rows[1] and outputs[0].read_text() == outputs[1].read_text()


@pytest.mark.parametrize('text, warmup, theirs', [
    ('patience', 0, lambda o: []), ('constant', 0, lambda o: []),
    ('constant', 4, lambda o: [torch.optim.lr_scheduler.LinearLR(o, 1 / 4, total_iters=3)]),
    ('cosine', 0, lambda o: [torch.optim.lr_scheduler.CosineAnnealingLR(o, 12)]),
    ('cosine', 3, lambda o: [torch.optim.lr_scheduler.SequentialLR(o, [
        torch.optim.lr_scheduler.LinearLR(o, 1 / 3, total_iters=2), torch.optim.lr_scheduler.CosineAnnealingLR(o, 9)], [3])]),
    ('multistep:2,5,9:0.3', 0, lambda o: [torch.optim.lr_scheduler.MultiStepLR(o, [2, 5, 9], .3)])])
def test_a_schedule_is_that_of_pytorch(text, warmup, theirs):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=.2)
    schedulers, rates = theirs(optimizer), []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for s in schedulers:
            s.step()
    schedule = Schedule.of(text, warmup)
    assert [.2 * schedule.factor(e, 12) for e in range(12)] == pytest.approx(rates)


@pytest.mark.parametrize('command, factors', [
    ('sgd --nepochs 4 --schedule multistep:1,3:0.5', [1, .5, .5, .25] * 2),
    ('sgd --nepochs 4 --schedule cosine', [1, (1 + .5 ** .5) / 2, .5, (1 - .5 ** .5) / 2] * 2),
    ('sgd --nepochs 4 --schedule constant --warmup 4 --optimizer adam --lr 0.1 --keep-optimizer', [.25, .5, .75, 1] * 2),
    ('sgd --nepochs 4 --warmup 2 --plain', [.5, 1, 1, 1] * 2), ('hat --nepochs 4 --schedule cosine --warmup 1',
                                                                [1, 1, .75, .25] * 2),
    ('packnet --nepochs 3 --retrain 2 --schedule cosine', [1, .75, .25, 1, .5] * 2),
    ('sgd --iterations 3 --schedule cosine', [1, .75, .25] * 2)])
def test_the_rate_of_every_epoch_is_in_the_table_of_epochs(command, factors, tried, capsys):
    output, lr = tried('--approach ' + command), .1 if 'adam' in command else .05
    found = [row['lr'] for row in epochs.load(place.folder(output) / 'epochs.csv')]
    assert found == pytest.approx([lr * f for f in factors], rel=1e-5)
    assert (' | *' in capsys.readouterr().out) == ('--schedule' not in command)


def test_steps_are_as_long_as_the_rate_says(capsys):
    """Of a loss whose gradient is always 1, the weights tell the sum of the rates, of each group its own."""
    class Falling(sgd.Appr):
        def criterion(self, output, targets):
            return sum(p.sum() for p in self.trainable())

        def _get_optimizer(self, lr):
            params = self.trainable()
            return torch.optim.SGD([{'params': params[:1]}, {'params': params[1:], 'lr': lr / 10}], lr=lr)
    x, y = torch.randn(20, 1, 4, 4), torch.arange(20) % 2
    for patience in (True, False):
        appr = Falling(mlp.Net([1, 4, 4], [(0, 2), (1, 2)], 1, 3, pdrop=0), nepochs=4, sbatch=20, clipgrad=1e9, lr=.1)
        appr.recipe.schedule, appr.recipe.patience = Schedule.of('cosine', 2), patience
        for t in (0, 1):
            before = [p.detach().clone() for p in appr.trainable()]
            appr.train(t, x, y, x, y)
            steps = [(b - p).detach() for b, p in zip(before, appr.trainable())]
            assert torch.allclose(steps[0], torch.full_like(steps[0], .1 * (.5 + 1 + 1 + .5)), atol=1e-5)
            assert torch.allclose(steps[1], torch.full_like(steps[1], .01 * (.5 + 1 + 1 + .5)), atol=1e-5)
    capsys.readouterr()


def test_a_fall_of_patience_and_the_warm_up_go_together(capsys):
    class Worse(sgd.Appr):
        def end_epoch(self, t, e, train, valid):
            rates.append(self.optimizer.param_groups[0]['lr'])

        def eval(self, t, x, y):
            return self.at['epoch'] + 1., 0.
    rates, x = [], torch.randn(20, 1, 4, 4)
    appr = Worse(mlp.Net([1, 4, 4], [(0, 2)], 1, 3), nepochs=7, lr=.09, lr_patience=2)
    appr.recipe.schedule = Schedule(warmup=4)
    appr.train(0, x, torch.arange(20) % 2, x, torch.arange(20) % 2)
    assert rates == pytest.approx([.09 / 4, .09 / 2, .09 * 3 / 4, .03, .03, .01, .01])
    capsys.readouterr()


def test_they_are_part_of_the_configuration_if_they_are_given(tried, tmp_path, refused, capsys):
    command = '--approach sgd --augment crop:4,flip --schedule cosine --warmup 1'
    output = tried(command)
    assert capsys.readouterr().err.count('mirrored') == 1
    config = json.loads(output.with_suffix('.json').read_text())['config']
    assert (config['augment'], config['schedule'], config['warmup']) == ('crop:4,flip', 'cosine', 1)
    argv = [*RUN, *command.replace('4', '5').split(), '--experiment', 'smnist', '--nepochs', '3', '--output', output]
    assert 'augment' in refused(run.main, [*argv, '--data-dir', tmp_path / 'dat'])
    config = json.loads(tried('--approach sgd', name='p').with_suffix('.json').read_text())['config']
    assert not {'augment', 'schedule', 'warmup'} & config.keys()


FLOATS = '''import torch
network = 'mlp'
def get(seed=0):
    data = {t: {'name': 'f%d' % t, 'ncla': 2} for t in (0, 1)}
    for t in data:
        for s in ('train', 'valid', 'test'):
            data[t][s] = {'x': torch.rand(30, 1, 6, 6) + t, 'y': torch.arange(30) % 2}
    return data, [(0, 2), (1, 2)], [1, 6, 6]
'''
OWN_BATCHES = '''"""Makes its batches itself."""
from approaches import sgd
class Appr(sgd.Appr):
    def train_epoch(self, t, x, y):
        super().train_epoch(t, x, y)
'''
OWN_LOOP = '''"""Has a loop of its own."""
class Appr:
    def __init__(self, model, nepochs=1, lr=1.):
        self.model = model
'''


@pytest.fixture
def dropped_in(tmp_path, monkeypatch):
    """Further files among the choices: an experiment of floats, two approaches."""
    import approaches
    import dataloaders
    for name, text, package in (('my_floats', FLOATS, dataloaders), ('my_batches', OWN_BATCHES, approaches),
                                ('my_loop', OWN_LOOP, approaches)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / (name + '.py')).write_text(text)
        monkeypatch.setattr(package, '__path__', [*package.__path__, str(folder)])


@pytest.mark.parametrize('approach', ['er', 'icarl --scenario class', 'joint'])
def test_floats_are_augmented_as_they_are(approach, tried, dropped_in, capsys):
    tried('--approach %s --experiment my-floats --augment %s' % (approach, ALL))
    assert 'black is not known: 0 stands for it' in capsys.readouterr().err


@pytest.mark.parametrize('name, warns', [('cifar10', False), ('fashion-mnist', False), ('svhn', True), ('notmnist', True)])
def test_a_flip_of_letters_is_warned_of(name, warns, tried, capsys):
    tried('--approach sgd --network mlp --nepochs 1 --augment flip --experiment split:%s:5' % name)
    assert capsys.readouterr().err.count('--augment flip: of ' + name) == warns


@pytest.mark.parametrize('more, says', [
    ('sgd --augment crop', 'expected some of'), ('sgd --augment flip:2', 'expected some of'),
    ('sgd --augment crop:0', 'expected some of'), ('sgd --augment rotate:181', 'expected some of'),
    ('sgd --augment crop:1,,flip', 'expected some of'), ('sgd --augment crop:٤', 'expected some of'),
    ('sgd --augment flip,flip', 'named twice'), ('sgd --augment crop:28', 'images of 28x28'),
    ('sgd --augment cutout:40 --pad 30', 'images of 28x28'), ('my-loop --augment flip', 'training loop of its own'),
    ('my-loop --schedule cosine', 'training loop of its own'), ('my-batches --augment flip', 'a train_epoch of its own'),
    ('sgd --schedule step', 'expected patience'), ('sgd --schedule multistep:5,5:0.1', 'rising'),
    ('sgd --schedule multistep:5', 'multistep:30'), ('sgd --schedule multistep:5:0.0', 'between 0 and 1'),
    ('sgd --schedule multistep:5:2', 'between 0 and 1'), ('sgd --schedule multistep:0:.1', 'multistep:30'),
    ('sgd --schedule cosine --no-patience', 'give one of them'), ('sgd --warmup 4', '--nepochs 3'),
    ('sgd --warmup -1', '>= 0'), ('pathnet --schedule constant', 'a patience of its own'),
    ('pathnet --warmup 1', 'a patience of its own')])
def test_what_cannot_be_is_refused(more, says, data_dir, tmp_path, refused, dropped_in):
    argv = ['--approach', *more.split(), '--experiment', 'smnist', '--nepochs', '3', '--data-dir', data_dir]
    assert says in refused(run.main, [*argv, '--output', tmp_path / 'o.txt'])


@pytest.mark.parametrize('more', ['--schedule constant', '--no-patience', '--no-patience --schedule constant'])
def test_without_patience_there_is_no_least_rate(more, tried, capsys):
    assert tried('--approach sgd --lr 1e-6 ' + more).exists()
    capsys.readouterr()


def test_a_checkpoint_without_the_state_of_its_generator_does_not_fit(tried, tmp_path, monkeypatch, refused, capsys):
    output = tried('--approach sgd --augment crop:4', '--keep-checkpoint')
    path = place.folder(output) / place.STATE
    state = checkpoint.load(path)
    appr = sgd.Appr(mlp.Net([1, 28, 28], [(0, 2), (1, 2)], 1, 12))
    for broken in (None, torch.zeros(3), torch.zeros(9, dtype=torch.uint8)):
        appr.recipe.augment = Augment('crop:4')
        with pytest.raises(UserError, match='does not fit'):
            checkpoint.Checkpoint(output, {}).restore({**state, 'augment': broken}, appr, 2)
    capsys.readouterr()
