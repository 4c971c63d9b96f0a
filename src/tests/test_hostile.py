"""Files that somebody else may have made: pickles that would corrupt or fill the memory are refused."""
import gzip
import io
import pickle
import resource
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import plot_results
from dataloaders import raw
from results import records, unpickler
from utils import UserError

ARRAYS = [np.arange(6, dtype=k).reshape(2, 3) for k in ('u1', 'i8', '>i4', 'f2', 'f4', '>f8')] + [
    np.array([True, False]), np.array(['ab', 'c']), np.array([b'ab', b'c']), np.zeros((0, 3)), np.array(3.5), np.asfortranarray(
        np.arange(6.).reshape(2, 3)), np.float32(2.5), np.int64(7), np.bool_(True)]


@pytest.mark.parametrize('protocol', range(6))
def test_arrays_of_plain_kinds_are_read_in_every_protocol(protocol):
    shared = ARRAYS[0]
    found = unpickler.load(pickle.dumps({'a': [ARRAYS, (shared, shared)], 1: None, 'x': 'text'}, protocol))
    assert all(type(b) is type(a) and b.dtype.newbyteorder('=') == a.dtype.newbyteorder('=') and np.array_equal(a, b) for a, b in zip(ARRAYS, found['a'][0]))
    assert found['a'][1][0] is found['a'][1][1] and found[1] is None and found['x'] == 'text'


def test_what_python_2_wrote_is_read():
    content = pickle.dumps(np.arange(200, dtype='u1'), 2).replace(b'_codecs\nencode', b'_codecs\nencode')
    text = b'\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85U\x01bq\x02\x87Rq\x03(K\x01K\x02\x85' \
           b'cnumpy\ndtype\nq\x04U\x02u1q\x05K\x00K\x01\x87Rq\x06(K\x03U\x01|q\x07NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x08b' \
           b'\x89U\x02\xfe\x01q\ttq\nb.'
    assert unpickler.load(text, encoding='latin1').tolist() == [254, 1]
    assert unpickler.load(content, encoding='latin1').tolist() == list(range(200))


class Reduce:
    """Is pickled as a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def codec(text, name):
    import _codecs
    return Reduce(_codecs.encode, (text, name))


RECONSTRUCT = np.empty(0).__reduce__()[0]
HOSTILE = [
    pickle.dumps(np.array([None, 1])), pickle.dumps(np.zeros(2, [('a', 'O')])), pickle.dumps(np.zeros(2, [('a', 'i4')])),
    pickle.dumps(np.dtype('O')), pickle.dumps(np.zeros(2, 'V5')), pickle.dumps(np.zeros(2, 'm8[s]')), pickle.dumps(np.zeros(2, 'c8')),
    pickle.dumps(Reduce(np.dtype, ('f8', False, True), (3, '<', None, ('a',), {'a': (1, 2)}, 8, 8, 63))),
    pickle.dumps(Reduce(np.dtype, ('f8', False, True), (3, '<', (1,), None, None, 8, 8, 63))),
    pickle.dumps(Reduce(np.ndarray, ((10 ** 4, 10 ** 4),))), pickle.dumps(Reduce(np.ndarray, ((5,), np.dtype('f8'), b'x' * 40))),
    pickle.dumps(Reduce(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (10 ** 9,), np.dtype('f8'), False, b'xxxxxxxx'))),
    pickle.dumps(Reduce(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (-1,), np.dtype('f8'), False, b''))),
    pickle.dumps(Reduce(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (2,), np.dtype('f8'), False, [1, 2]))),
    pickle.dumps(Reduce(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (10 ** 10,), np.dtype('S0'), False, b''))),
    pickle.dumps(Reduce(RECONSTRUCT, (np.ndarray, (0,), b'b'), (1, (2,), np.dtype('f8'), False, 16))),
    pickle.dumps(codec('x', 'utf-16')), pickle.dumps(codec(codec('x', 'latin1'), 'hex')), pickle.dumps(np.ndarray),
    pickle.dumps(np.dtype), pickle.dumps(RECONSTRUCT), b'\x80\x02Nr' + struct.pack('<I', 2 ** 32 - 1) + b'.', b'Np4294967295\n.',
    pickle.dumps(print), b'cos\nsystem\n(S"true"\ntR.', pickle.dumps(np.arange(9.))[:-20], b'']


@pytest.mark.parametrize('content', HOSTILE, ids=range(len(HOSTILE)))
def test_pickles_that_hold_anything_else_are_refused(content, tmp_path):
    if content:
        with pytest.raises(Exception) as e:
            unpickler.load(content)
        assert isinstance(e.value, (UserError, ValueError, TypeError, pickle.UnpicklingError, EOFError))
    with gzip.open(tmp_path / 'log.pkz', 'wb') as f:
        f.write(content)
    with pytest.raises(UserError):
        unpickler.load_log(tmp_path / 'log.pkz')


@pytest.mark.parametrize('name', ['\ud800', '$x^$'])
def test_names_of_a_log_that_are_no_text_or_a_bad_formula_do_not_stop_a_figure(name, tmp_path):
    mask = {0: {0: {0: np.ones((1, 4))}}}
    for layer, task in ((name, 'a'), ('fc1', name)):
        records.save_logs(tmp_path / 'l.pkz', {'mask': mask, 'mask_pre': {}, 'valid_loss': {0: [1.]}, 'valid_acc': {0: [1.]}}, [task],
                          np.eye(1), np.eye(1), layers=[(layer, 4, 4, 1)])
        output = tmp_path / ('%s.png' % (task == 'a'))
        figure = 'capacity' if layer == name else 'overlap'
        assert plot_results.main(['--figure', figure, '--logs', str(tmp_path / 'l.pkz'), '--output', str(output)]) == 0
        assert output.stat().st_size > 5000


def test_a_log_with_an_array_for_its_configuration_is_of_another_one(tmp_path):
    records.save_logs(tmp_path / 'l.pkz', dict.fromkeys(('mask', 'mask_pre', 'valid_acc', 'valid_loss'), {}), [], np.eye(1), np.eye(1),
                      config=np.zeros(3))
    with pytest.raises(UserError, match='another configuration'):
        records.check_log(tmp_path / 'l.pkz', tmp_path / 'o.txt', {})


def header(shape, kind='|u1'):
    """The beginning of an npy file that promises a shape."""
    f = io.BytesIO()
    np.lib.format.write_array_header_1_0(f, {'descr': kind, 'fortran_order': False, 'shape': shape})
    return f.getvalue()


def test_small_files_do_not_take_much_memory(tmp_path):
    with zipfile.ZipFile(tmp_path / 'mnist.npz', 'w', zipfile.ZIP_DEFLATED) as z:
        for name in ('x_train', 'y_train', 'x_test', 'y_test'):
            z.writestr(name + '.npy', header((10 ** 10, 28, 28)) + b'x' * 1000)
    with zipfile.ZipFile(tmp_path / 'notmnist.zip', 'w', zipfile.ZIP_DEFLATED) as z:
        for name in ('train', 'test'):
            z.writestr('notmnist_%s.pkl' % name, b'\x80\x02Nr' + struct.pack('<I', 2 ** 31) + b'.')
    before, pages = resource.getrlimit(resource.RLIMIT_AS), int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2 ** 30, before[1]))
    try:
        for name in ('mnist', 'notmnist'):
            with pytest.raises(UserError):
                raw.load(name, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
