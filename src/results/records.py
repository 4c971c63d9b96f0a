"""What a run leaves: the accuracy matrix, its record and the approach's log, written whole or not at all."""
import gzip
import hashlib
import io
import json
import math
import pickle
import sys
from pathlib import Path

import numpy as np

import utils
from results import ledger, measures, unpickler
from utils import UserError


def record_path(output):
    """The record beside a result: res/x.txt -> res/x.json. Raises UserError for another suffix: then two results could have
    one record."""
    output = Path(output)
    if not output.stem.strip('.') or output.suffix not in ('.txt', '.json') or '\0' in str(output) or '\n' in str(output):
        raise UserError('%r is not the name of a result: expected one that ends in .txt' % str(output))
    return output.with_suffix('.json')


def check_output(output, config, overwrite=False):
    """Raises UserError unless a run of this configuration may put its result there."""
    output = Path(output)
    if '\0' not in str(output) and (output.is_dir() or output.is_symlink()):
        raise UserError('--output %s is a %s, expected a file' % (output, 'folder' if output.is_dir() else 'link'))
    record = record_path(output)
    if record == output:
        raise UserError('--output %s: that is the name of a record: expected one that ends in .txt' % output)
    if record.is_dir():
        raise UserError('%s is a folder: the record goes there' % record)
    if not overwrite and (output.exists() or record.exists()):
        try:
            there = read_record(output)['config']
        except (UserError, KeyError):
            raise UserError('%s exists and has no record (%s) that shows its configuration: give another --output, or '
                            '--overwrite' % (output, record.name))
        if differences(there, config):
            raise UserError('%s exists with another configuration (%s): give another --output, or --overwrite' % (
                output, differences(there, config)))


def differences(old, new):
    """How two configurations differ, in words; '' if they do not."""
    names = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    return ', '.join('%s %s, now %s' % (k, old.get(k), new.get(k)) for k in names)


def check_writable(path):
    """Makes a file's folder, and tries to write there; raises UserError if that fails."""
    path = Path(path)
    if path.is_dir():
        raise UserError('%s is a folder, expected the name of a file' % path)
    trial = utils.temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as e:
        raise UserError('%s cannot be written (%s): choose a folder that can' % (path, e.strerror))


def check_log(path, output, config, overwrite=False):
    """Raises UserError unless an approach may write its log there: over nothing but an older log, and without overwrite over
    one of this configuration only."""
    path = Path(path)
    if path in (Path(output), record_path(output)):
        raise UserError('the log %s would replace the result: give it another name' % path)
    check_writable(path)
    if path.exists():
        try:
            there = unpickler.load_log(path).get('config')
        except UserError as e:
            raise UserError('%s: it is not overwritten; give another name' % e)
        if not overwrite and not (isinstance(there, str) and there == json.dumps(config, sort_keys=True)):
            raise UserError('%s is the log of another configuration: give another name, or --overwrite' % path)


def save(output, acc, record):
    """Writes the record as JSON, and beside it the matrix [T,T] as text, of which the record holds the SHA-256: so it shows if
    only one of the two was written. The record comes first, as a matrix alone does not show what it is of."""
    lines = io.StringIO()
    np.savetxt(lines, acc, '%.4f')
    with utils.replacing(record_path(output)) as f:
        json.dump({**record, 'matrix_sha256': sha256(lines.getvalue())}, f, indent=1)
        f.write('\n')
    with utils.replacing(output) as f:
        f.write(lines.getvalue())


def mark(output, **changes):
    """Changes what the record beside a result says, {name: value}, such as status or tags."""
    path = record_path(output)
    record = json.loads(path.read_text(encoding='utf-8'))
    with utils.replacing(path) as f:
        json.dump({**record, **changes}, f, indent=1)
        f.write('\n')


def tagged(record, tags):
    """Whether a record has all of some tags."""
    return set(tags) <= set(record.get('tags', ()))


def tag(output, tags):
    """Gives a result further tags."""
    there = read_record(output).get('tags', [])
    if set(tags) - set(there):
        mark(output, tags=sorted({*there, *tags}))


def sha256(text):
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def has_log(appr):
    """Whether an approach logs something for run.py to write, a dictionary, and says where to."""
    return isinstance(getattr(appr, 'logs', None), dict) and isinstance(getattr(appr, 'logpath', None), (str, Path))


def save_logs(path, logs, names, acc, lss, **more):
    """Writes what an approach logged, with the names [T], accuracies and losses [T,T] of the tasks learnt, and more, as
    a gzipped pickle of numpy arrays and builtins."""
    logs = {**logs, 'task_name': dict(enumerate(names)), 'test_acc': dict(enumerate(acc)),
            'test_loss': dict(enumerate(lss)), **more}
    with utils.replacing(path, 'wb') as f, gzip.GzipFile(fileobj=f, mode='wb') as z:
        pickle.dump(logs, z, pickle.HIGHEST_PROTOCOL)


def number(least=-math.inf, most=math.inf):
    """A check for a finite number within a range."""
    return lambda v, record=None: type(v) in (int, float) and least <= v <= most and abs(v) < math.inf


def listed(fits, length=None):
    """A check for a list, whose entries fit, as long as the matrix or as `length` says."""
    return lambda v, record: isinstance(v, list) and all(fits(x, record) for x in v) and (
        length is None or len(v) == length(record))


def is_text(v, record):
    """A check for a text."""
    return isinstance(v, str)


def settings(v, record):
    """A check for a configuration."""
    return isinstance(v, dict) and type(v.get('seed', 0)) is int and all(isinstance(v.get(k), str) for k in ('experiment', 'approach')) and all(
        not isinstance(x, (int, float)) or abs(x) <= sys.float_info.max for x in v.values())


def tasks(record):
    """The number of tasks that a matrix is of."""
    return len(record['accuracy'])


# What a record has: {name: (whether it must be there, its check)}; the matrix first, as others are as long.
FIELDS = {
    'accuracy': (True, lambda v, record: isinstance(v, list) and len(v) > 0 and listed(listed(number(0, 1), tasks))(v, record)),
    'loss': (False, listed(listed(lambda v, record: type(v) in (int, float), tasks), tasks)),  # some may be nan
    'status': (True, is_text), 'config': (True, settings),
    'command': (True, listed(is_text)), 'seconds': (True, number(0, 1e12)), 'valid_accuracy': (False, listed(number(0, 1), tasks)),
    'valid_matrix': (False, listed(listed(number(0, 1), tasks), tasks)),
    'tasks': (True, lambda v, record: listed(is_text)(v, record) and len(v) >= tasks(record)
              and (len(v) == tasks(record) or record.get('status') != 'finished')),
    'before_learning': (False, lambda v, record: 'untrained' in record and listed(number(0, 1), tasks)(v, record)),
    'untrained': (False, lambda v, record: 'before_learning' in record and listed(number(0, 1), tasks)(v, record)),
    'ledger': (False, lambda v, record: ledger.sound(v, tasks(record))),
    'largest_change': (False, lambda v, record: isinstance(v, dict) and listed(number(0), tasks)(v.get('logits'), record)
                       and all(number(0)(v.get(n, 0)) for n in ('weights', 'buffer'))
                       and isinstance(v.get('buffer_name', ''), str)),
    'shared_statistics': (False, listed(is_text)),
    'origin': (False, lambda v, record: isinstance(v, dict)), 'tags': (False, listed(is_text)), 'task_inferred': (False, listed(listed(number(0, 1), tasks), tasks)),
    'diverged': (False, lambda v, record: isinstance(v, list) and all(type(t) is int and 0 <= t < tasks(record) for t in v)),
    'seconds_per_task': (False, listed(number(0, 1e12))), 'matrix_sha256': (False, is_text)}


def parsed(text, path):
    """A record from its text; path: what it is called in messages. Raises UserError if it is not one."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UserError('%s cannot be read as a record (%s)' % (path, type(e).__name__))
    if not isinstance(record, dict):
        raise UserError('%s is not a record of a run' % path)
    for name, (needed, fits) in FIELDS.items():
        if not fits(record[name], record) if name in record else needed:
            raise UserError('%s is not a record of a run: %s is missing or not what it should be' % (path, name))
    return record


def read_record(output):
    """The record beside a result. Raises UserError if there is none or it is not one."""
    path = record_path(output)
    try:
        text = path.read_text(encoding='utf-8')
    except FileNotFoundError:
        raise UserError('there is no record %s; give the name of a result or of its record' % path)
    except (OSError, ValueError) as e:
        raise UserError('%s cannot be read as a record (%s)' % (path, type(e).__name__))
    record = parsed(text, path)
    try:
        torn = sha256(path.with_suffix('.txt').read_text('utf-8')) != record.get('matrix_sha256')
    except (OSError, ValueError):
        torn = False  # a record alone
    status = 'torn' if torn and 'matrix_sha256' in record else record['status']
    return {**record, **measures.summary(record['accuracy'], record.get('before_learning'), record.get('untrained')), 'status': status}


def finished(output, valid=False):
    """Whether there is a result whose record says that its run has finished, and, if asked, was validated at the end."""
    if not (Path(output).exists() and record_path(output).exists()):
        return False
    record = read_record(output)
    return record['status'] == 'finished' and (not valid or 'valid_accuracy' in record)


def matrix(output):
    """The accuracy matrix [T,T] of a finished result, from its record."""
    return np.array(read_record(output)['accuracy'], dtype=np.float32)


def compare(old, new):
    """How two accuracy matrices differ, in words."""
    old, new = np.array(old, dtype=float), np.array(new)
    if old.shape != new.shape:
        return '%s tasks, now %s' % (len(old), len(new))
    t, u = np.unravel_index(np.abs(new - old).argmax(), new.shape)
    return 'by %.4f at most, on task %d after task %d (%.4f, now %.4f)' % (abs(new - old)[t, u], u, t, old[t, u], new[t, u])
