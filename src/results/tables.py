"""Tables: CSV with all digits for programs; LaTeX, Markdown and HTML for readers, as papers have them."""
import csv
import io
import re
from dataclasses import dataclass, field

import numpy as np

from utils import is_number, visible

DIGITS = re.compile(r'[-+\d.% ]*', re.ASCII)  # a spreadsheet may compute it, as it comes to a number
LATEX = {**{c: '\\' + c for c in '&%$#_{}'}, '\\': r'\textbackslash{}', '~': r'\textasciitilde{}',
         '^': r'\textasciicircum{}',
         '[': '{[}', '*': '{*}'}  # the last two would belong to the end of the line before
MARKDOWN = {c: '\\' + c for c in '|`<*['}
SPREADS = {'ci': '95 % interval (Student\'s t)', 'std': 'standard deviation'}
HEADS = {'ci': 'ci95 ', 'std': 'std '}


@dataclass(frozen=True)
class Mean:
    """A mean over runs, half of its 95 % interval and the standard deviation, both None for one run."""
    mean: float
    ci: float
    std: float

    @classmethod
    def of(cls, values):
        """Return the Mean of values [runs]; None where there are none."""
        values = np.asarray(values, float)
        if not len(values):
            return None
        mean, ci, std = interval(values)
        return cls(float(mean), None if ci is None else float(ci), None if std is None else float(std))


def interval(values):
    """Return (mean, half width of the 95 % Student-t interval, standard deviation) over the first axis
    [seeds, ...].

    The last two are None for one seed.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return values.mean(0), None, None
    from scipy import stats
    std = values.std(0, ddof=1)
    return values.mean(0), stats.t.ppf(0.975, len(values) - 1) * std / np.sqrt(len(values)), std


@dataclass
class Table:
    """Column heads and rows of cells: texts, numbers, Means, or None for what there is not.

    caption: what a paper says of it, which has the numbers of seeds, so that the column 'seeds' is for
    programs alone, as one of which no row has a value; best: {column head: max or min}, of which the best is set in bold, but for the rows that
    begin with one of `apart`; decimals: {column head: how many}.
    """
    columns: list
    rows: list
    caption: str = ''
    best: dict = field(default_factory=dict)
    apart: tuple = ()
    decimals: dict = field(default_factory=dict)

    def text(self, kind, spread='ci'):
        """Return the table as 'csv', 'latex' or 'markdown'; spread: what follows means, 'ci' or 'std'."""
        if kind == 'csv':
            return self.csv()
        special = str.maketrans(MARKDOWN if kind == 'markdown' else LATEX)
        heads, rows = self.cells(spread)
        bold = '**%s**' if kind == 'markdown' else r'\textbf{%s}'

        def line(cells):
            texts = [(bold if best else '%s') % text.translate(special) for text, best in cells]
            return [t if kind == 'markdown' else t.replace(' +- ', r' $\pm$ ') for t in texts]
        heads, rows = line((h, False) for h in heads), list(map(line, rows))
        if kind == 'markdown':
            lines = [heads, ['---'] + ['---:'] * (len(heads) - 1), *rows]
            texts = ['| %s |' % ' | '.join(cells) for cells in lines]
            return '\n'.join(texts + ['', self.said(spread)] * bool(self.caption))
        texts = [' & '.join(cells) + r' \\' for cells in rows]
        tabular = [r'\begin{tabular}{l%s}' % ('r' * (len(heads) - 1)), r'\toprule',
                   ' & '.join(heads) + r' \\', r'\midrule', *texts, r'\bottomrule', r'\end{tabular}']
        if self.caption:
            caption = self.said(spread).translate(special).replace('+-', r'$\pm$')
            tabular = [r'\begin{table}', r'\centering', r'\caption{%s}' % caption, *tabular, r'\end{table}']
        return '\n'.join([r'% needs \usepackage{booktabs}', *tabular])

    def csv(self):
        """Return the table as CSV; a Mean has three columns."""
        means = [any(isinstance(row[k], Mean) for row in self.rows) for k in range(len(self.columns))]
        lines = [[]]
        for head, spread in zip(self.columns, means):
            lines[0] += [head, HEADS['ci'] + head, HEADS['std'] + head] if spread else [head]
        for row in self.rows:
            lines.append([])
            for value, spread in zip(row, means):
                three = [value.mean, value.ci, value.std] if isinstance(value, Mean) else [None] * 3
                lines[-1] += three if spread else [value]
        out = io.StringIO()
        csv.writer(out, lineterminator='\n').writerows(map(harmless, lines))
        return out.getvalue().rstrip('\n')

    def cells(self, spread='ci'):
        """Return (heads, rows of (text, whether it is the best of its column)) for reading."""
        shown = range(len(self.columns))
        if self.caption:  # which has the seeds; what nobody has is left out
            shown = [k for k in shown if self.columns[k] != 'seeds' and any(row[k] is not None for row in self.rows)]
        columns = [self.column(k, spread) for k in shown]
        return [visible(self.columns[k]) for k in shown], list(zip(*columns))

    def column(self, k, spread):
        """Return the k-th column as texts, and whether each is the best."""
        values = [row[k] for row in self.rows]
        digits = self.decimals.get(self.columns[k], decimals(values))
        texts = [cell(v, digits, spread) for v in values]
        better, alone = self.best.get(self.columns[k]), [row[0] in self.apart for row in self.rows]
        numbers = [number(v) for v, out in zip(values, alone) if not out and number(v) is not None]
        if not better or len(numbers) < 2:
            return [(text, False) for text in texts]
        best = '%.*f' % (digits, better(numbers))
        ties = [not out and number(v) is not None and '%.*f' % (digits, number(v)) == best
                for v, out in zip(values, alone)]
        return list(zip(texts, ties))

    def said(self, spread):
        """Return the caption with what its +- means."""
        if not any(isinstance(v, Mean) and v.ci is not None for row in self.rows for v in row):
            return self.caption
        return '%s; +-: %s' % (self.caption, SPREADS[spread])


def harmless(row):
    """Return the cells of a line of CSV, with an apostrophe before what a spreadsheet would compute."""
    texts = [visible(v) if isinstance(v, str) else v for v in row]
    return ["'" + t if isinstance(t, str) and computed(t) else t for t in texts]


def computed(text):
    """Return whether a spreadsheet would compute a text."""
    return text[:1] in tuple('=+-@') and not (DIGITS.fullmatch(text) or is_number(text))


def number(value):
    """Return the number of a cell, or None for one that has none."""
    value = value.mean if isinstance(value, Mean) else value
    return value if isinstance(value, float) and np.isfinite(value) else None


def decimals(values):
    """Return how many decimals the cells of a column have: two, or more where all are small."""
    largest = max((abs(number(v)) for v in values if number(v) is not None), default=1)
    return 2 if largest >= 0.1 or not largest else min(9, 2 - int(np.floor(np.log10(largest))))


def cell(value, digits, spread='ci'):
    """Return a cell as text: '-', a text, a whole number, or a number with so many decimals."""
    if value is None:
        return '-'
    if isinstance(value, Mean):
        width = getattr(value, spread)
        return '%.*f' % (digits, value.mean) + ('' if width is None else ' +- %.*f' % (digits, width))
    if isinstance(value, float):
        small = 0 < value < 0.5 * 10 ** -digits
        return '<%.*f' % (digits, 10 ** -digits) if small else '%.*f' % (digits, value)
    return visible(value)
