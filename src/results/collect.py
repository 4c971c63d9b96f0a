"""Finding and reading saved results."""
import re
import warnings
from pathlib import Path

import numpy as np

from results import about, alike, records
from utils import UserError


def collect(experiment, approaches, folders=('res',), seeds=None, tags=()):
    """{approach: {seed: what read() returns}} of saved results.

    seeds: those wanted (default: all that are there); tags: what the records must be marked with, all of them. Raises UserError naming
    all missing and malformed files at once; leaves out, with a warning, results of runs that have not finished. Warns of results of one
    approach that differ in more than the seed.
    """
    out, wrong, missing = {}, [], False
    where = '%s%s' % (', '.join(map(str, folders)), ' with the tag %s' % ' and '.join(tags) if tags else '')
    for a in approaches:
        out[a] = {}
        there, bad = find(experiment, a, folders, tags)
        wrong += bad
        if not there and seeds is None:
            wrong.append('no %s_%s_<seed>.txt in %s' % (experiment, a, where))
            missing = True
        for seed in sorted(there) if seeds is None else seeds:
            if seed not in there:
                wrong.append('no %s_%s_%d.txt in %s' % (experiment, a, seed, where))
                continue
            try:
                result = read(there[seed])
            except UserError as e:
                wrong.append(str(e))
                continue
            if result is None:
                alike.say('%s is of a run that has not finished: left out' % there[seed])
            else:
                out[a][seed] = result
    for seed in {s for by in out.values() for s in by}:
        names = {tuple(by[seed]['tasks']) for by in out.values() if seed in by and by[seed]['named']}
        if len(names) > 1:
            wrong.append('the results of seed %d are of different tasks: %s' % (seed, ' and '.join(map(','.join, sorted(names)))))
    sizes = {len(r['acc']) for by in out.values() for r in by.values()}
    if len(sizes) > 1:
        wrong.append('the results are of %s tasks, expected the same number in all' % ' and '.join(map(str, sorted(sizes))))
    wrong += alike.experiments(out)
    wrong += ['no finished result of %s' % a for a, by in out.items() if not by and not wrong]
    if missing:
        wrong += map(contents, folders)
    if wrong:
        raise UserError('; '.join(wrong))
    alike.warn(out, experiment)
    return out


def find(experiment, approach, folders, tags=()):
    """({seed: path}, [what is wrong]) of the results of an approach, of those whose records have all tags."""
    pattern, there, wrong = re.compile(r'%s_%s_(\d+)\.txt' % (re.escape(experiment), re.escape(approach))), {}, []
    for f in listing(folders):
        m = pattern.fullmatch(f.name)
        if m and tagged(f, tags):
            if int(m[1]) in there:
                wrong.append('%s and %s are of the same seed' % (there[int(m[1])], f))
            there[int(m[1])] = f
    return there, wrong


def tagged(path, tags):
    """Whether the record of a result has all of these tags."""
    if not tags:
        return True
    try:
        return records.tagged(records.read_record(path), tags)
    except UserError:
        return False


def contents(folder):
    """What results a folder has, in words."""
    if not Path(folder).is_dir():
        return '%s is not a folder that exists' % folder
    by = {}
    for f in listing([folder]):
        if m := re.fullmatch(r'(.+)_([^_]+)_\d+\.txt', f.name):
            by.setdefault(m[1], set()).add(m[2])
    found = ['%s: %s%s' % (e, ','.join(sorted(a)[:8]), ',...' * (len(a) > 8)) for e, a in sorted(by.items())]
    return '%s has %s' % (folder, 'results of %s%s' % ('; '.join(found[:5]), '; ...' * (len(found) > 5)) if found else 'no results')


def listing(folders):
    """All files of some folders; those that do not exist have none."""
    return [f for d in folders if Path(d).is_dir() for f in sorted(Path(d).iterdir())]


def read(path):
    """A result from its matrix and, where there is one, its record; None if that says that the run has not finished."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of an empty file
            acc = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as e:
        raise UserError('%s is not a matrix (%s)' % (path, ' '.join(str(e).split())[:100]))
    if acc.shape[0] != acc.shape[1] or not acc.size or not np.isfinite(acc).all() or acc.min() < 0 or acc.max() > 1:
        raise UserError('%s is not a square matrix of accuracies in 0..1' % path)
    out = {'acc': acc, 'seconds': None, 'tasks': ['task %d' % (t + 1) for t in range(len(acc))], 'named': False, 'experiment': None,
           'config': None, 'path': Path(path)}
    if records.record_path(path).exists():
        record = records.read_record(path)
        if record.get('status') != 'finished':
            return None
        out.update(seconds=record.get('seconds'), tasks=record['tasks'], named=True, config=record['config'],
                   experiment=about.experiment(record['config']))
    return out


def numbered(experiment, folders):
    """The numbers of the orders of tasks, as run_multi.py --orders runs them, of which there are results."""
    pattern = re.compile(r'%s-order(\d{1,4})_.+_\d+\.txt' % re.escape(experiment))
    return sorted({int(m[1]) for f in listing(folders) if (m := pattern.fullmatch(f.name))})


def orders(experiment, approaches, folders, seeds=None, tags=()):
    """{order: what collect() finds} of the orders of tasks. Raises UserError if there are none."""
    there = numbered(experiment, folders)
    if not there:
        raise UserError('no %s-order<k>_<approach>_<seed>.txt in %s: run_multi.py --orders makes them; %s' % (
            experiment, ', '.join(map(str, folders)), '; '.join(map(contents, folders))))
    return {k: collect('%s-order%d' % (experiment, k), approaches, folders, seeds, tags) for k in there}


def sequences(experiment, approaches, folders, seeds=None, tags=()):
    """{approach: {seed: result}} as collect(), or, where there are results of orders of the tasks only, {approach: {'order k, seed s':
    result}} of all of them."""
    if any(find(experiment, a, folders)[0] for a in approaches) or not numbered(experiment, folders):
        return collect(experiment, approaches, folders, seeds, tags)
    by = orders(experiment, approaches, folders, seeds, tags)
    return {a: {'order %d, seed %d' % (k, s): r for k, found in by.items() for s, r in found[a].items()} for a in approaches}


def ledgers(experiment, approach, folders, seeds=None, tags=()):
    """(what collect() finds of HAT, [its ledgers]). Raises UserError if there are none, or of different networks."""
    results = collect(experiment, [approach], folders, seeds, tags)
    found = [r['config'] and records.read_record(r['path']).get('ledger') for r in results[approach].values()]
    if None in found:
        raise UserError('the results of %s have no ledger: that is of hat and hat-test, of runs since there is one' % approach)
    if len({str([[row[0] for row in e['layers']] for e in f]) for f in found}) > 1:
        raise UserError('the ledgers are of networks of different sizes')
    return results, found


def beside(output, approach):
    """The matrix [T,T] of another approach on the same tasks and seed, from the folder of a result; None if it is not there."""
    there = records.read_record(output)
    found, mine = re.fullmatch(r'(.+)_%s(_\d+)' % re.escape(there['config']['approach']), Path(output).stem), there['tasks']
    try:
        other = records.read_record(Path(output).with_name('%s_%s%s.txt' % (found[1], approach, found[2]))) if found else None
    except UserError:
        return None
    return np.array(other['accuracy']) if other and other['status'] == 'finished' and other['tasks'] == mine else None
