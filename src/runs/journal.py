"""What a run writes as it goes, in its folder in logs/: tables such as epochs.csv, a line per epoch, and
run.log, the console's text."""
import contextlib
import csv
import io
import sys
import traceback

import utils
from results.epochs import COLUMNS
from runs.listeners import Listener
from utils import UserError


class Lines(Listener):
    """A run's <name>.csv. needed: the columns that it always has; count: the lines there are, which a
    checkpoint keeps: what was written after it goes when the run is resumed."""

    needed = ()

    def __init__(self, run):
        super().__init__(run)
        self.path, self.names = run.checkpoint.path.parent / (self.name + '.csv'), run.record['tasks']
        self.count, self.columns = 0, list(self.needed)

    state = property(lambda self: self.count, lambda self, count: setattr(self, 'count', count))

    def begin(self, resumed):
        """Begins anew, with the names of the columns, or after the lines that the checkpoint knows of, as far
        as they are there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_text('utf-8', 'replace') if resumed and self.path.is_file() else ''
        whole = [one for one in text.splitlines(keepends=True)[:1 + self.count] if one.endswith('\n')]
        columns = next(csv.reader(whole[:1]), [])
        if columns[:len(self.needed)] != list(self.needed) or '\ufffd' in ''.join(whole):
            columns, whole = self.columns, [line(self.columns)]
        if len(whole) <= self.count:
            print('%s has lost lines: it has %d of %d' % (self.path, len(whole) - 1, self.count))
        self.count, self.columns = len(whole) - 1, columns
        with utils.replacing(self.path) as f:
            f.writelines(whole)

    def add(self, numbers):
        """Writes a line: {name: number} with the task's number; columns that are new follow those there
        are."""
        new = [n for n in numbers if n not in self.columns]
        if new:  # a name that the lines before do not have
            self.columns = self.columns + new
            with open(self.path, newline='', encoding='utf-8') as f:
                rows = [self.columns, *list(csv.reader(f))[1:]]
            with utils.replacing(self.path) as f:
                f.writelines(line(row + [''] * (len(self.columns) - len(row))) for row in rows)
        row = {**numbers, 'name': self.names[numbers['task']]}
        with open(self.path, 'a', encoding='utf-8') as f:
            f.write(line([cell(row.get(n, '')) for n in self.columns]))
        self.count += 1


class Epochs(Lines):
    """A line for every epoch; what the method itself has to say comes last."""

    name, needed = 'epochs', COLUMNS

    def epoch(self, numbers):
        self.add(numbers)


def line(cells):
    """A line of a csv file."""
    out = io.StringIO()
    csv.writer(out, lineterminator='\n').writerow(cells)
    return out.getvalue()


def cell(value):
    """A number as it is written."""
    return '%.8g' % value if isinstance(value, float) else value


class Tee:
    """A stream whose text goes to a file, too; but not that of progress bars, which overwrite themselves."""

    def __init__(self, stream, file):
        self.stream, self.file = stream, file

    def write(self, text):
        """Writes a text to both."""
        if not text.startswith('\r'):
            self.file.write(text)
        return self.stream.write(text)

    def flush(self):
        """Flushes both."""
        self.file.flush()
        self.stream.flush()

    def __getattr__(self, name):
        return getattr(self.stream, name)


@contextlib.contextmanager
def recorded(path, more):
    """Within it, what is printed goes to a file as well, after what is there if `more`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = sys.stdout, sys.stderr
    with open(path, 'a' if more else 'w', encoding='utf-8', errors='replace') as file:
        sys.stdout, sys.stderr = (Tee(s, file) for s in before)
        try:
            yield
        except UserError as e:
            file.write('run.py: %s\n' % e)
            raise
        except OSError:  # perhaps of this very file
            raise
        except Exception:  # most likely in a file that somebody has dropped in
            file.write(traceback.format_exc())
            raise
        finally:
            sys.stdout, sys.stderr = before
