"""Numbers as text: CSV with all digits, LaTeX and Markdown rounded for reading; names that mean nothing to what reads them."""
import csv
import io
import re
from dataclasses import dataclass

from utils import UserError, is_number, visible

DIGITS = re.compile(r'[-+\d.% ]*', re.ASCII)  # what a spreadsheet may compute, as it comes to nothing but a number
LATEX = {**{c: '\\' + c for c in '&%$#_{}'}, '\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}',
         '[': '{[}', '*': '{*}'}  # the last two would belong to the end of the line before
MARKDOWN = {c: '\\' + c for c in '|`<*['}


@dataclass
class Table:
    """Column heads and rows of cells: texts, numbers, or None for what there is not."""
    columns: list
    rows: list

    def text(self, kind):
        """The table as 'csv', 'latex' or 'markdown'."""
        rows = [self.columns, *self.rows]
        if kind == 'csv':
            out = io.StringIO()
            csv.writer(out, lineterminator='\n').writerows([harmless(c) for c in row] for row in rows)
            return out.getvalue().rstrip('\n')
        special = str.maketrans(MARKDOWN if kind == 'markdown' else LATEX)
        cells = [[cell(c).translate(special) for c in row] for row in rows]
        if kind == 'markdown':
            lines = ['| ' + ' | '.join(row) + ' |' for row in cells]
            return '\n'.join([lines[0], '| --- ' + '| ---: ' * (len(self.columns) - 1) + '|', *lines[1:]])
        lines = [' & '.join(row) + r' \\' for row in cells]
        return '\n'.join([r'\begin{tabular}{l%s}' % ('r' * (len(self.columns) - 1)), r'\hline', lines[0], r'\hline',
                          *lines[1:], r'\hline', r'\end{tabular}'])


def harmless(value):
    """A cell of a CSV file; a text that a spreadsheet would compute begins with an apostrophe, which it does not show."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return "'" + text if text[:1] in tuple('=+-@') and not (DIGITS.fullmatch(text) or is_number(text)) else text


def cell(value):
    """A cell for reading: numbers with two digits, or three where small."""
    if value is None:
        return '-'
    if isinstance(value, float):
        return '%.2f' % value if abs(value) >= 0.1 or value == 0 else '%.3g' % value
    return visible(value)


def side_by_side(records):
    """Lines of a table of records side by side: final accuracy on every task, average accuracy, forgetting."""
    names = [visible(n) for n in records[0]['tasks']]
    if any(r['tasks'] != records[0]['tasks'] for r in records):
        raise UserError('the results are of different tasks: %s' % '; '.join(','.join(r['tasks']) for r in records))
    width = max(len(n) for n in names + ['average accuracy'])
    rows = [('after the last task, on', [visible(r['config']['approach']) for r in records])]
    rows += [(n, ['%5.1f%%' % (100 * r['accuracy'][-1][u]) for r in records]) for u, n in enumerate(names)]
    for key in ('average_accuracy', 'forgetting'):
        cells = ['-' if r[key] is None else '%5.1f%%' % (100 * r[key]) for r in records]
        rows.append((key.replace('_', ' '), cells))
    rows.append(('seconds', ['%.0f' % r['seconds'] for r in records]))
    width = max(len(n) for n, _ in rows)
    return ['%-*s' % (width, n) + ''.join('%*s' % (max(12, len(c) + 2), c) for c in cells) for n, cells in rows]
