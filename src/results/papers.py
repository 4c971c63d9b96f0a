"""Published tables: what a file of src/papers says, and how results compare with it, cell by cell."""
import json
import re
import shlex
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from results import collect, masks, measures, records, unpickler
from results.tables import Table
from utils import ROOT, UserError

FOLDER = ROOT / 'src' / 'papers'


def weights_kept(path):
    """Per cent of the weights that the log of a run of hat-test, beside its result, says to be kept."""
    return float(masks.compression_table({'': unpickler.load_log(Path(path).with_suffix('.pkz'))}).rows[0][2])


MEASURES = {  # name: (a result's path to a number, how far the means may be apart)
    'average accuracy %': (lambda path: 100 * measures.average_accuracy(collect.read(path)['acc']), 2.),
    'weights kept %': (weights_kept, 2.),
    'forgetting ratio': (None, 0.05)}


@dataclass
class Cell:
    """A published value, and the runs that are to reproduce it: their options, without seed and output, and the name of the result."""
    row: str
    column: str
    options: list
    name: str
    published: tuple   # (mean, spread or None), or None: of ours alone
    runs: int          # of the published mean
    measure: str
    after: int         # the number of tasks after which it is taken; None: all
    within: float
    data: list         # the raw data sets it takes
    note: str
    seeds: str = '0-9'


class Paper:
    """A table, from a file {title, source, spread: 'sd' or 'sem', runs, seeds, options, columns: {name: {options, run, measure, after,
    within, data, seeds}}, rows: [{name, options, note, cells: {column: [mean, spread] or {published, options, within, note}}}], notes};
    {output} in options is the result's path without suffix. Raises UserError for one that is not so."""

    def __init__(self, name):
        path = Path(name) if name.endswith('.json') else FOLDER / (name + '.json')
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            self.name, self.title, self.source, self.spread = path.stem, found['title'], found['source'], found.get('spread', 'sd')
            self.notes = found.get('notes', [])
            self.cells = [self.cell(found, row, column, cell) for row in found['rows'] for column, cell in row['cells'].items()]
        except FileNotFoundError:
            raise UserError('no table %s: there are %s; or a .json file of your own' % (
                name, ', '.join(sorted(p.stem for p in FOLDER.glob('*.json')))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
            raise UserError('%s is not a table as results.papers.Paper describes it (%s: %s)' % (path, type(e).__name__, e))

    @staticmethod
    def cell(found, row, column, cell):
        """The Cell of a row and a column."""
        cell, about = {'published': cell} if isinstance(cell, list) else cell, found['columns'][column]
        published, measure = cell.get('published'), about.get('measure', 'average accuracy %')
        if published is not None:
            mean, spread = published
            published = float(mean), None if spread is None else float(spread)
        texts = found.get('options', ''), about.get('options', ''), row.get('options', ''), cell.get('options', '')
        return Cell(row['name'], column, [word for text in texts for word in shlex.split(text)],
                    '_'.join(re.sub(r'[^a-z0-9.+-]+', '-', name.lower()) for name in (row['name'], about.get('run', column))), published,
                    int(row.get('runs', found.get('runs', 10))), measure, about.get('after'),
                    float(cell.get('within', about.get('within', MEASURES[measure][1]))), list(about.get('data', ())),
                    cell.get('note', row.get('note', '')), str(about.get('seeds', found.get('seeds', '0-9'))))


def values(cell, folder, seeds):
    """The cell's measure, one number for each seed of which there is a finished result."""
    function, run, out = MEASURES[cell.measure][0], cell.name.split('_')[1], []
    for seed in seeds:
        names = [cell.name] if function else [cell.name, 'random_' + run, 'joint_' + run]
        paths = [Path(folder) / ('%s_%d.txt' % (name, seed)) for name in names]
        if all(map(records.finished, paths)):
            out.append(function(paths[0]) if function else measures.forgetting_ratio(
                *(collect.read(p)['acc'] for p in paths))[(cell.after or 0) - 1])
    return out


def compare(cell, ours, spread):
    """(difference of the means, the same in standard errors or None, whether it passes) of a cell and our values. spread: 'sd' or
    'sem', what the published one is."""
    mean, published = cell.published
    error = (published or 0) / (np.sqrt(cell.runs) if spread == 'sd' else 1)
    mine = np.std(ours, ddof=1) / np.sqrt(len(ours)) if len(ours) > 1 else 0
    difference, total = np.mean(ours) - mean, np.hypot(error, mine)
    errors = difference / total if published is not None and len(ours) > 1 and total > 0 else None
    return difference, errors, abs(difference) <= cell.within or (errors is not None and abs(errors) <= 3)


def table(paper, cells, found, lacking):
    """(Table of a line per cell, number of cells that pass, that miss) of {index of a cell: our values}; lacking: {index: why there are
    none}."""
    rows, verdicts = [], []
    for i, cell in enumerate(cells):
        ours = found[i]
        published = '-' if cell.published is None else shown(*cell.published)
        mine = shown(np.mean(ours), np.std(ours, ddof=1) if len(ours) > 1 else None) if ours else '-'
        difference = errors = None
        verdict = lacking.get(i, 'not run') if not ours else 'ours alone' if cell.published is None else ''
        if not verdict:
            difference, errors, ok = compare(cell, ours, paper.spread)
            verdict = 'pass' if ok else 'miss'
        verdicts.append(verdict)
        rows.append([cell.row, cell.column, published, mine, len(ours), None if difference is None else float(difference),
                     None if errors is None else float(errors), verdict])
    columns = ['method', 'column', 'published', 'ours', 'seeds', 'difference', 'in standard errors', 'verdict']
    return Table(columns, rows), verdicts.count('pass'), verdicts.count('miss')


def wide(long):
    """Of table()'s, a Table of a row per method and a column per column: 'published / ours', and what does not pass."""
    lines = long.rows
    columns = list(dict.fromkeys(row[1] for row in lines))
    texts = {(row[0], row[1]): '%s / %s%s' % (row[2], row[3], '' if row[7] in ('pass', 'ours alone') else ', ' + row[7]) for row in lines}
    return Table(['published / ours', *columns], [[r, *(texts.get((r, c), '') for c in columns)] for r in dict.fromkeys(
        row[0] for row in lines)])


def shown(mean, spread):
    """'97.5 +- 0.3'."""
    return '%.2f' % mean + ('' if spread is None else ' +- %.2f' % spread)


def kept(paper):
    """The compressed file of a table's results that comes with the project."""
    return ROOT / 'res' / 'papers' / (paper.name + '.tar.xz')


def unpack(paper, folder):
    """Puts the kept results that the folder lacks into it."""
    if not kept(paper).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(kept(paper), 'r:xz') as archive:
            for member in archive:
                if member.isfile() and re.fullmatch(r'[\w.+-]+\.(txt|json)', member.name) and member.size < 1e6:
                    path = folder / member.name
                    if not path.exists():
                        path.write_bytes(archive.extractfile(member).read())
    except (tarfile.TarError, EOFError, OSError) as e:
        raise UserError('%s cannot be read (%s)' % (kept(paper), e))


def pack(paper, folder):
    """Keeps the finished results of a folder; returns how many they are."""
    there = [p for p in sorted(Path(folder).glob('*.txt')) if records.finished(p)]
    kept(paper).parent.mkdir(parents=True, exist_ok=True)

    def nameless(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ''
        return member
    with tarfile.open(kept(paper), 'w:xz', preset=9) as archive:
        for path in there:
            for p in (path, records.record_path(path)):
                archive.add(p, p.name, filter=nameless)
    return len(there)
