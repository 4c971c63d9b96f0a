"""What a run leaves: the accuracy matrix, its record and the approach's log, written whole or not at all."""
import gzip
import hashlib
import io
import json
import pickle
from pathlib import Path

import numpy as np

import utils
from results import measures, schema, unpickler
from utils import UserError


def record_path(output):
    """Return the path of the record beside a result: res/x.txt -> res/x.json.

    Raises UserError for another suffix: then two results could have one record.
    """
    output = Path(output)
    named = output.stem.strip('.') and output.suffix in ('.txt', '.json')
    if not named or '\0' in str(output) or '\n' in str(output):
        raise UserError('%r is not the name of a result: expected one that ends in .txt' % str(output))
    return output.with_suffix('.json')


def check_output(output, config, overwrite=False):
    """Raise UserError unless a run of this configuration may put its result there."""
    output = Path(output)
    if '\0' not in str(output) and (output.is_dir() or output.is_symlink()):
        kind = 'folder' if output.is_dir() else 'link'
        raise UserError('--output %s is a %s, expected a file' % (output, kind))
    record = record_path(output)
    if record == output:
        raise UserError('--output %s: that is the name of a record: expected one that ends in .txt' % output)
    if record.is_dir():
        raise UserError('%s is a folder: the record goes there' % record)
    if overwrite or not (output.exists() or record.exists()):
        return
    try:
        changes = differences(read_record(output)['config'], config)
    except (UserError, KeyError):
        raise UserError('%s exists and has no record (%s) that shows its configuration: give another '
                        '--output, or --overwrite' % (output, record.name))
    if changes:
        raise UserError('%s exists with another configuration (%s): give another --output, or '
                        '--overwrite' % (output, changes))


def experiment(config):
    """Return the name of what a configuration is of: its experiment, and a scenario other than task."""
    scenario = config.get('scenario', 'task')
    return config['experiment'] + ('' if scenario == 'task' else ', %s-incremental' % scenario)


def differences(old, new):
    """Return how two configurations differ, in words; '' if they do not."""
    names = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    flags = [k if k == 'data' else utils.flag(k) for k in names]  # all others are options
    return ', '.join('%s %s, now %s' % (f, old.get(k), new.get(k)) for f, k in zip(flags, names))


def check_writable(path):
    """Make a file's folder, and try to write there; raise UserError if that fails."""
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
    """Raise UserError unless an approach may write its log there: over nothing but an older log, and without
    overwrite over one of this configuration only."""
    path = Path(path)
    if path in (Path(output), record_path(output)):
        raise UserError('the log %s would replace the result: give it another name' % path)
    check_writable(path)
    if path.exists():
        try:
            old = unpickler.load_log(path).get('config')
        except UserError as e:
            raise UserError('%s: it is not overwritten; give another name' % e)
        if not overwrite and not (isinstance(old, str) and old == json.dumps(config, sort_keys=True)):
            raise UserError(
                '%s is the log of another configuration: give another name, or --overwrite' % path)


def save(output, acc, record):
    """Write the record as JSON, and beside it the matrix [T,T] as text.

    The record holds the SHA-256 of the matrix: so it shows if only one of the two was written. The record
    comes first, as a matrix alone does not show what it is of.
    """
    lines = io.StringIO()
    np.savetxt(lines, acc, '%.4f')
    with utils.replacing(record_path(output)) as f:
        json.dump({**record, 'matrix_sha256': sha256(lines.getvalue())}, f, indent=1)
        f.write('\n')
    with utils.replacing(output) as f:
        f.write(lines.getvalue())


def mark(output, **changes):
    """Change what the record beside a result says, {name: value}, such as status or tags."""
    path = record_path(output)
    record = json.loads(path.read_text(encoding='utf-8'))
    with utils.replacing(path) as f:
        json.dump({**record, **changes}, f, indent=1)
        f.write('\n')


def tagged(record, tags):
    """Return whether a record has all of some tags."""
    return set(tags) <= set(record.get('tags', ()))


def tag(output, tags):
    """Give a result further tags."""
    old = read_record(output).get('tags', [])
    if set(tags) - set(old):
        mark(output, tags=sorted({*old, *tags}))


def sha256(text):
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def has_log(appr):
    """Return whether an approach logs something for run.py to write, a dictionary, and says where to."""
    logs, path = getattr(appr, 'logs', None), getattr(appr, 'logpath', None)
    return isinstance(logs, dict) and isinstance(path, (str, Path))


def save_logs(path, logs, names, acc, lss, **more):
    """Write what an approach logged, with the names [T], accuracies and losses [T,T] of the tasks learnt, and
    more.

    The file is a gzipped pickle of a dictionary of numpy arrays and builtins.
    """
    logs = {**logs, 'task_name': dict(enumerate(names)), 'test_acc': dict(enumerate(acc)),
            'test_loss': dict(enumerate(lss)), **more}
    with utils.replacing(path, 'wb') as f, gzip.GzipFile(fileobj=f, mode='wb') as z:
        pickle.dump(logs, z, pickle.HIGHEST_PROTOCOL)


def parsed(text, path):
    """Return a record from its text; path: what messages call it. Raises UserError if it is not one."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UserError('%s cannot be read as a record (%s)' % (path, type(e).__name__))
    try:
        schema.DICTIONARY(record, 'the file')
        schema.form(record)(record, '')
        for one, other in (('before_learning', 'untrained'), ('untrained', 'before_learning')):
            if one in record and other not in record:
                raise ValueError('%s without %s' % (one, other))
    except ValueError as e:
        raise UserError('%s is not a record of a run: %s' % (path, e))
    return record


def read_record(output):
    """Return the record beside a result, with its measures. Raises UserError if there is none."""
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
    return {**record, **measures.of(record), 'status': status}


def finished(output, valid=False):
    """Return whether there is a result of a run that finished and, if asked, was validated at the end."""
    if not (Path(output).exists() and record_path(output).exists()):
        return False
    record = read_record(output)
    return record['status'] == 'finished' and (not valid or 'valid_accuracy' in record)


def matrix(output):
    """Return the accuracy matrix [T,T] of a finished result, from its record."""
    return np.array(read_record(output)['accuracy'], dtype=np.float32)


def compare(old, new):
    """Return how two accuracy matrices differ, in words."""
    old, new = np.array(old, dtype=float), np.array(new)
    if old.shape != new.shape:
        return '%s tasks, now %s' % (len(old), len(new))
    t, u = np.unravel_index(np.abs(new - old).argmax(), new.shape)
    return 'by %.4f at most, on task %d after task %d (%.4f, now %.4f)' % (abs(new - old)[t, u], u, t,
                                                                           old[t, u], new[t, u])
