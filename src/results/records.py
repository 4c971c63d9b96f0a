"""What a run leaves: the accuracy matrix, its record and the approach's log, written whole or not at all."""
import gzip
import json
import pickle
from pathlib import Path

import numpy as np

import utils
from results import metrics
from utils import UserError


def record_path(output):
    """The record beside a result: res/x.txt -> res/x.json."""
    output = Path(output)
    if not output.name:
        raise UserError('%s is not the name of a file' % (output if str(output) != '.' else "''"))
    return output.with_suffix('.json') if output.suffix in ('.txt', '.json') else output.with_name(output.name + '.json')


def check_output(output, config, overwrite=False):
    """Raises UserError unless a run of this configuration may put its result there."""
    output = Path(output)
    record = record_path(output)
    if record == output:
        raise UserError('--output %s: the name is that of the record; use another suffix, such as .txt' % output)
    if output.is_dir() or record.is_dir():
        raise UserError('--output %s is a folder, expected a file' % output)
    if not overwrite and (output.exists() or record.exists()):
        try:
            there = read_record(output)['config']
        except (UserError, KeyError):
            raise UserError('%s exists and has no record (%s) that shows its configuration: give another --output, or '
                            '--overwrite' % (output, record.name))
        differ = sorted(k for k in {*there, *config} if there.get(k) != config.get(k))
        if differ:
            raise UserError('%s exists with another configuration (%s): give another --output, or --overwrite' % (
                output, ', '.join('%s %s, now %s' % (k, there.get(k), config.get(k)) for k in differ)))


def check_writable(path):
    """Makes a file's folder, and tries to write there; raises UserError if that fails."""
    path = Path(path)
    if path.is_dir():
        raise UserError('%s is a folder, expected the name of a file' % path)
    trial = path.with_name(path.name + '.try')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with utils.replacing(trial):
            pass
        trial.unlink()
    except OSError as e:
        raise UserError('%s cannot be written (%s): choose a folder that can' % (path, e.strerror))


def check_log(path, output):
    """Raises UserError unless an approach may write its log there, over nothing but an older log."""
    path = Path(path)
    if path in (Path(output), record_path(output)):
        raise UserError('the log %s would replace the result: give it another name' % path)
    check_writable(path)
    if path.exists() and path.read_bytes()[:2] != b'\x1f\x8b':
        raise UserError('%s exists and is not a log: it is not overwritten; give another name' % path)


def save(output, acc, record):
    """Writes the matrix [T,T] as text, and the record as JSON beside it."""
    with utils.replacing(output) as f:
        np.savetxt(f, acc, '%.4f')
    with utils.replacing(record_path(output)) as f:
        json.dump(record, f, indent=1)
        f.write('\n')


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


def read_record(output):
    """The record beside a result. Raises UserError if there is none or it is not one."""
    path = record_path(output)
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise UserError('there is no record %s; give the name of a result or of its record' % path)
    except (OSError, ValueError, RecursionError) as e:
        raise UserError('%s cannot be read as a record (%s)' % (path, type(e).__name__))
    try:
        acc = np.array(record['accuracy'], dtype=float)
        ok = (acc.ndim == 2 and acc.shape[0] == acc.shape[1] > 0 and np.isfinite(acc).all()
              and len(record['tasks']) >= len(acc) and all(isinstance(n, str) for n in record['tasks'])
              and all(isinstance(record['config'][k], str) for k in ('experiment', 'approach'))
              and all(isinstance(n, str) for n in record['command']) and isinstance(record['status'], str)
              and 0 <= float(record['seconds']) < 1e12)
    except (KeyError, TypeError, ValueError, OverflowError):
        ok = False
    if not ok:
        raise UserError('%s is not a record of a run' % path)
    return {**record, **metrics.summary(acc)}


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
