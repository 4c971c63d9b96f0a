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
PARTS = {'mean': '', 'ci': 'ci95 ', 'std': 'std '}  # of a Mean, and what their column heads begin with


@dataclass(frozen=True)
class Mean:
    """A mean over runs, half of its 95 % interval and the standard deviation, both None for one run."""
    mean: float
    ci: float
    std: float

    @classmethod
    def of(cls, values):
        """Return the Mean of values [runs]; None where there are none."""
        return cls(*interval(values)) if len(values) else None


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
    programs alone, as one of which no row has a value; best: {column head: max or min}, of which the best is
    set in bold, but for the rows that begin with one of `apart`; decimals: {column head: how many}.
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
        return self.markdown(spread) if kind == 'markdown' else self.latex(spread)

    def markdown(self, spread):
        """Return the table as Markdown, the caption below it."""
        heads, rows = self.escaped(MARKDOWN, '**%s**', spread)
        lines = [heads, ['---'] + ['---:'] * (len(heads) - 1), *rows]
        texts = ['| %s |' % ' | '.join(cells) for cells in lines]
        return '\n'.join(texts + ['', self.said(spread)] * bool(self.caption))

    def latex(self, spread):
        """Return the table as LaTeX, a float with the caption if there is one."""
        heads, rows = self.escaped(LATEX, r'\textbf{%s}', spread)
        first, *texts = [' & '.join(cells).replace(' +- ', r' $\pm$ ') + r' \\' for cells in [heads, *rows]]
        lines = [r'\begin{tabular}{l%s}' % ('r' * (len(heads) - 1)), r'\toprule', first, r'\midrule', *texts,
                 r'\bottomrule', r'\end{tabular}']
        if self.caption:
            caption = self.said(spread).translate(str.maketrans(LATEX)).replace('+-', r'$\pm$')
            lines = [r'\begin{table}', r'\centering', r'\caption{%s}' % caption, *lines, r'\end{table}']
        return '\n'.join([r'% needs \usepackage{booktabs}', *lines])

    def csv(self):
        """Return the table as CSV; a Mean has three columns."""
        columns = []
        for head, values in zip(self.columns, self.values()):
            if not any(isinstance(v, Mean) for v in values):
                columns.append([head, *values])
                continue
            for part, more in PARTS.items():
                columns.append([more + head, *(v and getattr(v, part) for v in values)])
        out = io.StringIO()
        csv.writer(out, lineterminator='\n').writerows(map(harmless, zip(*columns)))
        return out.getvalue().rstrip('\n')

    def values(self):
        """Return the columns, a list of cells each."""
        return [[row[k] for row in self.rows] for k in range(len(self.columns))]

    def cells(self, spread='ci'):
        """Return (heads, rows of (text, whether it is the best of its column)) for reading."""
        heads, columns = [], []
        for head, values in zip(self.columns, self.values()):
            # a caption has the seeds; and what nobody has is left out
            if not self.caption or head != 'seeds' and any(v is not None for v in values):
                heads.append(visible(head))
                columns.append(self.column(head, values, spread))
        return heads, list(zip(*columns))

    def column(self, head, values, spread):
        """Return the cells of a column as texts, and whether each is the best."""
        digits = self.decimals.get(head, decimals(values))
        texts = [cell(v, digits, spread) for v in values]
        rivals = [None if row[0] in self.apart else number(v) for v, row in zip(values, self.rows)]
        numbers = [n for n in rivals if n is not None]
        if head not in self.best or len(numbers) < 2:
            return [(text, False) for text in texts]
        best = '%.*f' % (digits, self.best[head](numbers))
        return [(text, n is not None and '%.*f' % (digits, n) == best) for text, n in zip(texts, rivals)]

    def escaped(self, special, bold, spread):
        """Return cells() with what is special escaped and the best bold."""
        heads, rows = self.cells(spread)
        special = str.maketrans(special)
        rows = [[(bold if best else '%s') % text.translate(special) for text, best in row] for row in rows]
        return [head.translate(special) for head in heads], rows

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
    largest = max((abs(number(v) or 0) for v in values), default=0)
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
