"""Numbers as text: CSV with all digits, LaTeX and Markdown rounded for reading."""
import csv
import io
from dataclasses import dataclass


@dataclass
class Table:
    """Column heads and rows of cells: texts, numbers, or None for what there is not."""
    columns: list
    rows: list

    def text(self, kind):
        """The table as 'csv', 'latex' or 'markdown'."""
        if kind == 'csv':
            out = io.StringIO()
            csv.writer(out, lineterminator='\n').writerows([self.columns, *self.rows])
            return out.getvalue().rstrip('\n')
        cells = [[cell(c) for c in row] for row in [self.columns, *self.rows]]
        if kind == 'markdown':
            lines = ['| ' + ' | '.join(row) + ' |' for row in cells]
            return '\n'.join([lines[0], '| --- ' + '| ---: ' * (len(self.columns) - 1) + '|', *lines[1:]])
        cells = [[c.replace('_', r'\_').replace('%', r'\%') for c in row] for row in cells]
        lines = [' & '.join(row) + r' \\' for row in cells]
        return '\n'.join([r'\begin{tabular}{l%s}' % ('r' * (len(self.columns) - 1)), r'\hline', lines[0], r'\hline',
                          *lines[1:], r'\hline', r'\end{tabular}'])


def cell(value):
    """A cell for reading: numbers with two digits, or three where small."""
    if value is None:
        return '-'
    if isinstance(value, float):
        return '%.2f' % value if abs(value) >= 0.1 or value == 0 else '%.3g' % value
    return str(value)
