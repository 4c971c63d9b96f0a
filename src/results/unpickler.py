"""Pickles of plain data, read without running what else they may hold."""
import gzip
import io
import pickle

from utils import UserError

LIMIT = 2 ** 30  # bytes of one unpacked pickle

# All that a pickled array needs, under the module names of numpy 1 and 2.
ALLOWED = {(module % core, name) for module, name in (
    ('numpy.%s.multiarray', '_reconstruct'), ('numpy.%s.multiarray', 'scalar'), ('numpy.%s.numeric', '_frombuffer'))
    for core in ('core', '_core')} | {('numpy', 'ndarray'), ('numpy', 'dtype'), ('_codecs', 'encode')}


class Unpickler(pickle.Unpickler):
    """Admits numpy arrays, numbers, texts and containers, and nothing else."""

    def find_class(self, module, name):
        """The arrays' own constructors; UserError for anything else."""
        if (module, name) not in ALLOWED:
            raise UserError('the pickle asks for %s.%s, which only a program would need: not loaded' % (module, name))
        return super().find_class(module, name)


def load_log(path):
    """The log that hat-test wrote, a gzipped pickle of a dictionary. Raises UserError if it is not one."""
    try:
        with gzip.open(path) as f:
            content = f.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise UserError('%s unpacks to more than %d bytes' % (path, LIMIT))
        logs = Unpickler(io.BytesIO(content)).load()
        if not isinstance(logs, dict):
            raise TypeError
        missing = {'mask', 'mask_pre', 'valid_acc', 'valid_loss', 'task_name', 'test_acc'} - set(logs)
    except UserError as e:
        raise UserError('%s: %s' % (path, e))
    except FileNotFoundError:
        raise UserError('%s does not exist' % path)
    except Exception as e:  # a malformed pickle can raise anything
        raise UserError('%s is not a log of hat-test (%s)' % (path, type(e).__name__))
    if missing:
        raise UserError('%s is not a complete log of hat-test: it lacks %s' % (path, ', '.join(sorted(missing))))
    return logs
