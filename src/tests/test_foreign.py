"""Files that were written for the original's layout run once dropped in, and say what they miss if they do not."""
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import approaches
import dataloaders
import networks
import run
import run_multi
import discovery
import utils
from approaches import hat
from networks import gated
from utils import UserError

DROPINS = Path(__file__).parent / 'dropins'
THEIRS = ['--experiment', 'their-data', '--nepochs', '3', '--device', 'cpu']
SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu']
EWC = ['--approach', 'their-ewc', '--set', 'temperature=2', '--parameter', '5']


@pytest.fixture
def dropped(tmp_path, monkeypatch):
    """The files in their folders, and a folder to drop more approaches into."""
    (tmp_path / 'more').mkdir()
    for package in (approaches, dataloaders, networks):
        more = [str(tmp_path / 'more')] * (package is not networks)
        monkeypatch.setattr(package, '__path__', [*package.__path__, str(DROPINS / package.__name__), *more])
    yield tmp_path / 'more'
    for name in [n for n in sys.modules if n.split('.')[0] in ('approaches', 'dataloaders', 'networks')]:
        if str(getattr(sys.modules[name], '__file__', '')).startswith((str(DROPINS), str(tmp_path))):
            del sys.modules[name]


def test_an_approach_with_a_loop_and_the_helpers_of_its_own_layout(dropped, tmp_path, capsys):
    output = tmp_path / 'o.txt'
    acc = run.main([*THEIRS, *EWC, '--output', str(output)])
    assert acc.shape == (3, 3) and acc[np.tril_indices(3)].min() > .7
    printed = capsys.readouterr().out
    assert 'nepochs=3 is passed, its own default is 100' in printed and 'keeps no checkpoint' in printed
    assert 'lr=' not in printed.split('is passed')[0].splitlines()[-1]  # its own default is what is passed
    config = json.loads((tmp_path / 'o.json').read_text())['config']
    assert config['set'] == {'temperature': 2} and config['parameter'] == '5'
    assert (run.main([*THEIRS, *EWC, '--output', str(output)]) == acc).all()  # the same configuration, done anew


def test_a_gated_network_of_its_own_and_tensors_as_results(dropped, tmp_path, capsys):
    acc = run.main([*THEIRS[2:], '--experiment', 'glyphs', '--tasks', '0,1', '--approach', 'their-hat', '--lr', '0.2', '--output',
                    str(tmp_path / 'o.txt')])
    assert acc.shape == (2, 2) and acc[0, 0] > .4 and 'mlp_their_hat' in capsys.readouterr().out


@pytest.mark.parametrize('approach', ['hat', 'hat-test', 'sgd', 'sgd-frozen', 'ewc', 'lwf', 'imm-mode', 'joint', 'random'])
def test_the_project_s_approaches_run_on_networks_and_data_of_that_layout(approach, dropped, tmp_path, capsys):
    """The gated one has a layer called encoder; the plain one calls its heads outs."""
    acc = run.main([*THEIRS, '--nepochs', '6', '--lr', '0.1', '--approach', approach, '--output', str(tmp_path / 'o.txt')])
    assert acc.shape == (3, 3)
    if approach in ('hat', 'sgd-frozen'):
        assert (abs(acc[2] - np.diag(acc)) < .02).all() and np.diag(acc).min() > .6


def net_of(name):
    """An instance of a dropped-in network for two tasks."""
    torch.manual_seed(0)
    return discovery.load('networks', name).Net([1, 12, 12], [(0, 2), (1, 2)])


def test_hat_compensates_the_embeddings_alone_and_protects_what_was_attended(dropped, capsys):
    net = net_of('residual_hat')
    appr = hat.Appr(net, nepochs=1, sbatch=8, lr=.05)
    x, y = torch.randn(64, 1, 12, 12), torch.arange(64) % 2
    appr.train(0, x, y, x, y)
    before, view = utils.get_model(net), net.get_view_for('encoder.weight', appr.mask_pre)
    assert before['encoder.weight'].abs().max() < 6  # a stem that was taken for an embedding would be beyond
    appr.train(1, x, 1 - y, x, 1 - y)
    assert torch.equal(net.encoder.weight[view == 1], before['encoder.weight'][view == 1]) and (view == 1).any()
    assert not torch.equal(net.encoder.weight, before['encoder.weight'])


@pytest.mark.parametrize('change, says', [
    (lambda net: setattr(net, 'mask', None), 'no mask()'),
    (lambda net: setattr(net, 'get_view_for', None), 'no get_view_for()'),
    (lambda net: setattr(net, 'mask', lambda t, s=1: [torch.ones(1, 100)]), 'embeddings'),
    (lambda net: setattr(net, 'mask', lambda t, s=1: torch.ones(2, 1, 90)), 'embeddings'),
    (lambda net: setattr(net, 'get_view_for', lambda n, masks: masks[0] if n == 'fc1.weight' else torch.ones(7)), 'encoder.weight'),
    (lambda net: setattr(net, 'get_view_for', lambda n, masks: 3), 'get_view_for'),
    (lambda net: setattr(net, 'last', None), 'heads()')])
def test_gated_networks_that_cannot_be_are_refused_when_built(change, says, dropped):
    net = net_of('residual_hat')
    change(net)
    with pytest.raises(UserError) as e:
        hat.Appr(net)
    assert says in str(e.value) and '\n' not in str(e.value)


def test_what_nothing_protects_is_said(dropped):
    net = net_of('residual_hat')
    views = net.get_view_for
    net.get_view_for = lambda n, masks: None if n.startswith('encoder') else views(n, masks)
    with pytest.warns(UserWarning, match='encoder.weight, encoder.bias, which are neither heads nor embeddings'):
        gated.check(net)


def test_a_network_that_does_not_say_what_its_heads_are_is_refused(dropped, refused, tmp_path, monkeypatch):
    monkeypatch.delattr(discovery.load('networks', 'residual').Net, 'heads')
    line = refused(run.main, [*THEIRS, '--approach', 'sgd-frozen', '--output', tmp_path / 'o.txt'])
    assert 'networks.residual.Net does not say what its heads are' in line


@pytest.mark.parametrize('argv, says', [
    ([*EWC, '--resume'], ['--resume', 'keeps no checkpoint']), ([*EWC, '--keep-checkpoint'], ['--keep-checkpoint']),
    ([*EWC, '--save'], ['--save', 'keeps no model']), ([*EWC, '--optimizer', 'adam'], ['--optimizer', 'a training loop of its own']),
    (['--approach', 'their-hat', '--lr-patience', '3'], ['--lr-patience', 'does not take lr_patience']),
    (['--approach', 'their-ewc', '--set', 'seed=3'], ['seed=3', 'already']), (['--approach', 'their-ewc', '--set', 'a'], ['name=value']),
    (['--approach', 'their-ewc', '--set', 'a=1,a=2'], ['twice']), (['--approach', 'their-ewc', '--set', 'x-y=2'], ['name=value']),
    (['--approach', 'hat', '--set', 'gamma=1'], ['--lamb, --smax'])])
def test_what_such_a_class_cannot_have_is_refused(argv, says, dropped, refused, tmp_path):
    line = refused(run.main, [*THEIRS, *argv, '--output', tmp_path / 'o.txt'])
    assert all(word in line for word in says), line


NORMALISED = [*THEIRS, '--network', 'normalised', '--sbatch', '17']  # tasks of 120 samples, 7 * 17 + 1


@pytest.mark.parametrize('argv', [
    ['sgd'], ['ewc'], ['er'], ['joint'], ['icarl', '--scenario', 'class'], ['packnet'], ['derpp'], ['gem'], ['lwf'], ['dgr', '--width', '9'],
    ['si'], ['sgd', '--iterations', '9'], ['joint', '--scenario', 'class', '--momentum', '.5'], ['er', '--iterations', '9']])
def test_a_rest_of_one_sample_joins_the_batch_before_it_where_batches_are_normalised(argv, dropped, tmp_path, capsys, monkeypatch):
    sizes, plain = [], torch.nn.BatchNorm1d.forward

    def seen(self, x):
        sizes.extend([len(x)] * self.training)
        return plain(self, x)
    monkeypatch.setattr(torch.nn.BatchNorm1d, 'forward', seen)
    command = [a for a in NORMALISED if '--iterations' not in argv or a not in ('--nepochs', '3')]
    acc = run.main([*command, '--approach', *argv, '--output', str(tmp_path / 'o.txt')])
    assert acc.shape == (3, 3) and min(sizes) > 1
    if argv == ['sgd']:
        assert sizes == 9 * ([17] * 6 + [18])
    if argv[0] == 'sgd' and len(argv) > 1:
        assert sizes == 27 * [17]


def test_without_batch_normalisation_in_training_batches_stay_what_they_are(dropped):
    from approaches import sgd
    from learning.fitting import batches
    plain, normalised = net_of('residual'), net_of('normalised')
    frozen = net_of('normalised').train()
    frozen.norm.eval()
    for net, ends in ((plain, [17, 18]), (frozen, [17, 18]), (normalised, [18])):
        appr = sgd.Appr(net, sbatch=17)
        for n, more in ((18, ends), (17, [17]), (1, [1]), (19, [17, 19])):
            assert [min(b.stop, n) for b in batches(appr, n)] == more
        appr.recipe.iterations = 5
        assert [b.stop for b in batches(appr, 35)] == [17, 34] and len(batches(appr, 1)) == 1


@pytest.mark.parametrize('argv, says', [
    (['--approach', 'sgd', '--sbatch', '1'], '--sbatch 1: give 2 or more'), (['--approach', 'sgd', '--overfit', '1'], 'a single training sample'),
    (['--approach', 'online-meta', '--sbatch', '10'], 'one by one'), (['--approach', 'er', '--buffer-size', '1', '--weighting', 'tasks'], '--buffer-size')])
def test_single_samples_where_batches_are_normalised_are_refused_in_one_line(argv, says, dropped, refused, tmp_path):
    line = refused(run.main, [*NORMALISED, *argv, '--output', tmp_path / 'o.txt'])
    assert 'batch normalisation needs two samples' in line and says in line


OWN = 'class Appr(object):\n    def __init__(self, model, nepochs=100, lr=0.05, args=None):\n        %s\n' \
      '    def train(self, t, xtrain, ytrain, xvalid, yvalid):\n        %s\n    def eval(self, t, x, y):\n        return 0, 0\n'


@pytest.mark.parametrize('source, says', [
    ('import utils\n' + OWN % ('utils.no_such_helper()', 'pass'), ['line 4', 'utils has no no_such_helper']),
    (OWN % ('self.g = args.gamma', 'pass'), ['args has no gamma', '--set gamma=VALUE, a number or a text']),
    ('import nowhere\n' + OWN % ('pass', 'pass'), ["No module named 'nowhere'", 'imports what is not there']),
    ('from torch.optim import Gone\n' + OWN % ('pass', 'pass'), ["cannot import name 'Gone' from 'torch.optim'"]),
    (OWN % ('self.model = model', 'outputs, masks = self.model(xtrain, s=1)'), ['line 5', 'variants']),
    (OWN % ('self.count = len(model)', 'pass'), ['line 3', "type 'Net'", '--network', 'variants']),
    (OWN % ('pass', 'self.ids = t[0]'), ['cumulative = True'])])
def test_an_error_in_a_dropped_in_file_shows_where_and_what_it_missed(source, says, dropped, tmp_path, capsys):
    (dropped / 'broken.py').write_text(source)
    with pytest.raises(SystemExit) as e:
        run.main([*SHORT, '--approach', 'broken', '--output', str(tmp_path / 'o.txt')])
    err = capsys.readouterr().err
    assert e.value.code == 1 and 'Traceback' in err
    last = err.strip().splitlines()[-1]
    assert last.startswith('run.py: ' + str(dropped / 'broken.py')) and all(word in last for word in says), last
    assert ('goes to src' in last) == ('import nowhere' in source)


@pytest.mark.parametrize('source, says', [
    ('from approaches import base\nclass Appr(base.Appr):\n    def end_tasks(self, t, x, y):\n        pass\n', 'perhaps end_task()'),
    ('from approaches import base\nclass Mine(base.Appr):\n    pass\n', 'mine.py has no class Appr (it has class Mine)'),
    ('from approaches import base\nfrom approaches.hyper import Hyper\nclass Appr(base.Appr):\n'
     '    hyperparameters = (Hyper("seed", int, 1),)\n', '--seed is an option of run.py'),
    ('from approaches import base\nfrom approaches.hyper import Hyper\nclass Appr(base.Appr):\n'
     '    hyperparameters = (Hyper("fast", bool, False),)\n', 'fast is of type bool'),
    ('class Appr:\n    def __init__(self, model, secret, args=None):\n        pass\n', 'needs secret')])
def test_declarations_that_cannot_be_are_refused_in_one_line(source, says, dropped, refused, tmp_path):
    (dropped / 'mine.py').write_text(source)
    assert says in refused(run.main, [*SHORT, '--approach', 'mine', '--output', tmp_path / 'o.txt'])


MINE = 'from approaches import base, replay\nfrom approaches.hyper import Hyper\nclass Appr(%s.Appr):\n    %s\n'
STEP = 'def after_step(self, batch):\n        '


@pytest.mark.parametrize('body, name', [
    ('def __init__(self, *a, **k):\n        self.seen = 0\n        super().__init__(*a, **k)', 'seen'),
    ('def __init__(self, *a, **k):\n        super().__init__(*a, **k)\n        self.at, self.mine = [], 0', 'at'),
    ('progress = 0', 'progress'), ('def compete(self, x):\n        return x', 'compete'), ('def params(self):\n        return 3', 'params'),
    (STEP + 'self.seen += self.sbatch', 'seen'), (STEP + '(lambda: 0)()\n        self.recipe: int = 3', 'recipe'),
    (STEP + 'def later():\n            self.progress = 3\n        later()', 'progress'), (STEP + 'self.step = 3', 'step'),
    ('hyperparameters = (Hyper("at", int, 1),)', 'at'),
    ('def after_step(me, batch):\n        """Text\nat the margin."""\n        for me.progress in (1, 2):\n            pass', 'progress'),
    ('mine = property(lambda self: 0)\n    @mine.setter\n    def mine(self, v):\n        self.at = v\n    def after_step(self, batch):\n'
     '        self.mine = 1', 'at')])
def test_what_the_loop_goes_by_is_no_name_for_a_method_s_own(body, name, dropped, refused, tmp_path):
    (dropped / 'mine.py').write_text(MINE % ('base', body))
    line = refused(run.main, [*SHORT, '--approach', 'mine', '--output', tmp_path / 'o.txt'])
    assert 'approaches.mine.Appr: self.%s is what the training loop itself goes by' % name in line and 'my_' + name in line


def test_names_of_a_buffer_s_are_refused_where_there_is_one_alone(dropped, refused, tmp_path, capsys):
    body = 'def __init__(self, *a, **k):\n        super().__init__(*a, **k)\n        self.memory = {}'
    (dropped / 'mine.py').write_text(MINE % ('replay.Replay, base', body))
    assert 'self.memory is what' in refused(run.main, [*SHORT, '--approach', 'mine', '--output', tmp_path / 'o.txt'])
    (dropped / 'mine.py').write_text(MINE % ('base', body))
    sys.modules.pop('approaches.mine', None)
    run.main([*SHORT, '--approach', 'mine', '--output', str(tmp_path / 'o.txt')])


def test_names_of_what_lies_elsewhere_are_anybody_s(dropped, tmp_path, capsys):
    (dropped / 'mine.py').write_text(MINE % ('base', """def __init__(self, *a, **k):
        super().__init__(*a, **k)
        self.where, self.part, self.position, self.epoch, self.numbers, self.infer = 0, 1, 2, 3, 4, 5
    def weights(self):
        return 1
    def check(self):
        return 2
    def report(self):
        return self.where + self.seen + self.at['epoch']
    def after_step(self, batch):
        seen = self.report() + self.weights() + self.check()"""))
    acc = run.main([*SHORT, '--approach', 'mine', '--output', str(tmp_path / 'o.txt')])
    assert (acc == run.main([*SHORT, '--approach', 'sgd', '--output', str(tmp_path / 'p.txt')])).all()


@pytest.mark.parametrize('body, says', [
    ('def forward(self, t, x, y):\n        return 0, 0', 'forward() is a hook no longer: loss(batch) has taken its place'),
    ('def before_step(self, t):\n        pass', 'after_backward(batch) has taken its place'),
    ('def logits(self, t, x):\n        pass', 'outputs(batch) has taken its place'),
    ('def subnet(self, t):\n        pass', 'outputs(batch) has taken its place'),
    ('def penalty(self, t):\n        pass', 'penalty(self, t) has other arguments than the hook, which is penalty()'),
    ('def criterion(self, t, output, targets):\n        pass', 'which is criterion(output, targets)'),
    ('def after_step(self, t):\n        pass', 'which is after_step(batch)'),
    ('def epochs(self, n):\n        pass', 'which is epochs(n, phase)'),
    ('def end_task(self, t):\n        pass', 'which is end_task(t, x, y)')])
def test_a_former_hook_is_refused_with_its_successor(body, says, refused, dropped, tmp_path):
    (dropped / 'mine.py').write_text('from approaches import base\nclass Appr(base.Appr):\n    %s\n' % body)
    assert says in refused(run.main, [*SHORT, '--approach', 'mine', '--output', tmp_path / 'o.txt'])


@pytest.mark.parametrize('how, status', [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_of_such_a_run_cannot_be_resumed_and_says_so_by_its_status(how, status, dropped, tmp_path,
                                                                          monkeypatch, capsys):
    monkeypatch.setattr(discovery.load('approaches', 'their-ewc').Appr, 'eval',
                        lambda *_: os.kill(os.getpid(), how))
    # which a suite in the background is told to ignore
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(SystemExit) as e:
            run.main([*THEIRS, *EWC, '--output', str(tmp_path / 'o.txt')])
    finally:
        signal.signal(signal.SIGINT, before)
    err = capsys.readouterr().err
    assert e.value.code == status and 'resume' not in err and err.count('\n') == 1


def test_plans_run_such_classes_and_what_is_finished_is_not_done_again(dropped, in_process, tmp_path, capsys):
    command = ['--experiments', 'their-data', '--approaches', 'their-ewc', '--seeds', '0', '--res_folder',
               str(tmp_path), '--execute',
               '--', *THEIRS[2:], '--set', 'temperature=2']
    assert run_multi.main(command) == 0 and '1 runs finished, 0 failed' in capsys.readouterr().out
    assert run_multi.main(command) == 0 and '1 runs: 1 finished\n' in capsys.readouterr().out and len(in_process) == 1


def test_the_original_s_helpers():
    assert utils.compute_conv_output_size(32, 4) == 29 and utils.compute_conv_output_size(29, 3, stride=2, padding=1) == 15
    a, b = torch.randn(9, 4), torch.randn(9, 4)
    plain = -(torch.softmax(b, 1) * torch.log_softmax(a, 1)).sum(1)
    assert torch.allclose(utils.cross_entropy(a, b, eps=0), plain.mean())
    assert torch.allclose(utils.cross_entropy(a, b, exp=1., size_average=False, eps=0), plain)
    assert torch.allclose(utils.cross_entropy(a, b, exp=.5, eps=0), utils.cross_entropy(a / 2, b / 2, eps=0))
    layer = torch.nn.Linear(2, 2, bias=False)
    utils.set_req_grad(layer, False)
    assert not layer.weight.requires_grad
    x = torch.rand(20, 3, 5, 5)
    mean, std = utils.compute_mean_std_dataset([(image, 0) for image in x])
    assert mean.shape == std.shape == (1, 3) and torch.allclose(mean[0], x.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(std[0], x.transpose(0, 1).flatten(1).std(1), atol=1e-6)
    with pytest.raises(AttributeError, match='nothing_such'):
        utils.nothing_such


GET = 'import torch\n%sdef get(seed=0):\n    x, y = torch.zeros(8, 1, 6, 6), torch.arange(8) %% 2\n' \
      '    data = {0: {"name": "a", "ncla": 2, **{s: {"x": x, "y": y} for s in ("train", "valid", "test")}}}\n' \
      '    taskcla, size = [(0, 2)], [1, 6, 6]\n    %s\n    return data, taskcla, size\n'


def test_a_loader_that_names_no_network_is_told_which_was_taken(dropped, refused, capsys, tmp_path):
    (dropped / 'plain_data.py').write_text(GET % ('', 'pass'))
    with pytest.raises(SystemExit):  # an alexnet takes no images of 6 x 6
        run.main(['--experiment', 'plain-data', '--approach', 'sgd', '--output', str(tmp_path / 'o.txt')])
    printed = capsys.readouterr()
    assert 'names no network: alexnet is taken' in printed.out and '12 x 12' in printed.err


@pytest.mark.parametrize('change, says', [
    ('size = [6, 6]', ['size', '[channels, height, width]']), ('taskcla = [(1, 2)]', ['taskcla']), ('taskcla.append((1, 2))', ['data[1]']),
    ('del data[0]["test"]', ['data[0] lacks test']), ('data[0]["ncla"] = 3', ['ncla 3', 'and 2']),
    ('data[0]["valid"] = {"x": x.permute(0, 2, 3, 1), "y": y}', ["data[0]['valid'] (a)", '[8, 6, 6, 1], expected [8, 1, 6, 6]']),
    ('data[0]["test"] = {"x": x.double(), "y": y}', ["data[0]['test'] (a)", 'float64']),
    ('data[0]["train"] = {"x": x, "y": y.int()}', ["'train'", 'int32 [8]', 'int64']), ('data[0]["train"] = {"x": x, "y": y + 1}', ['from 1 to 2', '0 to 1']),
    ('data[0]["train"] = {"x": x[:5], "y": y}', ['[5, 1, 6, 6], expected [8, 1, 6, 6]']), ('x[3, 0, 0, 0] = float("nan")', ['not finite']),
    ('data[0]["train"] = {"y": y}', ['lacks x or y']), ('data[0]["train"] = {"x": x.numpy(), "y": y}', ['ndarray'])])
def test_data_that_are_not_in_the_layout_are_refused_before_training(change, says, dropped, refused, tmp_path):
    (dropped / 'plain_data.py').write_text(GET % ('network = "mlp"\n', change))
    line = refused(run.main, ['--experiment', 'plain-data', '--approach', 'sgd', '--output', tmp_path / 'o.txt'])
    assert line.startswith('run.py: dataloaders.plain_data: ') and all(word in line for word in says), line
