"""What the tests share: the path, small raw data sets, and run.py called as a program would."""
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


@pytest.fixture
def data_dir(tmp_path):
    """A folder with a small npz of every raw data set."""
    folder = tmp_path / 'dat'
    folder.mkdir()
    for name in ('mnist', 'fashion-mnist', 'cifar10', 'cifar100', 'svhn', 'traffic-signs', 'facescrub', 'notmnist'):
        np.savez(folder / (name + '.npz'), **small(name))
    return folder


@pytest.fixture(autouse=True, scope='session')
def no_logs(tmp_path_factory):
    """Removes what runs whose results are in temporary folders leave in logs/."""
    yield
    from utils import ROOT
    shutil.rmtree(ROOT.joinpath('logs', '+', *tmp_path_factory.getbasetemp().resolve().parts[1:]), ignore_errors=True)


@pytest.fixture
def refused(capsys):
    """Calls main(argv), which has to refuse: exit status 2 and one line on stderr, which is returned."""
    def call(main, argv):
        with pytest.raises(SystemExit) as e:
            main([str(a) for a in argv])
        err = capsys.readouterr().err
        assert e.value.code == 2
        assert err.endswith('\n') and err.count('\n') == 1 and 'Traceback' not in err
        return err
    return call


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
