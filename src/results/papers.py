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


def percent(measure):
    """Return what gives a measure of the matrix of a result, by its path, in per cent."""
    return lambda path: 100 * measure(collect.matrix(path))


def weights_kept(path):
    """Return per cent of the weights that the log of a run of hat-test, beside its result, has kept."""
    return masks.compression_table({'': unpickler.load_log(Path(path).with_suffix('.pkz'))}).rows[0][2]


def directions_held(path):
    """Return how many directions of its layers' inputs a run of gpm holds at the end, of all layers."""
    return sum(held for held, _ in records.read_record(path)['bases'].values())


SPREADS = {'sd': 'standard deviation', 'sem': 'standard error'}
MEASURES = {  # name: (a result's path to a number, how far the means may be apart)
    'average accuracy %': (percent(measures.average_accuracy), 2.),
    'learning accuracy %': (percent(measures.learning_accuracy), 2.),
    'backward transfer %': (percent(measures.backward_transfer), 2.),
    'weights kept %': (weights_kept, 2.),
    'directions held': (directions_held, 5.),
    'forgetting ratio': (None, 0.05)}

# What a table's file has to be.
MEAN = forms.items(forms.number(), forms.either(forms.nothing, forms.number(0)))
CELL = forms.fields({}, published=forms.either(forms.nothing, MEAN), options=forms.text,
                    within=forms.number(0), note=forms.text)
SEEDS = forms.either(forms.whole(), forms.text)
COLUMN = forms.fields({}, options=forms.text, run=forms.text, measure=forms.one_of(*MEASURES),
                      after=forms.whole(1),
                      within=forms.number(0), data=forms.listed(forms.text), seeds=SEEDS)
ROW = forms.fields({'name': forms.text, 'cells': forms.named(forms.either(MEAN, CELL))}, options=forms.text,
                   note=forms.text, runs=forms.whole(1))
TABLE = forms.fields({'title': forms.text, 'source': forms.text, 'columns': forms.named(COLUMN),
                      'rows': forms.listed(ROW, 1)},
                     spread=forms.one_of('sd', 'sem'), runs=forms.whole(1), seeds=SEEDS, options=forms.text,
                     notes=forms.listed(forms.text))


@dataclass
class Cell:
    """A published value, and the runs that are to reproduce it: options but seed and output, and name."""
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
    """A table, from a file {title, source, spread: 'sd' or 'sem', runs, seeds, options, columns: {name:
    {options, run, measure, after, within, data, seeds}}, rows: [{name, options, note, runs, cells: {column:
    [mean, spread] or {published, options, within, note}}}], notes}.

    {output} in options is the result's path without suffix. Raises UserError for a file that is not so.
    """

    def __init__(self, name):
        path = Path(name) if name.endswith('.json') else FOLDER / (name + '.json')
        try:
            found = json.loads(path.read_text(encoding='utf-8'))
            TABLE(found, 'the table')
            self.name, self.title, self.source = path.stem, found['title'], found['source']
            self.spread = found.get('spread', 'sd')
            self.notes = found.get('notes', [])
            self.cells = []
            for row in found['rows']:
                self.cells += [cell(found, row, column, content) for column, content in row['cells'].items()]
        except FileNotFoundError:
            raise UserError('no table %s: there are %s; or a .json file of your own' % (
                name, ', '.join(names())))
        except (KeyError, OSError, ValueError, RecursionError) as e:
            why = 'a cell of a column %s, which there is not' % e if isinstance(e, KeyError) else str(e)
            raise UserError('%s is not a table as results.papers.Paper describes it (%s)' % (
                path, why or type(e).__name__))


def names():
    """Return the names of the tables that come with the project."""
    return sorted(p.stem for p in FOLDER.glob('*.json'))


def cell(found, row, column, content):
    """Return the Cell of a row and a column; what it says itself counts before row, column and table."""
    content = {'published': content} if isinstance(content, list) else content
    about, published = found['columns'][column], content.get('published')
    measure = about.get('measure', 'average accuracy %')
    options = ' '.join(level.get('options', '') for level in (found, about, row, content))
    parts = [re.sub(r'[^a-z0-9.+-]+', '-', name.lower()) for name in (row['name'], about.get('run', column))]
    return Cell(row=row['name'], column=column, options=shlex.split(options), name='_'.join(parts),
                published=published and tuple(published), runs=row.get('runs', found.get('runs', 10)),
                measure=measure, after=about.get('after'), data=about.get('data', []),
                within=content.get('within', about.get('within', MEASURES[measure][1])),
                note=content.get('note', row.get('note', '')),
                seeds=str(about.get('seeds', found.get('seeds', '0-9'))))


def values(cell, folder, seeds):
    """Return the cell's measure, one number for each seed of which there is a finished result."""
    function, run, out = MEASURES[cell.measure][0], cell.name.split('_')[1], []
    for seed in seeds:
        names = [cell.name] if function else [cell.name, 'random_' + run, 'joint_' + run]
        paths = [Path(folder) / ('%s_%d.txt' % (name, seed)) for name in names]
        if all(map(records.finished, paths)):
            out.append(function(paths[0]) if function else ratio(paths, cell.after))
    return out


def ratio(paths, after):
    """Return the forgetting ratio after so many tasks (None: all), of the results of an approach, of random
    and of joint.

    Raises UserError where they are of different numbers of tasks.
    """
    matrices = [collect.matrix(p) for p in paths]
    sizes = {len(m) for m in matrices}
    if len(sizes) > 1 or max(sizes) < (after or 0):
        least = ', and at least %d' % after if after else ''
        raise UserError('%s are of %s tasks, expected the same number in all%s' % (
            ', '.join(map(str, paths)), ' and '.join(map(str, sorted(sizes))), least))
    return measures.forgetting_ratio(*matrices)[(after or len(matrices[0])) - 1]


def deviation(values):
    """Return the standard deviation of values, None of one."""
    return np.std(values, ddof=1) if len(values) > 1 else None


def compare(cell, ours, spread):
    """Return (difference of the means, the same in standard errors or None, whether it passes) of a cell and
    our values. spread: 'sd' or 'sem', what the published one is."""
    mean, published = cell.published
    difference, errors, mine = np.mean(ours) - mean, None, deviation(ours)
    if published is not None and mine is not None:
        theirs = published / (np.sqrt(cell.runs) if spread == 'sd' else 1)
        total = np.hypot(theirs, mine / np.sqrt(len(ours)))
        errors = difference / total if total > 0 else None
    return difference, errors, abs(difference) <= cell.within or (errors is not None and abs(errors) <= 3)


def table(paper, cells, found, lacking):
    """Return (Table of a line per cell, number of cells that pass, that miss) of {index of a cell: our
    values}.

    lacking: {index: why there are none}.
    """
    rows = []
    for i, (cell, ours) in enumerate(zip(cells, found)):
        published = '-' if cell.published is None else shown(*cell.published)
        mine = shown(np.mean(ours), deviation(ours)) if ours else '-'
        difference = errors = None
        verdict = 'ours alone' if ours else lacking.get(i, 'not run')
        if ours and cell.published is not None:
            difference, errors, passes = compare(cell, ours, paper.spread)
            verdict = 'pass' if passes else 'miss'
        rows.append([cell.row, cell.column, published, mine, len(ours), difference, errors, verdict])
    verdicts = [row[-1] for row in rows]
    columns = ['method', 'column', 'published', 'ours', 'seeds', 'difference', 'in standard errors',
               'verdict']
    return Table(columns, rows), verdicts.count('pass'), verdicts.count('miss')


def wide(long):
    """Return table()'s as a row per method and a column per column, 'published / ours'."""
    columns, texts = list(dict.fromkeys(row[1] for row in long.rows)), {}
    for method, column, published, ours, *_, verdict in long.rows:
        said = '' if verdict in ('pass', 'ours alone') else ', ' + verdict
        texts.setdefault(method, {})[column] = '%s / %s%s' % (published, ours, said)
    return Table(['published / ours', *columns],
                 [[m, *(by.get(c, '') for c in columns)] for m, by in texts.items()])


def shown(mean, spread):
    """Return '97.5 +- 0.3'."""
    return '%.2f' % mean + ('' if spread is None else ' +- %.2f' % spread)
