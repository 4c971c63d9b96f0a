"""Published tables: what a file of src/papers says, and how results compare with it, cell by cell."""
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from results import collect, forms, masks, measures, records, unpickler
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

# What a table's file has to be.
MEAN = forms.items(forms.number(), forms.either(forms.nothing, forms.number(0)))
CELL = forms.fields({}, published=forms.either(forms.nothing, MEAN), options=forms.text, within=forms.number(0), note=forms.text)
SEEDS = forms.either(forms.whole(), forms.text)
COLUMN = forms.fields({}, options=forms.text, run=forms.text, measure=forms.one_of(*MEASURES), after=forms.whole(1),
                      within=forms.number(0), data=forms.listed(forms.text), seeds=SEEDS)
ROW = forms.fields({'name': forms.text, 'cells': forms.named(forms.either(MEAN, CELL))}, options=forms.text, note=forms.text,
                   runs=forms.whole(1))
TABLE = forms.fields({'title': forms.text, 'source': forms.text, 'columns': forms.named(COLUMN), 'rows': forms.listed(ROW, 1)},
                     spread=forms.one_of('sd', 'sem'), runs=forms.whole(1), seeds=SEEDS, options=forms.text,
                     notes=forms.listed(forms.text))


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
    within, data, seeds}}, rows: [{name, options, note, runs, cells: {column: [mean, spread] or {published, options, within, note}}}],
    notes};
    {output} in options is the result's path without suffix. Raises UserError for one that is not so."""

    def __init__(self, name):
        path = Path(name) if name.endswith('.json') else FOLDER / (name + '.json')
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            TABLE(found, 'the table')
            self.name, self.title, self.source, self.spread = path.stem, found['title'], found['source'], found.get('spread', 'sd')
            self.notes = found.get('notes', [])
            self.cells = [self.cell(found, row, column, cell) for row in found['rows'] for column, cell in row['cells'].items()]
        except FileNotFoundError:
            raise UserError('no table %s: there are %s; or a .json file of your own' % (
                name, ', '.join(sorted(p.stem for p in FOLDER.glob('*.json')))))
        except KeyError as e:
            raise UserError('%s is not a table as results.papers.Paper describes it (a cell of a column %s, which there is not)' % (path, e))
        except (OSError, ValueError, RecursionError) as e:
            raise UserError('%s is not a table as results.papers.Paper describes it (%s)' % (path, str(e) or type(e).__name__))

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
            out.append(function(paths[0]) if function else ratio(paths, cell.after))
    return out


def ratio(paths, after):
    """The forgetting ratio after so many tasks (None: all), of the results of an approach, of random and of joint. Raises UserError."""
    matrices = [collect.read(p)['acc'] for p in paths]
    sizes = {len(m) for m in matrices}
    if len(sizes) > 1 or max(sizes) < (after or 0):
        raise UserError('%s are of %s tasks, expected the same number in all%s' % (
            ', '.join(map(str, paths)), ' and '.join(map(str, sorted(sizes))), ', and at least %d' % after if after else ''))
    return measures.forgetting_ratio(*matrices)[(after or len(matrices[0])) - 1]


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
