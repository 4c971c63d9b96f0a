"""The rules by which experiments are made from raw data, and what is refused as raw data."""
import dataclasses
import gzip
import hashlib
import http.server
import importlib
import io
import pickle
import struct
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import run
import utils
from conftest import small
from dataloaders import check, cifar, common, download, glyphs, glyphset, mixture, mnist2, pmnist, raw
from results import records, unpickler
from runs import build, options
from networks import cut
from utils import UserError


def normal(images, mean, std):
    """Normalised floats [N,...] of pixels."""
    return (images.astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)


def shuffled(n, seed):
    """arange(n) shuffled as the reference says."""
    r = np.arange(n)
    np.random.RandomState(seed).shuffle(r)
    return r


def test_mnist2_splits_digits_and_validates_on_the_training_set(data_dir):
    data, taskcla, size = mnist2.get(data_dir=data_dir)
    m = small('mnist')
    assert taskcla == [(0, 5), (1, 5)] and size == [1, 28, 28] and data['ncla'] == 10
    assert [data[t]['name'] for t in (0, 1)] == ['mnist-0-4', 'mnist-5-9']
    mine = m['y_train'] >= 5
    x, y = data[1]['train']['x'], data[1]['train']['y']
    assert y.dtype == torch.int64 and (y.numpy() == m['y_train'][mine] - 5).all()
    assert np.allclose(x[:, 0].numpy(), normal(m['x_train'][mine], 0.1307, 0.3081), atol=1e-6)
    assert data[1]['valid']['x'].data_ptr() == x.data_ptr()


@pytest.mark.parametrize('seed, fixed', [(0, False), (3, False), (3, True)])
def test_pmnist_permutations_depend_on_seed_and_position(data_dir, seed, fixed):
    data, taskcla, size = pmnist.get(seed=seed, fixed_order=fixed, data_dir=data_dir)
    m = small('mnist')
    assert taskcla == [(t, 10) for t in range(10)] and data['ncla'] == 100
    for i in (0, 7):
        r = i if fixed else shuffled(10, seed)[i]
        p = shuffled(784, 100 * r + i)
        for s in ('train', 'test'):
            expected = normal(m['x_' + s].reshape(-1, 784)[:, p], 0.1307, 0.3081)
            assert np.allclose(data[i][s]['x'].flatten(1).numpy(), expected, atol=1e-6)
        assert data[i]['name'] == 'pmnist-%d' % i
    chosen, _, _ = pmnist.get(seed=seed, fixed_order=fixed, data_dir=data_dir, tasks='7,pmnist-0')
    assert torch.equal(chosen[0]['test']['x'], data[7]['test']['x']) and chosen[1]['name'] == 'pmnist-0'


def test_cifar_order_classes_and_validation_share(data_dir):
    data, taskcla, size = cifar.get(seed=2, data_dir=data_dir)
    ids = shuffled(10, 2)
    assert [data[t]['name'] for t in range(10)] == [
        'cifar10-%d' % i if i < 5 else 'cifar100-%d' % (i - 5) for i in ids]
    assert taskcla == [(t, 2 if i < 5 else 20) for t, i in enumerate(ids)] and data['ncla'] == 110
    c, i = small('cifar10'), 3
    mine = np.flatnonzero(c['y_train'] // 2 == i)
    r = shuffled(len(mine), 2)
    nvalid = int(0.10 * len(mine))
    t = list(ids).index(i)
    mean, std = np.array([125.3, 123.0, 113.9]) / 255, np.array([63.0, 62.1, 66.7]) / 255
    for s, rows in (('valid', r[:nvalid]), ('train', r[nvalid:])):
        assert (data[t][s]['y'].numpy() == c['y_train'][mine[rows]] % 2).all()
        expected = normal(c['x_train'][mine[rows]], mean, std).transpose(0, 3, 1, 2)
        assert np.allclose(data[t][s]['x'].numpy(), expected, atol=1e-6)


def test_mixture_sizes_stats_and_order(data_dir):
    data, taskcla, size = mixture.get(seed=0, data_dir=data_dir)
    names = ['cifar10', 'cifar100', 'mnist', 'svhn', 'fashion-mnist', 'traffic-signs', 'facescrub', 'notmnist']
    assert [data[t]['name'] for t in range(8)] == [names[i] for i in shuffled(8, 0)]
    assert [data[t]['name'] for t in range(8)][0] == 'facescrub'  # as the compression runs rely on
    assert dict(zip([data[t]['name'] for t in range(8)], [n for _, n in taskcla]))['traffic-signs'] == 43
    fixed, _, _ = mixture.get(seed=0, fixed_order=True, data_dir=data_dir)
    for name, mean, std in (('mnist', 0.1, 0.2752), ('notmnist', 0.4254, 0.4501), ('fashion-mnist', 0.2190, 0.3318)):
        x = fixed[names.index(name)]['test']['x']
        assert x.shape == (100, 3, 32, 32) and torch.equal(x[:, 0], x[:, 2])
        expected = normal(np.pad(small(name)['x_test'], ((0, 0), (2, 2), (2, 2))), mean, std)
        assert np.allclose(x[:, 0].numpy(), expected, atol=1e-6)
    assert len(fixed[0]['valid']['y']) == int(0.15 * 200)


def test_seeds_of_the_compression_runs():
    starts = {0: 'facescrub', 1: 'notmnist', 2: 'fashion-mnist', 3: 'traffic-signs', 6: 'cifar10', 10: 'mnist',
              13: 'cifar100', 25: 'svhn'}
    for seed, name in starts.items():
        assert mixture.TASKS[common.shuffle(np.arange(8), seed)[0]].name == name


def test_only_the_chosen_sets_are_read_and_loading_draws_nothing(tmp_path):
    np.savez(tmp_path / 'notmnist.npz', **small('notmnist'))
    np.random.seed(1), torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state().clone()
    data, taskcla, _ = mixture.get(tasks='notmnist', data_dir=tmp_path)
    glyphs.get()
    assert taskcla == [(0, 10)] and data[0]['name'] == 'notmnist'
    assert (np.random.get_state()[1] == before[0]).all() and torch.equal(torch.get_rng_state(), before[1])


def test_splits_read_like_dictionaries_and_hold_floats_only_while_used(data_dir):
    data, _, _ = pmnist.get(data_dir=data_dir)
    split = data[0]['train']
    x = split['x']
    assert split['x'] is x and set(split) == {'x', 'y'} and dict(split.items())['x'] is x
    address = x.data_ptr()
    split['x'] = x + 1
    assert split['x'].data_ptr() != address


def test_glyphs_are_the_same_on_every_call_and_test_fonts_are_new():
    first = glyphset.make()
    assert all((a == b).all() for a, b in zip(first[2:], glyphset.split(glyphset.TEST_FONTS, glyphset.TEST, 63)))
    assert not set(glyphset.TRAIN_FONTS) & set(glyphset.TEST_FONTS)
    x, y = first[:2]
    assert x.dtype == np.uint8 and x.shape == (len(y), 28, 28) and (np.bincount(y) == glyphset.TRAIN).all()
    assert len(np.unique(x.reshape(len(x), -1), axis=0)) > 0.99 * len(x)
    data, taskcla, size = glyphs.get()
    assert taskcla == [(t, 6) for t in range(6)] and data[5]['name'] == 'glyphs-UVWXYZ'


def broken(**changes):
    """Arrays of a small MNIST with some replaced, or left out if None."""
    arrays = {**small('mnist'), **changes}
    return {k: v for k, v in arrays.items() if v is not None}


@pytest.mark.parametrize('arrays, says', [
    (broken(y_test=None), 'lacks y_test'),
    (broken(x_train=np.zeros((200, 28, 28), np.float32)), 'float32, expected uint8'),
    (broken(x_train=np.zeros((200, 32, 32), np.uint8)), 'expected [N, 28, 28]'),
    (broken(x_train=np.zeros((200, 28, 28, 3), np.uint8)), 'expected [N, 28, 28]'),
    (broken(y_train=np.arange(200) % 11), 'labels of y_train run from 0 to 10, expected 0 to 9'),
    (broken(y_train=np.arange(200) % 10 - 1), 'run from -1'),
    (broken(y_train=np.arange(100) % 10), 'expected [200]'),
    (broken(y_train=np.zeros(200)), 'expected integers'),
    (broken(y_train=np.arange(200).astype('m8[s]')), 'expected integers'),
    (broken(x_test=np.zeros((0, 28, 28), np.uint8), y_test=np.zeros(0, int)), 'no images'),
    (broken(y_test=np.array([None] * 100)), 'not an npz file'),
    (broken(y_train=np.zeros(200, int)), 'no train images of the classes of mnist-5-9'),
])
def test_npz_files_that_are_not_the_set_are_refused(arrays, says, tmp_path, refused):
    np.savez(tmp_path / 'mnist.npz', **arrays)
    line = refused(run.main, ['--experiment', 'mnist2', '--approach', 'sgd', '--data-dir', tmp_path,
                              '--output', tmp_path / 'res' / 'o.txt'])
    assert says in line and not (tmp_path / 'res').exists()


def test_zip_bombs_and_paths_that_leave_the_folder_are_harmless(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / 'mnist.npz', **broken(x_train=np.zeros((20000, 28, 28), np.uint8)))
    monkeypatch.setitem(raw.TABLE, 'mnist', dataclasses.replace(raw.TABLE['mnist'], counts=(10, 10)))
    with pytest.raises(UserError, match='more than 40 images take'):
        raw.load('mnist', tmp_path)
    monkeypatch.setattr(unpickler, 'LIMIT', 10 ** 6)
    with zipfile.ZipFile(tmp_path / 'notmnist.zip', 'w', zipfile.ZIP_DEFLATED) as z:
        z.writestr('../../notmnist_train.pkl', b'0' * 2 * 10 ** 6)
    with pytest.raises(UserError, match='more than 1000000'):
        raw.load('notmnist', tmp_path)
    assert sorted(f.name for f in tmp_path.iterdir()) == ['mnist.npz', 'notmnist.zip']


@pytest.mark.parametrize('content', [b'', b'hello', b'PK\x03\x04' + b'x' * 50, b'\x93NUMPY\x01\x00'])
def test_files_that_are_not_npz_are_refused(content, tmp_path):
    (tmp_path / 'mnist.npz').write_bytes(content)
    with pytest.raises(UserError, match='not an npz'):
        raw.load('mnist', tmp_path)


def serve(files, mischief=()):
    """A web server on this machine for {path: bytes}, which treats its first requests badly: 'drop', 'stall' or
    'truncate'; returns its address."""
    mischief = [how for m in mischief for how in ('', m)]  # torchvision asks once for redirections, then for the file

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            how = mischief.pop(0) if mischief else ''  # before the answer, after which the next request may come
            body = files.get(self.path.lstrip('/'))
            self.send_response(200 if body else 404)
            self.send_header('Content-Length', str(len(body or b'')))
            self.end_headers()
            if how == 'stall':
                time.sleep(1.5)
            if how:
                self.wfile.write(body[:0 if how == 'drop' else len(body) // 2])
                self.connection.close()
                return
            self.wfile.write(body or b'')

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return 'http://127.0.0.1:%d/' % server.server_port


def gz_idx(x, y):
    """MNIST's two files of images [N,28,28] and labels, packed."""
    return (gzip.compress(struct.pack('>IIII', 2051, *x.shape) + x.tobytes()),
            gzip.compress(struct.pack('>II', 2049, len(y)) + y.astype(np.uint8).tobytes()))


def mnist_files():
    """torchvision's files of MNIST in a small edition, {name: bytes}."""
    arrays, files = small('mnist'), {}
    for s, stem in (('train', 'train'), ('test', 't10k')):
        names = ['%s-%s-ubyte.gz' % (stem, kind) for kind in ('images-idx3', 'labels-idx1')]
        files.update(zip(names, gz_idx(arrays['x_' + s], arrays['y_' + s])))
    return files


def sums(files):
    """[(name, MD5)] of files."""
    return [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]


def from_server(monkeypatch, name, kind, **names):
    """Gives a class of torchvision.datasets other addresses and sums, those of a small edition on this machine."""
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(download, 'WAIT', 0.01)
    for key, value in names.items():
        monkeypatch.setattr(kind, key, value, raising=False)
    monkeypatch.setitem(raw.TABLE, name, dataclasses.replace(raw.TABLE[name], counts=(200, 100)))


@pytest.fixture
def mnist_server(monkeypatch):
    """torchvision's MNIST, in a small edition, on a server of this machine."""
    from torchvision import datasets
    files = mnist_files()
    monkeypatch.setattr(download, 'TIMEOUT', 20)
    from_server(monkeypatch, 'mnist', datasets.MNIST, mirrors=[serve(files)], files=files,
                resources=sums(files))
    return datasets.MNIST


def test_torchvision_sets_are_downloaded_once_and_their_size_is_checked(mnist_server, tmp_path, monkeypatch, refused):
    for _ in range(2):
        arrays = raw.load('mnist', tmp_path)
        assert (arrays['x_train'] == small('mnist')['x_train']).all() and (tmp_path / 'MNIST' / 'raw').is_dir()
        monkeypatch.setattr(mnist_server, 'mirrors', ['http://127.0.0.1:9/'])
    monkeypatch.setitem(raw.TABLE, 'mnist', dataclasses.replace(raw.TABLE['mnist'], counts=(60000, 10000)))
    with pytest.raises(UserError, match='200 train images, expected 60000'):
        raw.load('mnist', tmp_path)


@pytest.mark.parametrize('mischief', [['drop'], ['truncate'], ['stall'], ['truncate', 'drop']])
def test_downloads_that_fail_are_tried_again(mischief, mnist_server, tmp_path, monkeypatch, capsys):
    if 'stall' in mischief:
        monkeypatch.setattr(download, 'TIMEOUT', 0.5)
    monkeypatch.setattr(mnist_server, 'mirrors', [serve(mnist_server.files, mischief)])
    assert (raw.load('mnist', tmp_path)['x_test'] == small('mnist')['x_test']).all()
    assert capsys.readouterr().out.count('download failed') == len(mischief)
    assert sorted(f.name for f in tmp_path.iterdir()) == ['.download.lock', 'MNIST']


def test_a_truncated_download_is_never_kept(mnist_server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mnist_server, 'mirrors', [serve(mnist_server.files, ['truncate'] * 9)])
    with pytest.raises(UserError, match='corrupted'):
        raw.load('mnist', tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ['.download.lock']


def truncated(path):
    """Cuts a file short by a third."""
    path.write_bytes(path.read_bytes()[:len(path.read_bytes()) * 2 // 3])


IDX = 'MNIST/raw/train-images-idx3-ubyte'


@pytest.fixture
def small_mnist(mnist_server, tmp_path):
    """torchvision's files of a small MNIST in a folder."""
    raw.load('mnist', tmp_path)
    return tmp_path


@pytest.mark.parametrize('spoil', [
    lambda folder: truncated(folder / IDX), lambda folder: (folder / IDX).write_bytes(b''),
    lambda folder: [truncated(folder / 'MNIST' / 'raw' / name) for name in (
        'train-images-idx3-ubyte.gz', 'train-images-idx3-ubyte', 't10k-labels-idx1-ubyte')],
    lambda folder: (folder / IDX).write_bytes((folder / IDX).read_bytes() + b'more')])
def test_broken_files_of_torchvision_are_fetched_anew(spoil, mnist_server, small_mnist, monkeypatch, capsys):
    spoil(small_mnist)
    assert (raw.load('mnist', small_mnist)['x_train'] == small('mnist')['x_train']).all()
    printed = capsys.readouterr().out
    assert IDX in printed and 'are broken' in printed and 'failed' not in printed
    monkeypatch.setattr(mnist_server, 'mirrors', ['http://127.0.0.1:9/'])
    assert (raw.load('mnist', small_mnist)['x_train'] == small('mnist')['x_train']).all() and not capsys.readouterr().out
    assert sorted(f.name for f in small_mnist.iterdir()) == ['.download.lock', 'MNIST']


def test_broken_files_that_cannot_be_fetched_are_named(mnist_server, small_mnist, monkeypatch, refused):
    monkeypatch.setattr(mnist_server, 'mirrors', ['http://127.0.0.1:9/'])
    truncated(small_mnist / IDX)
    before = (small_mnist / IDX).read_bytes()
    (small_mnist / (IDX + '.gz')).unlink()
    line = refused(run.main, ['--experiment', 'mnist2', '--approach', 'sgd', '--data-dir', small_mnist])
    assert all(word in line for word in ('are broken (%s)' % IDX, 'Connection refused', 'mnist.npz', 'own files (MNIST), whole')), line
    assert (small_mnist / IDX).read_bytes() == before  # what could not be replaced stays


def test_a_whole_archive_mends_what_was_unpacked_from_it_without_a_network(mnist_server, small_mnist, monkeypatch):
    monkeypatch.setattr(mnist_server, 'mirrors', ['http://127.0.0.1:9/'])
    truncated(small_mnist / IDX)
    assert (raw.load('mnist', small_mnist)['x_train'] == small('mnist')['x_train']).all()


@pytest.fixture
def cifar_server(monkeypatch):
    """torchvision's CIFAR-10, in a small edition, on a server of this machine."""
    from torchvision import datasets
    arrays, members = small('cifar10'), {'batches.meta': {'label_names': list('abcdefghij')}}
    for s, name in (('train', 'data_batch_1'), ('test', 'test_batch')):
        flat = arrays['x_' + s].transpose(0, 3, 1, 2).reshape(-1, 3072)
        members[name] = {'data': flat, 'labels': arrays['y_' + s].tolist()}
    members = {name: pickle.dumps(value) for name, value in members.items()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as tar:
        for name, content in members.items():
            info = tarfile.TarInfo('cifar-10-batches-py/' + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    files, inside = {'cifar-10-python.tar.gz': packed.getvalue()}, dict(sums(members))
    from_server(monkeypatch, 'cifar10', datasets.CIFAR10, url=serve(files) + 'cifar-10-python.tar.gz',
                tgz_md5=sums(files)[0][1],
                train_list=[['data_batch_1', inside['data_batch_1']]],
                test_list=[['test_batch', inside['test_batch']]],
                meta={'filename': 'batches.meta', 'key': 'label_names', 'md5': inside['batches.meta']})
    return datasets.CIFAR10


@pytest.mark.parametrize('spoilt', [['cifar-10-python.tar.gz'], ['cifar-10-batches-py/data_batch_1'], ['cifar-10-batches-py/batches.meta'],
                                    ['cifar-10-python.tar.gz', 'cifar-10-batches-py/test_batch']])
def test_a_broken_archive_or_what_was_unpacked_from_it_is_told_from_none(spoilt, cifar_server, tmp_path, monkeypatch, capsys):
    kind = cifar_server
    raw.load('cifar10', tmp_path)
    for name in spoilt:
        truncated(tmp_path / name)
    if spoilt == ['cifar-10-python.tar.gz']:
        utils.remove(tmp_path / 'cifar-10-batches-py')
    url = kind.url
    if 'cifar-10-python.tar.gz' in spoilt:
        monkeypatch.setattr(kind, 'url', 'http://127.0.0.1:9/x')
        with pytest.raises(UserError) as e:
            raw.load('cifar10', tmp_path)
        assert 'are broken (%s)' % ', '.join(spoilt) in str(e.value) and 'whole' in str(e.value), e.value
        monkeypatch.setattr(kind, 'url', url)
    capsys.readouterr()
    assert (raw.load('cifar10', tmp_path)['x_train'] == small('cifar10')['x_train']).all()
    assert 'failed' not in capsys.readouterr().out
    assert raw.load('cifar10', tmp_path)['x_test'].shape == (100, 32, 32, 3) and not capsys.readouterr().out


def zipped(members):
    """A zip of {name: bytes}."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z:
        for name, content in members.items():
            z.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize('name, ncla, first', [('emnist-letters', 26, 1), ('emnist-balanced', 47, 0)])
def test_emnist_stands_upright_and_is_numbered_from_0(name, ncla, first, tmp_path, monkeypatch):
    from torchvision import datasets
    arrays, members = small('mnist'), {}
    for s, count in (('train', 200), ('test', 100)):
        y = np.arange(count) % ncla
        for kind, content in zip(('images-idx3', 'labels-idx1'), gz_idx(arrays['x_' + s].swapaxes(1, 2), y + first)):
            members['gzip/emnist-%s-%s-%s-ubyte.gz' % (name[7:], s, kind)] = content
    files = {'gzip.zip': zipped(members)}
    from_server(monkeypatch, name, datasets.EMNIST, url=serve(files) + 'gzip.zip', md5=sums(files)[0][1])
    for _ in range(2):
        found = raw.load(name, tmp_path)
        assert (found['x_train'] == arrays['x_train']).all() and (found['y_test'] == np.arange(100) % ncla).all()
        monkeypatch.setattr(datasets.EMNIST, 'url', 'http://127.0.0.1:9/')
    row = raw.describe(name, found)
    assert len(row.class_names) == row.ncla == ncla and row.class_names[-1] == 'zt'[first == 0]


def test_kmnist_and_usps_are_downloaded(tmp_path, monkeypatch):
    import bz2
    from torchvision import datasets
    files = mnist_files()
    from_server(monkeypatch, 'kmnist', datasets.KMNIST, mirrors=[serve(files)], resources=sums(files))
    assert (raw.load('kmnist', tmp_path)['x_test'] == small('mnist')['x_test']).all()
    rs, files, wanted = np.random.RandomState(0), {}, {}
    for s, n, file in (('train', 200, 'usps.bz2'), ('test', 100, 'usps.t.bz2')):
        wanted[s] = rs.randint(0, 256, (n, 256)), np.arange(n) % 10
        lines = ['%d %s' % (c + 1, ' '.join('%d:%.5f' % (k + 1, v / 127.5 - 1 + 1e-4) for k, v in enumerate(row))) for row, c in zip(*wanted[s])]
        files[file] = bz2.compress('\n'.join(lines).encode())
    address = serve(files)
    split_list = {s: [address + n, n, md5] for s, (n, md5) in zip(('train', 'test'), sums(files))}
    from_server(monkeypatch, 'usps', datasets.USPS, split_list=split_list)
    found = raw.load('usps', tmp_path)
    assert (found['y_train'] == wanted['train'][1]).all() and raw.shape('usps', tmp_path) == [1, 16, 16]
    assert abs(found['x_test'].reshape(100, -1) - wanted['test'][0]).max() <= 1
    truncated(tmp_path / 'usps.bz2')
    assert (raw.load('usps', tmp_path)['x_train'] == found['x_train']).all()


def test_omniglot_s_alphabets_are_tasks(tmp_path, monkeypatch):
    from PIL import Image
    from torchvision import datasets
    files, rs = {}, np.random.RandomState(0)
    for part, alphabets in (('images_background', {'Latin': 3, 'Japanese_(hiragana)': 2}), ('images_evaluation', {'Keble': 2})):
        members = {}
        for alphabet, count in alphabets.items():
            for c in range(count):
                for drawer in range(20):
                    png = io.BytesIO()
                    Image.fromarray(rs.randint(0, 2, (105, 105)).astype(bool)).save(png, 'PNG')
                    members['%s/%s/character%02d/%04d_%02d.png' % (part, alphabet, c + 1, c, drawer + 1)] = png.getvalue()
        files[part + '.zip'] = zipped(members)
    from_server(monkeypatch, 'omniglot', datasets.Omniglot, download_url_prefix=serve(files).rstrip('/'),
                zips_md5={n[:-4]: md5 for n, md5 in sums(files)})
    monkeypatch.setitem(raw.TABLE, 'omniglot', dataclasses.replace(raw.TABLE['omniglot'], ncla=7, counts=(112, 28)))
    first = raw.load('omniglot', tmp_path)
    utils.remove(tmp_path / 'omniglot-py')
    again = raw.load('omniglot', tmp_path)  # from the npz
    assert (tmp_path / 'omniglot.npz').exists() and raw.sha256(first) == raw.sha256(again)
    data, taskcla, size = build.experiment('omniglot', tmp_path).get(data_dir=tmp_path)
    assert [data[t]['name'] for t, _ in taskcla] == ['omniglot-Japanese_hiragana', 'omniglot-Keble', 'omniglot-Latin']
    assert [n for _, n in taskcla] == [2, 2, 3] and size == [1, 28, 28] and data[2]['class_names'][0] == 'Latin/character01'
    assert len(data[1]['train']['y']) + len(data[1]['valid']['y']) == 32 and len(data[1]['test']['y']) == 8
    with zipfile.ZipFile(io.BytesIO(files['images_evaluation.zip'])) as z, z.open('images_evaluation/Keble/character02/0001_17.png') as f:
        x = 255 - np.asarray(Image.open(f).convert('L').resize((28, 28), Image.Resampling.BILINEAR))
    assert (again['x_test'][again['y_test'] == 3][0] == x).all()  # the first drawing that is tested

def test_sets_without_sums_of_what_was_unpacked_are_broken_as_a_whole(tmp_path):
    from torchvision import datasets
    (tmp_path / 'gtsrb').mkdir()
    (tmp_path / 'test_32x32.mat').write_bytes(b'cut short')
    gone, mat = [Path('gtsrb')], [Path('test_32x32.mat')]
    assert download.broken(datasets.GTSRB, tmp_path, ('gtsrb',), OSError('image file is truncated')) == (gone, gone)
    assert download.broken(datasets.GTSRB, tmp_path, ('gtsrb',), RuntimeError('not found')) == ([], [])
    assert download.broken(datasets.SVHN, tmp_path, ('train_32x32.mat', 'test_32x32.mat'), RuntimeError('corrupted')) == (mat, mat)


def test_what_nobody_knew_to_be_broken_is_taken_along_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, 'WAIT', 0.01)
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'old').write_text('broken')

    def load(root):
        if (Path(root) / 'set').exists():
            raise ValueError('it cannot be read')
        (Path(root) / 'set').write_text('whole')
    download.into(tmp_path, ['set'], load)
    assert (tmp_path / 'set').read_text() == 'whole' and capsys.readouterr().out.count('failed') == 1


def test_a_set_that_cannot_be_had_is_named_with_the_ways_to_supply_it(mnist_server, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(mnist_server, 'mirrors', ['http://127.0.0.1:9/'])
    line = refused(run.main, ['--experiment', 'mnist2', '--approach', 'sgd', '--data-dir', tmp_path])
    assert all(w in line for w in ('mnist', str(tmp_path), 'mnist.npz', 'torchvision', 'refused')), line
    line = refused(run.main, ['--experiment', 'mixture', '--tasks', 'facescrub', '--approach', 'sgd',
                              '--data-dir', tmp_path])
    assert 'facescrub.npz' in line and 'facescrub_100.zip' in line


class Evil:
    """Pickles into a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_the_originals_zips_are_read_and_their_pickles_run_nothing(tmp_path):
    arrays = small('facescrub')
    for protocol in (2, 4):
        with zipfile.ZipFile(tmp_path / 'facescrub_100.zip', 'w') as z:
            for s in ('train', 'test'):
                content = {'features': arrays['x_' + s].transpose(0, 3, 1, 2), 'labels': arrays['y_' + s]}
                z.writestr('facescrub_%s_100.pkl' % s, pickle.dumps(content, protocol))
        read = raw.load('facescrub', tmp_path)
        assert all((read[k] == arrays[k]).all() for k in arrays)
    (tmp_path / 'notmnist').mkdir()
    with zipfile.ZipFile(tmp_path / 'notmnist' / 'notmnist.zip', 'w') as z:
        z.writestr('notmnist_train.pkl', pickle.dumps({'features': Evil(tmp_path / 'evil')}))
    with pytest.raises(UserError, match='not loaded'):
        raw.load('notmnist', tmp_path)
    assert not (tmp_path / 'evil').exists()


LOADER = '''"""Two tasks of a data set of one's own."""
import numpy as np
from dataloaders import common, raw
network = 'mlp'


def make():
    x, y = np.random.RandomState(0).randint(0, 256, (80, *%(shape)s)).astype(np.uint8), np.arange(80) %% 4
    return x, y, x[:40], y[:40]


def get(seed=0, pc_valid=0.1, tasks=None):
    mine = raw.Raw(name='mine', make=make)
    both = [common.Task('one', mine, range(2)%(more)s), common.Task('two', mine, range(2, 4))]
    data, taskcla, size = common.build(common.choose(both, range(2), tasks), %(size)s, seed, pc_valid)
    return data, taskcla, %(returned)s
'''


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Writes a dataloader of the name given into a folder that run.py looks into, from LOADER."""
    import dataloaders
    (tmp_path / 'loaders').mkdir()
    monkeypatch.setattr(dataloaders, '__path__', [*dataloaders.__path__, str(tmp_path / 'loaders')])

    def write(name, shape, size, more='', returned='size'):
        sys.modules.pop('dataloaders.' + name.replace('-', '_'), None)
        importlib.invalidate_caches()
        (tmp_path / 'loaders' / (name.replace('-', '_') + '.py')).write_text(LOADER % {
            'shape': shape, 'size': size, 'more': more, 'returned': returned})
        return ['--experiment', name, '--approach', 'sgd', '--nepochs', '1', '--device', 'cpu', '--output', tmp_path / 'o.txt']
    return write


@pytest.mark.parametrize('shape, size, why', [
    ((32, 32), [1, 20, 20], 'not cropped'), ((12, 12), [1, 33, 33], 'has to be even'), ((8, 8, 3), [1, 8, 8], 'only grey'),
    ((8, 12), [1, 12, 8], 'not cropped'), ((8, 8), [1, 8, 9], 'has to be even'), ((8, 8, 3), [2, 8, 8], 'only grey'),
    ((8, 8), [8, 8], '[channels, height, width]')])
def test_images_that_do_not_fit_the_declared_size_are_refused_with_both_sizes(shape, size, why, loader, refused):
    line = refused(run.main, loader('misfit-data', shape, size))
    own_size = [shape[2] if len(shape) == 3 else 1, *shape[:2]]
    assert all(word in line for word in ('mine', str(own_size), str(size), why)), line


@pytest.mark.parametrize('more, returned, says', [
    (', permutation=np.arange(9)', 'size', 'permutation of task one'), (', mean=(.1, .2), std=(1.,)', 'size', '2 numbers as mean'),
    (', classes=(1, 1)', 'size', 'names a class twice'), (', classes=(1, 7)', 'size', 'the data set 0 to 3'),
    ('', '[1, 9, 9]', 'made of size [1, 8, 8], expected [1, 9, 9]')])
def test_tasks_that_cannot_be_made_are_refused(more, returned, says, loader, refused):
    argv = loader('odd-data', (8, 8), [1, 8, 8], more, returned)
    if 'classes' in more:
        source = (argv[-1].parent / 'loaders' / 'odd_data.py')
        source.write_text(source.read_text().replace('range(2), classes', 'classes'))
    assert says in refused(run.main, argv)


@pytest.mark.parametrize('shape, size', [((28, 28), [3, 32, 32]), ((20, 30), [1, 32, 32]), ((6, 8), [1, 8, 8]), ((8, 8, 3), [3, 10, 12])])
def test_smaller_images_are_padded_with_black_on_every_side_alike(shape, size, loader, capsys):
    argv = loader('padded-data', shape, size)
    data, _, _ = build.experiment('padded-data', 'dat').get(pc_valid=0)
    split, (high, wide) = data[0]['train'], ((n - m) // 2 for n, m in zip(size[1:], shape))
    images = split.source[split.rows].reshape(-1, *shape[:2], shape[2] if len(shape) == 3 else 1).transpose(0, 3, 1, 2)
    padded = np.pad(images, ((0, 0), (0, 0), (high, high), (wide, wide))) / 255
    mean, std = (np.array(v).reshape(1, -1, 1, 1) for v in (split.pixels.mean, split.pixels.std))
    assert split['x'].shape[1:] == tuple(size) and np.allclose(split['x'], np.broadcast_to((padded - mean) / std, split['x'].shape), atol=1e-5)
    traced = cut.Preprocessing(split.pixels)(torch.from_numpy(images / np.float32(255)))
    assert torch.allclose(traced, split['x'], atol=1e-5)
    assert run.main([*map(str, argv), '--pad', '1']).shape == (2, 2)


SAME, OTHER = np.arange(64), np.arange(64)[::-1].copy()


@pytest.mark.parametrize('first, second, shared', [
    ({}, {'classes': (3,)}, ()), ({}, {'classes': range(1, 4)}, (1, 2,)), ({}, {}, (0, 1, 2,)), ({'classes': None}, {'classes': (3, 2)}, (3, 2,)),
    ({}, {'permutation': OTHER}, ()), ({'permutation': OTHER}, {'permutation': OTHER}, (0, 1, 2,)), ({}, {'permutation': SAME}, (0, 1, 2,)),
    ({'angle': 30.}, {'angle': 60.}, ()), ({'angle': 30.}, {'angle': 390.}, (0, 1, 2,)), ({}, {'angle': 0.}, (0, 1, 2,)),
    ({}, {'mean': (.1,)}, ()), ({'mean': (.1,), 'std': (.2,)}, {'std': [.2], 'mean': [.1]}, (0, 1, 2,)), ({}, {'raw': 'copy'}, (0, 1, 2,)),
    ({}, {'raw': 'other'}, ())])
def test_tasks_share_a_class_where_number_data_and_pixels_are_the_same(first, second, shared):
    def made(seed):
        x, y = np.random.RandomState(seed).randint(0, 256, (40, 8, 8)).astype(np.uint8), np.arange(40) % 4
        return lambda: (x, y, x.copy(), y)
    raws = {name: raw.Raw(name=name, make=made(name == 'other')) for name in ('mine', 'copy', 'other')}
    both = [common.Task(n, **{'classes': range(3), **more, 'raw': raws[more.get('raw', 'mine')]}) for n, more in (('a', first), ('b', second))]
    data, taskcla, _ = common.build(both, [1, 8, 8], 0, .1)
    one, two = check.classes(data, taskcla)
    assert [number for key, number in zip(two, data[1]['classes']) if key in one] == list(shared)
    data[1]['train']['x'] = data[1]['train']['x'] + 1
    one, two = check.classes(data, taskcla)
    assert not set(one) & set(two)  # of other floats nothing is known


@pytest.mark.parametrize('experiment, more', [
    ('pmnist', ()), ('rmnist', ()), ('split:mnist:3', ()), ('mixture', ('--tasks', 'mnist,notmnist')), ('permuted:mnist:3', ('--pixels', 'unit')),
    ('cifar', ('--tasks', '0,9')), ('rotated:mnist:3', ('--pad', '2'))])
def test_the_experiments_there_are_have_classes_of_their_own(experiment, more, data_dir):
    args, _ = options.parse(['--experiment', experiment, '--approach', 'joint', '--scenario', 'class', '--data-dir', str(data_dir), *more])
    data, taskcla, _ = build.load_data(build.experiment(experiment, data_dir), args)
    keys = [key for mine in check.classes(data, taskcla) for key in mine]
    assert len(set(keys)) == len(keys) == data['ncla']


def test_loaders_may_share_classes(loader, refused, capsys):
    argv = [*loader('shared-data', (8, 8), [1, 8, 8]), '--approach', 'joint']
    output = next(a for a in argv if isinstance(a, Path))
    source = output.parent / 'loaders' / 'shared_data.py'
    source.write_text(source.read_text().replace('range(2, 4)', 'range(1, 3)').replace('tasks=None', 'all_tasks=None').replace(', tasks)', ', None)'))
    for more in (['--scenario', 'class'], ['--scenario', 'domain'], ['--scenario', 'class', '--tasks', 'two'], ['--tasks', '1,0', '--pixels', 'unit']):
        sys.modules.pop('dataloaders.shared_data', None)
        assert run.main([*map(str, argv), *more, '--overwrite']).shape == (1 + ('two' not in more),) * 2
        assert ('3 classes in all' in capsys.readouterr().out) == (more == ['--scenario', 'class'])
        assert records.read_record(output)['config']['data'].keys() == {'mine'}
    text = source.read_text()
    for numbers, all_classes in (('', 4), ("        data[t]['classes'] = [7, 8 + t]\n", 3), ("        data[t]['classes'] = [7, 7]\n", None)):
        source.write_text(text.replace('return data, taskcla', """for t in (0, 1):
        for s in ('train', 'valid', 'test'):
            data[t][s] = {k: data[t][s][k] for k in 'xy'}
        del data[t]['classes']
%s    return data, taskcla""" % numbers))  # plain tensors: what is known is what is said
        sys.modules.pop('dataloaders.shared_data')
        if all_classes is None:
            line = refused(run.main, [*argv, '--overwrite'])
            assert 'data[0] has the classes [7, 7], expected 2 different numbers' in line
            continue
        assert run.main([*map(str, argv), '--scenario', 'class', '--overwrite']).shape == (2, 2)
        assert ('3 classes in all' in capsys.readouterr().out) == (all_classes == 3)
