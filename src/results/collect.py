"""Read folders of results: a row, a plain dictionary, for each result, and from rows what tables, figures and
reports are made of."""
import re
import warnings
from pathlib import Path

import numpy as np

from results import comparable, ledger, records
from results.comparable import tried, warn
from utils import UserError


def label(experiment):
    """Return the beginning of the names of an experiment's results: split-glyphs-6 of split:glyphs:6."""
    return experiment.replace(':', '-')


def named(folders, pattern):
    """Return [(match, path)] of the files of some folders whose names fit a pattern; a folder may be
    missing."""
    files = [f for d in map(Path, folders) if d.is_dir() for f in sorted(d.iterdir())]
    matches = [(re.fullmatch(pattern, f.name), f) for f in files]
    return [(match, f) for match, f in matches if match]


def row(path):
    """Return the row of a result: what its record says, or, without one, what its matrix shows.

    path, status, seconds, config, tags; experiment: its name with a scenario other than task; tasks: their
    names, named: whether these are of a record; acc: the accuracy matrix [T,T] in 0..1; record: all of it, or
    None. Raises UserError.
    """
    path = Path(path)
    record = records.read_record(path) if records.record_path(path).exists() else {}
    acc = np.array(record['accuracy'], dtype=float) if record else matrix(path)
    config, names = record.get('config'), ['task %d' % (t + 1) for t in range(len(acc))]
    return {'path': path, 'record': record or None, 'named': bool(record), 'acc': acc, 'config': config,
            'experiment': records.experiment(config) if config else None, 'tags': record.get('tags', []),
            'tasks': record.get('tasks', names), **{k: record.get(k) for k in ('status', 'seconds')}}


def matrix(path):
    """Return the accuracy matrix [T,T] of a text file. Raises UserError if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of an empty file
            acc = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as e:
        raise UserError('%s is not a matrix (%s)' % (path, ' '.join(str(e).split())[:100]))
    if acc.shape[0] != acc.shape[1] or not acc.size or not ((acc >= 0) & (acc <= 1)).all():
        raise UserError('%s is not a square matrix of accuracies in 0..1' % path)
    return acc


def read(path):
    """Return the row of a result with its matrix in full; None if its run has not finished."""
    acc, found = matrix(path), row(path)
    return {**found, 'acc': acc} if found['status'] in (None, 'finished') else None


def rows(folders, tags=(), name='.*'):
    """Return the rows of all records in some folders that have all of some tags and whose name fits a
    pattern; warn of those that cannot be read."""
    out, wrong = tried(row, {path: path for _, path in named(folders, name + r'\.json')})
    for text in wrong:
        warn('%s: left out' % text)
    return [r for r in out.values() if records.tagged(r['record'], tags)]


def pattern(experiment, approach):
    """Return the pattern of the names of an approach's results, of which the group is the seed."""
    return r'%s_%s_(\d+)\.txt' % (re.escape(label(experiment)), re.escape(approach))


def collect(experiment, approaches, folders=('res',), seeds=None, tags=()):
    """Return {approach: {seed: row}} of the finished results of an experiment, named as run.py and
    run_multi.py take it.

    seeds: those wanted (default: all that there are); tags: what the records must be marked with, all of
    them. Raises UserError naming all missing and malformed files at once; leaves out, with a warning, results
    of runs that have not finished. Warns of results of one approach that differ in more than the seed.
    """
    experiment, out, wrong, lost = label(experiment), {}, [], False
    where = ', '.join(map(str, folders)) + (' with the tag %s' % ' and '.join(tags) if tags else '')
    for a in approaches:
        found, name = {}, '%s_%s_%%s.txt' % (experiment, a)
        for match, path in named(folders, pattern(experiment, a)):
            if not tags or tagged(path, tags):
                if int(match[1]) in found:
                    wrong.append('%s and %s are of the same seed' % (found[int(match[1])], path))
                found[int(match[1])] = path
        lost = lost or not found and seeds is None
        wanted = seeds or sorted(found) or ['<seed>']
        wrong += ['no %s in %s' % (name % s, where) for s in wanted if s not in found]
        there, bad = tried(read, {s: found[s] for s in wanted if s in found})
        wrong += bad
        out[a] = {s: r for s, r in there.items() if r is not None}
        for s in sorted(set(there) - set(out[a])):
            warn('%s is of a run that has not finished: left out' % found[s])
    wrong += comparable.wrong(out)
    wrong += ['no finished result of %s' % a for a, by in out.items() if not by and not wrong]
    if wrong:
        raise UserError('; '.join(wrong + [contents(f) for f in folders if lost]))
    comparable.check(out, experiment)
    return out


def tagged(path, tags):
    """Return whether the record of a result has all of some tags."""
    try:
        return records.tagged(records.read_record(path), tags)
    except UserError:
        return False


def contents(folder):
    """Return what results a folder has, in words."""
    if not Path(folder).is_dir():
        return '%s is not a folder that exists' % folder
    by = {}
    for match, _ in named([folder], r'(.+)_([^_]+)_\d+\.txt'):
        by.setdefault(match[1], set()).add(match[2])
    found = ['%s: %s%s' % (e, ','.join(sorted(a)[:8]), ',...' * (len(a) > 8)) for e, a in sorted(by.items())]
    if not found:
        return '%s has no results' % folder
    return '%s has results of %s%s' % (folder, '; '.join(found[:5]), '; ...' * (len(found) > 5))


def numbered(experiment, folders):
    """Return the numbers of the orders of tasks, as run_multi.py --orders runs them, that have results."""
    found = named(folders, r'%s-order(\d{1,4})_.+_\d+\.txt' % re.escape(label(experiment)))
    return sorted({int(match[1]) for match, _ in found})


def orders(experiment, approaches, folders, seeds=None, tags=()):
    """Return {order: what collect() finds} of the orders of tasks. Raises UserError if there are none."""
    found = numbered(experiment, folders)
    if not found:
        raise UserError('no %s-order<k>_<approach>_<seed>.txt in %s: run_multi.py --orders makes them; %s' % (
            label(experiment), ', '.join(map(str, folders)), '; '.join(map(contents, folders))))
    return {k: collect('%s-order%d' % (experiment, k), approaches, folders, seeds, tags) for k in found}


def sequences(experiment, approaches, folders, seeds=None, tags=()):
    """Return what collect() finds, or, where only orders of the tasks have results, {approach: {'order k,
    seed s': row}} of all."""
    plain = any(named(folders, pattern(experiment, a)) for a in approaches)
    if plain or not numbered(experiment, folders):
        return collect(experiment, approaches, folders, seeds, tags)
    out = {a: {} for a in approaches}
    for k, found in orders(experiment, approaches, folders, seeds, tags).items():
        for a in approaches:
            out[a].update({'order %d, seed %d' % (k, s): r for s, r in found[a].items()})
    return out


def ledgers(found, query=None):
    """Return the ledgers of rows of HAT or AdaHAT. Raises UserError if there are none, or of different
    networks."""
    out = [ledger.of(r['record'] or {}) for by in found.values() for r in by.values()]
    if None in out:
        raise UserError('the results of %s have no ledger: that is of hat, adahat and hat-test, of runs '
                        'since there is one' % ', '.join(found))
    sizes = [[[units for units, *_ in entry['layers']] for entry in entries] for entries in out]
    if any(other != sizes[0] for other in sizes):
        raise UserError('the ledgers are of networks of different sizes')
    return out


def beside(output, approach):
    """Return another approach's matrix [T,T] of the same tasks and seed, beside a result, or None."""
    mine = records.read_record(output)
    found = re.fullmatch(r'(.+)_%s(_\d+)' % re.escape(mine['config']['approach']), Path(output).stem)
    if not found:
        return None
    try:
        other = records.read_record(Path(output).with_name('%s_%s%s.txt' % (found[1], approach, found[2])))
    except UserError:
        return None
    same = other['status'] == 'finished' and other['tasks'] == mine['tasks']
    return np.array(other['accuracy']) if same else None
