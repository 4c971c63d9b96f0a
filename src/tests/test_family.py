"""Files of the wider family of the original's layout learn two tasks once the mechanical edits are made."""
import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import approaches
import dataloaders
import networks
import original
import run
import discovery
import utils
from runs import place
from utils import ROOT, UserError

DROPINS = Path(__file__).parent / 'dropins'
TASKS = ['--experiment', 'their-data', '--tasks', '0,1', '--device', 'cpu', '--nepochs', '6']

# An approach as such files are: old calls of PyTorch, args at import, a table of epochs, one optimizer or another
APPROACH = '''
import sys
import numpy as np
import torch
import utils
from utils import *
sys.path.append('..')
from arguments import get_args
args = get_args()
RUN = args.approach

class Appr(object):
    def __init__(self, model, nepochs=100, sbatch=32, lr=0.004, lr_min=1e-6, args=None, log_name=None, split=False):
        self.model, self.nepochs, self.sbatch, self.lr, self.split = model, nepochs, sbatch, lr, split
        self.logger = utils.logger(file_name=log_name, path='./tables/csv/')
        self.ce = torch.nn.CrossEntropyLoss(size_average=True)
        self.strength, self.fisher, self.old = args.strength, None, None
        self.optimizer = self._get_optimizer()

    def _get_optimizer(self):
        if args.optimizer == 'SGD':
            return torch.optim.SGD(self.model.parameters(), lr=self.lr)
        if args.optimizer in ('Adam', 'Adam_slow'):
            return torch.optim.Adam(self.model.parameters(), lr=self.lr)

    def train(self, t, xtrain, ytrain, xvalid, yvalid, data, input_size, taskcla):
        assert list(xtrain.shape[1:]) == list(input_size) and len(taskcla) == 2
        self.optimizer = self._get_optimizer()
        for e in range(self.nepochs):
            self.model.train()
            r = np.arange(xtrain.size(0))
            np.random.shuffle(r)
            r = torch.LongTensor(r).cuda()
            for i in range(0, len(r), self.sbatch):
                images = torch.autograd.Variable(xtrain[r[i:i + self.sbatch]], volatile=False)
                targets = torch.autograd.Variable(ytrain[r[i:i + self.sbatch]].cuda())
                loss = self.criterion(t, self.model.forward(images)[t], targets)
                self.optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm(self.model.parameters(), 100)
                self.optimizer.step()
            loss, acc = self.eval(t, xvalid, yvalid)[:2]
            self.logger.add(epoch=e, task_num=t + 1, valid_loss=loss, valid_acc=acc)
        self.logger.save()
        self.old = [p.data.clone() for p in self.model.parameters()]
        FISHER

    def eval(self, t, x, y):
        self.model.eval()
        images = torch.autograd.Variable(x.cuda(), volatile=True)
        output = self.model.forward(images)[t]
        loss, acc = self.criterion(t, output, y), (output.max(1)[1] == y).float().mean()
        return loss.data.cpu().numpy()[0], acc.item()

    def criterion(self, t, output, targets):
        loss = self.ce(output, targets)
        for p, old in zip(self.model.parameters(), self.old or ()):
            loss = loss + self.strength * (p - old).pow(2).sum()
        return loss
'''.replace('numpy()[0]', 'numpy().item()')
PLAIN = APPROACH.replace('        FISHER\n', '')
SET = ['--set', 'strength=0.001']

NETWORK = '''
from utils import *

class Net(nn.Module):
    def __init__(self, inputsize, taskcla):
        super().__init__()
        ncha, size, _ = inputsize
        self.taskcla = taskcla
        self.conv = nn.Conv2d(ncha, 8, 3, padding=1)
        s = compute_conv_output_size(size, 3, padding=1) // 2
        self.pool = nn.MaxPool2d(2)
        self.last = nn.ModuleList([nn.Linear(8 * s * s, n) for t, n in taskcla])

    def forward(self, x):
        h = self.pool(torch.relu(self.conv(x))).view(x.size(0), -1)
        return [self.last[t](h) for t, _ in self.taskcla]
'''


@pytest.fixture(scope='session')
def modernise():
    """The script's module."""
    spec = importlib.util.spec_from_file_location('modernise', ROOT / 'scripts' / 'modernise.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def drop(tmp_path, monkeypatch, modernise):
    """Drops a source, with the mechanical edits made, into a folder of choices under a name."""
    for package in (approaches, dataloaders, networks):
        (tmp_path / package.__name__).mkdir()
        more = [str(DROPINS / package.__name__), str(tmp_path / package.__name__)]
        monkeypatch.setattr(package, '__path__', [*package.__path__, *more])

    def one(folder, name, source):
        path = tmp_path / folder / (name + '.py')
        path.write_text(modernise.modern(source)[0])
        return path
    yield one
    for name in [n for n in sys.modules if n.split('.')[0] in ('approaches', 'dataloaders', 'networks')]:
        if str(getattr(sys.modules[name], '__file__', '')).startswith((str(DROPINS), str(tmp_path))):
            del sys.modules[name]


@pytest.fixture
def learns(tmp_path, capsys):
    """Runs a command line, which has to learn both tasks well above chance; returns (record, what it printed)."""
    def call(*argv):
        output = tmp_path / 'o.txt'
        acc = run.main([*TASKS, *argv, '--output', str(output), '--overwrite'])
        assert acc.shape == (2, 2) and np.diag(acc).min() > .75, acc
        return json.loads((tmp_path / 'o.json').read_text()), capsys.readouterr().out
    return call


@pytest.fixture
def fails(tmp_path, capsys):
    """Runs a command line, which has to fail; returns (exit status, the last line on stderr)."""
    def call(*argv):
        with pytest.raises(SystemExit) as e:
            run.main([*TASKS, *argv, '--output', str(tmp_path / 'f.txt'), '--overwrite'])
        return e.value.code, capsys.readouterr().err.strip().splitlines()[-1]
    return call


def test_arguments_are_those_of_the_run_and_a_file_of_that_name_is_not_in_the_way(drop, learns, tmp_path, monkeypatch):
    (tmp_path / 'elsewhere').mkdir()
    for folder in ('elsewhere', 'approaches'):
        (tmp_path / folder / 'arguments.py').write_text('raise SystemExit("theirs")\n')
    monkeypatch.syspath_prepend(str(tmp_path / 'elsewhere'))
    monkeypatch.delitem(sys.modules, 'arguments', raising=False)
    drop('approaches', 'asking', PLAIN)
    learns('--approach', 'asking', *SET)
    args = sys.modules['approaches.asking'].args
    assert sys.modules['approaches.asking'].RUN == 'asking' and args.strength == .001 and args.device == torch.device('cpu')
    assert 'arguments' not in discovery.choices('approaches')


def test_the_project_s_own_module_gives_the_same_args():
    spec = importlib.util.spec_from_file_location('arguments_file', ROOT / 'src' / 'arguments.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.get_args() is original.get_args()


def test_their_own_rate_is_kept_unless_lr_is_given(drop, learns):
    drop('approaches', 'asking', PLAIN)
    record, printed = learns('--approach', 'asking', *SET)
    assert record['config']['lr'] == .004 and 'lr=0.004, its own default, is kept' in printed
    record, printed = learns('--approach', 'asking', *SET, '--lr', '0.002')
    assert record['config']['lr'] == .002 and 'lr=0.002 is passed, its own default is 0.004' in printed


def test_a_rate_below_run_py_s_least_is_nothing_to_such_a_class(drop, tmp_path, capsys):
    drop('approaches', 'asking', PLAIN.replace('lr=0.004', 'lr=0.00005'))
    run.main([*TASKS, '--approach', 'asking', *SET, '--output', str(tmp_path / 'o.txt')])
    assert json.loads((tmp_path / 'o.json').read_text())['config']['lr'] == .00005


def test_a_rate_that_only_the_class_has_stays_the_original_s_elsewhere(drop, learns):
    source = PLAIN.replace('from arguments import get_args\nargs = get_args()\nRUN = args.approach\n', '')
    source = source.replace("if args.optimizer == 'SGD'", 'if True').replace("args.optimizer in ('Adam', 'Adam_slow')", 'False')
    drop('approaches', 'silent', source)
    record, printed = learns('--approach', 'silent', *SET)
    assert record['config']['lr'] == .05 and 'lr=0.05 is passed, its own default is 0.004' in printed


@pytest.mark.parametrize('argv, is_', [
    ([], 'Adam'), (['--optimizer', 'sgd', '--lr', '.1'], 'SGD'), (['--optimizer', 'adam_slow'], 'Adam_slow')])
def test_optimizers_are_spelt_as_the_file_does_and_part_of_the_configuration(argv, is_, drop, learns):
    drop('approaches', 'asking', PLAIN)
    record, _ = learns('--approach', 'asking', *SET, *argv)
    assert record['config']['optimizer'] == is_


def test_set_wins_over_what_no_option_gave_and_over_nothing_else(drop, learns, fails):
    drop('approaches', 'asking', PLAIN)
    record, _ = learns('--approach', 'asking', '--set', 'strength=0.001,optimizer=sgd,lr=0.1,sbatch=16')
    assert (record['config']['optimizer'], record['config']['lr'], record['config']['sbatch']) == ('SGD', .1, 16)
    learns('--approach', 'asking', '--set', 'strength=0.001,warmup=0.5,weight_decay=0.1,parameter=7')  # the class's own words
    args = sys.modules['approaches.asking'].args
    assert (args.warmup, args.weight_decay, args.parameter) == (.5, .1, '7')
    assert '--weight-decay: not for' in fails('--approach', 'asking', *SET, '--weight-decay', '.1')[1]
    assert fails('--approach', 'asking', '--lr', '.1', '--set', 'strength=1,lr=0.2') == (
        2, 'run.py: --set lr=0.2: it is given twice')
    assert '--seed sets it' in fails('--approach', 'asking', '--set', 'strength=1,seed=2')[1]
    code, line = fails('--approach', 'asking', *SET, '--optimizer', 'adm')
    assert code == 2 and 'asking.py knows SGD, Adam, Adam_slow (perhaps Adam)' in line


def test_the_record_of_such_a_run_repeats_it(drop, learns, tmp_path):
    drop('approaches', 'asking', PLAIN)
    learns('--approach', 'asking', *SET, '--optimizer', 'SGD', '--lr', '.1')
    del sys.modules['approaches.asking']
    acc = run.main(['--config', str(tmp_path / 'o.json'), '--output', str(tmp_path / 'again.txt')])
    assert (acc == np.loadtxt(tmp_path / 'o.txt').round(4)).all() or np.allclose(acc, np.loadtxt(tmp_path / 'o.txt'), atol=1e-4)
    config = [json.loads((tmp_path / f).read_text())['config'] for f in ('o.json', 'again.json')]
    assert config[0] == config[1]


def test_networks_get_the_helpers_by_a_star(drop, learns):
    drop('networks', 'starred', NETWORK)
    for approach in (['asking', *SET], ['sgd', '--lr', '.1']):
        drop('approaches', 'asking', PLAIN)
        record, _ = learns('--network', 'starred', '--approach', *approach)
        assert record['config']['network'] == 'starred'


def test_what_the_star_brings_is_the_original_s_alone():
    names = {}
    exec('from utils import *', names)
    assert {'get_model', 'fisher_matrix_diag', 'logger', 'np', 'nn', 'torch'} <= set(names)
    assert not {'choices', 'file', 'load', 'remove', 'UserError'} & set(names)


def test_a_table_of_epochs_lands_in_the_run_s_folder(drop, learns, tmp_path):
    drop('approaches', 'asking', PLAIN)
    before = Path.cwd()
    for n in (6, 5):  # the second replaces the first
        learns('--approach', 'asking', *SET, '--nepochs', str(n))
        with open(place.folder(tmp_path / 'o.txt') / 'files' / 'tables' / 'csv' / 'o.csv') as f:
            rows = list(csv.DictReader(f))
        assert [(r['task_num'], r['epoch']) for r in rows] == [(str(t), str(e)) for t in (1, 2) for e in range(n)]
        assert float(rows[-1]['valid_acc']) > .75 and Path.cwd() == before
    assert not (place.folder(tmp_path / 'o.txt') / 'next').exists()


def test_folders_that_a_file_takes_to_be_there_are(drop, learns, tmp_path):
    drop('approaches', 'asking', PLAIN.replace('self.logger.save()', "torch.save(t, './kept/models/' + str(t) + '.pt')")
         .replace("path='./tables/csv/'", "path='./tables/' + 'csv'"))
    learns('--approach', 'asking', *SET)
    folder = place.folder(tmp_path / 'o.txt') / 'files'
    assert sorted(f.relative_to(folder).as_posix() for f in folder.rglob('*')) == [
        'kept', 'kept/models', 'kept/models/0.pt', 'kept/models/1.pt']


def test_nothing_is_left_where_nothing_was_written(drop, learns, tmp_path):
    source = '\n'.join(line for line in PLAIN.splitlines() if 'self.logger' not in line)
    drop('approaches', 'asking', source)
    learns('--approach', 'asking', *SET)
    assert not (place.folder(tmp_path / 'o.txt') / 'files').exists()


def test_a_table_can_be_gone_on_with(tmp_path):
    table = utils.logger('a', path=tmp_path)
    table.add(epoch=0, loss=1.5)
    table.add(epoch=1, acc=.5)
    table.save()
    more = utils.logger('a', resume=True, path=tmp_path)
    assert more.log == [{'epoch': '0', 'loss': '1.5', 'acc': ''}, {'epoch': '1', 'loss': '', 'acc': '0.5'}]


SPLIT = NETWORK.replace('inputsize, taskcla):', 'taskcla, input_size, args, nhid, split=False):\n        inputsize = input_size')
SPLIT = SPLIT.replace('[nn.Linear(8 * s * s, n) for t, n in taskcla]', '[nn.Linear(8 * s * s, n) for t, n in taskcla[:99 * split + 1]]')
SPLIT = SPLIT.replace('        return [', '        return self.last[0](h) if len(self.last) == 1 else [')
SPLIT = SPLIT.replace('self.taskcla = taskcla', 'self.taskcla, self.nhid, self.seed = taskcla, nhid, args.seed')
SHARED = PLAIN.replace('self.model.forward(images)[t]', '(self.model.forward(images)[t] if self.split else self.model.forward(images))')


def test_networks_take_args_and_settings_without_a_default(drop, learns, fails):
    drop('networks', 'settled', SPLIT)
    drop('approaches', 'sharing', SHARED)
    argv = '--approach', 'sharing', '--network', 'settled', *SET
    record, printed = learns(*argv, '--net', 'nhid=7,split=true')
    assert record['net'] == {'nhid': 7, 'split': True} and 'share one head' not in printed
    record, printed = learns(*argv, '--net', 'nhid=7')
    assert record['net'] == {'nhid': 7, 'split': False} and 'all tasks share one head; --net split=true' in printed
    record, _ = learns('--approach', 'sharing', '--network', 'settled', '--set', 'strength=0.001,nhid=8', '--net', 'split=true')
    assert record['net'] == {'nhid': 8, 'split': True}
    assert fails(*argv) == (2, 'run.py: the __init__ of networks.settled.Net needs nhid: give --net nhid=VALUE')
    assert 'expected true or false' in fails(*argv, '--net', 'nhid=1,split=2')[1]
    assert 'nhid (required), split (default False)' in fails(*argv, '--net', 'nhd=1')[1]


def test_heads_that_no_setting_shares_are_split(drop, learns):
    drop('networks', 'starred', NETWORK)
    drop('approaches', 'sharing', SHARED)
    learns('--approach', 'sharing', '--network', 'starred', *SET)
    assert sys.modules['approaches.sharing'].Appr.__init__.__defaults__[-1] is False


def test_a_model_of_such_a_network_is_saved_and_loaded(drop, tmp_path, capsys):
    import evaluate
    drop('networks', 'settled', SPLIT)
    argv = ['--approach', 'sgd', '--network', 'settled', '--net', 'nhid=7,split=true', '--save', '--output', str(tmp_path / 'o.txt')]
    acc = run.main([*TASKS, *argv])
    capsys.readouterr()
    vars(original.get_args()).clear()  # as in another process
    evaluate.main([str(tmp_path / 'o.txt'), '--device', 'cpu'])
    assert '| %.2f |' % (100 * acc[1, 1]) in capsys.readouterr().out


def test_of_what_eval_returns_the_first_two_count(drop, learns):
    drop('approaches', 'asking', PLAIN.replace('acc.item()', 'acc.item(), "more", [1, 2]'))
    learns('--approach', 'asking', *SET)


@pytest.mark.parametrize('returned, says', [
    ('1., 100 * acc.item()', 'returned the accuracy'), ('1., float("nan")', 'the accuracy nan'), ('1.', 'returned 1.0, expected (loss, accuracy)'),
    ('None, acc.item()', 'expected two numbers')])
def test_what_eval_cannot_return_is_refused_at_the_first_evaluation(returned, says, drop, fails):
    source = PLAIN.replace('return loss.data.cpu().numpy().item(), acc.item()', 'return ' + returned)
    drop('approaches', 'asking', source.replace('loss, acc = self.eval(t, xvalid, yvalid)[:2]', 'loss, acc = 0, 0'))
    code, line = fails('--approach', 'asking', *SET)
    assert code == 2 and 'task 0 (their-0): approaches.asking.Appr: eval()' in line and says in line


FORWARD = '''
    def forward(self, model, t, tt, b, x, y):
        assert tt.tolist() == [t]
        return self.criterion(t, model.forward(x[b])[t], y[b])
'''
CALLED = 'self.fisher = utils.fisher_matrix_diag(t, xtrain, ytrain, self.model, %s)\n        assert min(f.sum() for f in self.fisher.values()) >= 0'


@pytest.mark.parametrize('given', [
    'self.criterion, split=True', 'self.criterion, sbatch=16, drop_last_batch=True', 'self.forward', 'self.criterion'])
def test_fisher_takes_what_such_files_give_it(given, drop, learns):
    drop('approaches', 'asking', APPROACH.replace('FISHER', CALLED % given) + FORWARD)
    learns('--approach', 'asking', *SET)


def test_fisher_is_the_same_however_it_is_asked_for():
    torch.manual_seed(0)
    net, x, y = torch.nn.Linear(4, 3), torch.randn(10, 4), torch.arange(10) % 3

    class Heads(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = net

        def forward(self, *values):
            return [None, self.one(values[-1])]

    def criterion(t, output, targets):
        return torch.nn.functional.cross_entropy(output, targets)
    heads, fisher = Heads(), utils.fisher_matrix_diag
    plain = fisher(1, x, y, heads, criterion, sbatch=4)['one.weight']
    assert torch.equal(plain, fisher(1, x, y, net, criterion, sbatch=4)['weight'])
    assert torch.equal(plain, fisher(1, x, y, heads, criterion, sbatch=4, split=True, pass_t=True)['one.weight'])
    forward = lambda model, t, b, x, y: criterion(t, model(x[b])[t], y[b])
    assert torch.equal(plain, fisher(1, x, y, heads, forward, sbatch=4)['one.weight'])
    assert not torch.equal(plain, fisher(1, x, y, heads, criterion, sbatch=4, drop_last_batch=True)['one.weight'])
    with pytest.raises(UserError, match='the forward pass takes extra, expected'):
        fisher(1, x, y, heads, lambda model, extra: 0)


def test_a_helper_says_what_it_does_not_take(drop, fails):
    drop('approaches', 'asking', APPROACH.replace('FISHER', CALLED % 'self.criterion, halves=2'))
    code, line = fails('--approach', 'asking', *SET)
    assert code == 1 and "unexpected keyword argument 'halves'; utils.fisher_matrix_diag takes (t, x, y, model" in line


def test_a_network_inside_another_class_is_told_how_to_come_out(drop, learns, fails):
    lines = NETWORK.replace('super().__init__()', 'nn.Module.__init__(self)').splitlines()
    head, body = lines[:3], ['    ' + line for line in lines[3:]]
    drop('networks', 'several', '\n'.join([*head, 'class Small:', *body]))
    drop('approaches', 'asking', PLAIN)
    code, line = fails('--approach', 'asking', '--network', 'several', *SET)
    assert code == 2 and 'Net is inside Small' in line
    wanted = '"from networks.several import Small" and "class Net(Small.Net): pass"'
    assert wanted in line
    drop('networks', 'small', '\n'.join(wanted.replace('"', '').split(' and ')))
    learns('--approach', 'asking', '--network', 'small', *SET)


JOINT = PLAIN.replace('        assert list(', '        tasks, _ = t\n        t = int(tasks.max())\n        assert list(')
JOINT = JOINT.replace('images = torch.autograd.Variable(xtrain', 'b = r[i:i + self.sbatch]\n                images = torch.autograd.Variable(xtrain')
JOINT = JOINT.replace('loss = self.criterion(t, self.model.forward(images)[t], targets)',
                      'outputs = self.model.forward(images)\n                loss = sum(self.criterion(u, outputs[u][tasks[b] == u], '
                      'targets[tasks[b] == u]) for u in range(t + 1) if (tasks[b] == u).any())')


def test_joint_training_by_another_name_is_told_to_say_so(drop, learns, fails):
    drop('approaches', 'all_at_once', JOINT)
    code, line = fails('--approach', 'all-at-once', *SET)
    assert code == 1 and line.endswith('its class says so with cumulative = True') and 'variants' not in line
    sys.modules.pop('approaches.all_at_once')
    drop('approaches', 'all_at_once', JOINT.replace('class Appr(object):', 'class Appr(object):\n    cumulative = True\n'))
    learns('--approach', 'all-at-once', *SET)


@pytest.mark.parametrize('line, says', [
    ('open("nowhere/data.bin")', ["FileNotFoundError", "'nowhere/data.bin'"]),
    ('from urllib.error import URLError; raise URLError("no such host")', ['URLError', 'no such host'])])
@pytest.mark.parametrize('folder', ['approaches', 'networks'])
def test_what_a_file_cannot_open_is_that_file_s(line, says, folder, drop, fails):
    drop('networks', 'starred', NETWORK + (line + '\n') * (folder == 'networks'))
    path = drop('approaches', 'asking', PLAIN.replace('        assert list', '        %s\n        assert list' % line if folder == 'approaches' else '        assert list'))
    path = path if folder == 'approaches' else path.parent.parent / 'networks' / 'starred.py'
    code, last = fails('--approach', 'asking', '--network', 'starred', *SET)
    assert code == 1 and last.startswith('run.py: %s, line ' % path) and all(word in last for word in says)
    assert 'writing failed' not in last and ';' not in last


def test_a_full_disk_is_nobody_s_fault(drop, fails):
    import errno
    drop('approaches', 'asking', PLAIN.replace('        assert list', '        raise OSError(%d, "No space left")\n        assert list' % errno.ENOSPC))
    assert fails('--approach', 'asking', *SET) == (
        2, 'run.py: writing failed: No space left; finished tasks and the last checkpoint are kept')


def test_all_that_args_lacks_is_said_at_once(drop, fails):
    drop('approaches', 'asking', PLAIN.replace(
        'args.strength, None, None', 'args.strength, None, None\n        self.more = args.rho + args.seed + self.args.mu  # args.old'))
    code, line = fails('--approach', 'asking')
    assert code == 1 and 'args has no strength, rho, mu: give them with --set strength=VALUE,rho=VALUE,mu=VALUE' in line


@pytest.mark.parametrize('signature, says', [
    ('xvalid, yvalid, data, input_size, taskcla, secret', "approaches.asking.train does not take"),
    ('xvalid, data, input_size, taskcla', "approaches.asking.train does not take")])
def test_a_method_s_arguments_are_no_fault_of_the_project(signature, says, drop, fails):
    drop('approaches', 'asking', PLAIN.replace('xvalid, yvalid, data, input_size, taskcla', signature))
    code, line = fails('--approach', 'asking', *SET)
    assert code == 2 and says in line and 'project' not in line


def test_advice_is_given_where_it_fits_alone(drop, fails):
    drop('approaches', 'asking', PLAIN.replace('        assert list', '        int("seven")\n        assert list'))
    code, line = fails('--approach', 'asking', *SET)
    assert code == 1 and 'variants' not in line and 'cumulative' not in line


def test_the_paths_of_args_are_texts_and_the_approach_is_spelt_as_its_file(drop, learns, tmp_path):
    path = drop('approaches', 'asking_more', PLAIN.replace('self.logger.save()', "open(args.output + '_more', 'w').close()"))
    learns('--approach', 'asking-more', *SET)
    assert sys.modules['approaches.asking_more'].RUN == path.stem
    assert (tmp_path / 'o.txt_more').exists()


def test_what_is_not_there_is_named_with_its_place(drop, fails):
    drop('approaches', 'asking', 'from approaches.their_base import Base\n' + PLAIN)
    line = fails('--approach', 'asking', *SET)[1]
    assert "No module named 'approaches.their_base'" in line and 'goes to src/approaches/their_base.py' in line


def test_a_network_is_found_by_its_file_s_own_name(drop, fails):
    drop('networks', 'conv_net_Small', NETWORK)
    drop('networks', 'other_gates', NETWORK)
    drop('approaches', 'asking', PLAIN)
    assert 'perhaps other-gates' in fails('--approach', 'asking', '--network', 'other_gates', *SET)[1]
    assert 'perhaps conv-net-Small' in fails('--approach', 'asking', '--network', 'conv_net_small', *SET)[1]


OLD = '''from torch.autograd import Variable
import torch


def step(p, grad, size, f):
    x = Variable(grad + p, volatile=True).cuda()
    p.data.add_(-size, grad).mul_(2).addcmul_(1 - size, grad, grad)
    p.data.addcdiv_(-size, torch.add(grad, 2, p), grad.abs() + 1)
    loss = torch.nn.CrossEntropyLoss(size_average=False)
    there = torch.device('cuda:0'), "cuda", x.is_cuda == 'cuda', torch.zeros(2, device='cuda')
    return loss.data[0], x.cuda(async=True), {1}.add(2), utils.cross_entropy(f, f, size_average=False), Variable(f, requires_grad=True)
'''
NEW = '''import utils
from torch.autograd import Variable
import torch


def step(p, grad, size, f):
    x = (grad + p).to(utils.device())
    p.data.add_(grad, alpha=-size).mul_(2).addcmul_(grad, grad, value=1 - size)
    p.data.addcdiv_(torch.add(grad, p, alpha=2), grad.abs() + 1, value=-size)
    loss = torch.nn.CrossEntropyLoss(reduction='sum')
    there = utils.device(), utils.device(), x.is_cuda == 'cuda', torch.zeros(2, device=utils.device())
    return loss.item(), x.to(utils.device()), {1}.add(2), utils.cross_entropy(f, f, size_average=False), f.requires_grad_()
'''


def test_the_mechanical_edits_and_what_is_said_of_them(modernise, tmp_path, capsys):
    path = tmp_path / 'old.py'
    path.write_text(OLD)
    modernise.main([str(path), '--output', str(tmp_path / 'new.py')])
    assert path.read_text() == OLD and (tmp_path / 'new.py').read_text() == NEW and not (tmp_path / 'old.py.orig').exists()
    said = capsys.readouterr().out
    assert '.cuda() is .to(utils.device()) (line 6, 11)' in said and 'size_average is reduction (line' in said
    modernise.main([str(path)])
    assert path.read_text() == NEW and (tmp_path / 'old.py.orig').read_text() == OLD
    modernise.main([str(path)])
    assert 'nothing to change' in capsys.readouterr().out.splitlines()[-1] and (tmp_path / 'old.py.orig').read_text() == OLD


def test_a_file_that_is_no_python_does_not_stop_the_others(modernise, tmp_path, capsys):
    for name, text in (('a.py', 'print "1"\n'), ('b.py', 'x.cuda()\n')):
        (tmp_path / name).write_text(text)
    with pytest.raises(SystemExit) as e:
        modernise.main([str(tmp_path / 'a.py'), str(tmp_path / 'b.py')])
    assert e.value.code == 2 and 'a.py is no Python 3: line 1' in capsys.readouterr().err
    assert (tmp_path / 'b.py').read_text() == 'import utils\nx.to(utils.device())\n'


def test_their_helpers_are_copied_as_far_as_they_are_used(modernise, tmp_path, drop, learns):
    helpers = tmp_path / 'helpers.py'
    helpers.write_text('import math\nimport nowhere\n\n\ndef used(x):\n    return half(math.fabs(x))\n\n\ndef half(x):\n    return x / 2\n\n\n'
                       'def other():\n    nowhere.gone()\n\n\ndef get_model(m):\n    raise ValueError\n')
    source = PLAIN.replace('args.strength, None', 'utils.used(-2 * args.strength), None')
    path = drop('approaches', 'asking', source)
    modernise.main(['--helpers', str(helpers), str(path)])
    text = path.read_text()
    assert 'def half' in text and 'nowhere' not in text and 'def get_model' not in text and 'utils.used' not in text
    learns('--approach', 'asking', *SET)
