"""What the tests share: the path, small raw data sets, and run.py called as a program would."""
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SHAPES = {'cifar10': (32, 32, 3), 'cifar100': (32, 32, 3), 'svhn': (32, 32, 3), 'traffic-signs': (32, 32, 3),
          'facescrub': (32, 32, 3)}
CLASSES = {'cifar100': 100, 'traffic-signs': 43, 'facescrub': 100}


def small(name, ntrain=200, ntest=100, seed=0):
    """The four arrays of a small raw data set: random pixels, every class present."""
    rs = np.random.RandomState(seed)
    shape, ncla = SHAPES.get(name, (28, 28)), CLASSES.get(name, 10)
    return {'x_train': rs.randint(0, 256, (ntrain, *shape)).astype(np.uint8), 'y_train': np.arange(ntrain) % ncla,
            'x_test': rs.randint(0, 256, (ntest, *shape)).astype(np.uint8), 'y_test': np.arange(ntest) % ncla}


def own(folder, name='shapes', shape=(6, 6), ncla=4, n=40, **changes):
    """Writes an npz of random images with every class; returns its arrays."""
    rs = np.random.RandomState(0)
    arrays = {'x_train': rs.randint(0, 256, (n, *shape)).astype(np.uint8), 'y_train': np.arange(n) % ncla,
              'x_test': rs.randint(0, 256, (n, *shape)).astype(np.uint8), 'y_test': np.arange(n) % ncla, **changes}
    folder.mkdir(exist_ok=True)
    np.savez(folder / (name + '.npz'), **{k: v for k, v in arrays.items() if v is not None})
    return arrays


@pytest.fixture
def shapes(tmp_path):
    """Options of run.py for tiny data, which a process of its own has at once: two tasks of two classes."""
    own(tmp_path / 'shapes')
    return ['--nepochs', '1', '--device', 'cpu', '--net', 'nhid=8', '--data-dir', str(tmp_path / 'shapes')]


@pytest.fixture
def in_process(monkeypatch):
    """Lets plans be carried out in this process, not in one for each run; gives the list of their command lines."""
    from runs import local
    import run
    done = []

    def here(runs, *args):
        for r in runs:
            done.append(r.argv)
            run.main(r.argv)
        return []
    monkeypatch.setattr(local, 'execute', here)
    return done


def words(script):
    """A command line of Python code that is fast to start."""
    return [sys.executable, '-S', '-c', script]


def copying(argv, folder):
    """Runs a command line, whose --output comes last, in a folder; returns one that puts its result there."""
    import run
    output = Path(argv[-1])
    run.main([*argv[:-1], str(folder / output.name)])
    code = 'import shutil; shutil.copytree(%r, %r, dirs_exist_ok=True)'
    return words(code % (str(folder), str(output.parent)))


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: what scripts/test.sh --quick leaves out of the files that it runs')


class Killed(BaseException):
    """Ends a run at once, as SIGKILL does."""


def dead(monkeypatch, owner, name, call=1, after=False):
    """Makes a function kill at a call, before or after what it does."""
    true, calls = getattr(owner, name), []

    def kill(*args, **kwargs):
        calls.append(args)
        if len(calls) == call and not after:
            raise Killed
        out = true(*args, **kwargs)
        if len(calls) == call:
            raise Killed
        return out
    monkeypatch.setattr(owner, name, kill)


def killed(monkeypatch, argv, *where, **how):
    """Runs a command line that is killed."""
    import run
    with monkeypatch.context() as m:
        dead(m, *where, **how)
        with pytest.raises(Killed):
            run.main([str(word) for word in argv])


@pytest.fixture(scope='session')
def raw_sets(tmp_path_factory):
    """A folder with a small npz of every raw data set, to be copied."""
    folder = tmp_path_factory.mktemp('raw')
    for name in ('mnist', 'fashion-mnist', 'cifar10', 'cifar100', 'svhn', 'traffic-signs', 'facescrub', 'notmnist'):
        np.savez(folder / (name + '.npz'), **small(name))
    return folder


@pytest.fixture
def data_dir(raw_sets, tmp_path):
    """A folder with a small npz of every raw data set."""
    return shutil.copytree(raw_sets, tmp_path / 'dat')


@pytest.fixture(autouse=True, scope='session')
def no_waiting_for_the_disk():
    """Lets fsync return at once: what it is for, a loss of power, no test sees."""
    with pytest.MonkeyPatch.context() as m:
        m.setattr(os, 'fsync', lambda f: None)
        yield


@pytest.fixture(autouse=True, scope='session')
def no_logs(tmp_path_factory):
    """Removes what runs whose results are in temporary folders leave in logs/."""
    yield
    from utils import ROOT
    shutil.rmtree(ROOT.joinpath('logs', '+', *tmp_path_factory.getbasetemp().resolve().parts[1:]), ignore_errors=True)


@pytest.fixture
def refused(capsys):
    """Calls main(argv) as a command, which has to refuse: exit status 2 and one line on stderr, which is returned."""
    from runs import launch

    def call(main, argv):
        with pytest.raises(SystemExit) as e:
            launch.script(lambda: main([str(a) for a in argv]), 'command')
        err = capsys.readouterr().err
        assert e.value.code == 2
        assert err.endswith('\n') and err.count('\n') == 1 and 'Traceback' not in err
        return err
    return call


@pytest.fixture(autouse=True)
def forgotten(tmp_path_factory):
    """Forgets the modules that a test has made: another one may make one of the same name."""
    yield
    made = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, '__dict__', {}).get('__file__')).startswith(made):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def denormals():
    """Undoes what run.py sets for its process."""
    yield
    import torch
    torch.set_flush_denormal(False)


@pytest.fixture
def one_thread():
    """Two threads add in another order, which training amplifies."""
    import torch
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
