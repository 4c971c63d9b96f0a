"""The epochs of a run, epochs.csv in the folder of its logs: a line for each epoch of each task, its losses
and accuracies."""
import csv
from pathlib import Path

import utils
from utils import UserError

COLUMNS = ('task', 'name', 'epoch', 'lr', 'train_loss', 'train_accuracy', 'valid_loss', 'valid_accuracy',
           'seconds')
WHOLE = {'task': 0, 'epoch': 1, 'step': 0}  # and from where they are counted


def load(path):
    """Return [{column: value}] of an epochs.csv: task from 0 and epoch from 1 as int, name as text, the
    others as float, accuracies in 0..1; of the approach's own columns, which come after COLUMNS, None where
    there is no number. Raises UserError naming the line for a file that is not there, was cut off or holds
    something else."""
    rows, before = table(path, COLUMNS), (-1, 0)
    for n, found in enumerate(rows, 2):
        now = found['task'], found['epoch']
        if now[0] < before[0] or now[1] != 1 and now != (before[0], before[1] + 1):
            raise UserError('%s, line %d: epoch %d of task %d does not follow the line before: lines are '
                            'missing' % (path, n, now[1], now[0]))
        before = now
    return rows


def tasks(rows):
    """Return of how many tasks it is what load() returns."""
    return 1 + max((r['task'] for r in rows), default=-1)


def table(path, needed):
    """Return [{column: value}] of a table that a run leaves, which begins with the columns needed. Raises
    UserError."""
    try:
        head, *lines = Path(path).read_bytes().decode('utf-8').split('\n')
    except FileNotFoundError:
        raise UserError('there is no %s: a run leaves it' % path)
    except (OSError, UnicodeDecodeError) as e:
        raise UserError('%s cannot be read as a table of epochs (%s)' % (path, type(e).__name__))
    columns, rows = head.rstrip('\r').split(','), []
    if tuple(columns[:len(needed)]) != needed or len(set(columns)) < len(columns):
        raise UserError('%s, line 1: expected the columns %s, and then others' % (path, ','.join(needed)))
    if not lines or lines[-1]:
        raise UserError('%s, line %d: the file was cut off: the line has no end' % (path, len(lines) + 1))
    for n, line in enumerate(lines[:-1], 2):
        try:
            cells = next(csv.reader([line], strict=True), [])
            if len(cells) != len(columns):
                cut = ': it was cut off' if len(cells) < len(columns) else ''
                raise ValueError('%d cells, expected %d%s' % (len(cells), len(columns), cut))
            rows.append({c: value(c, text, c in needed) for c, text in zip(columns, cells)})
        except csv.Error as e:
            raise UserError('%s, line %d: not a line of a table (%s)' % (path, n, e))
        except ValueError as e:
            raise UserError('%s, line %d: %s' % (path, n, e))
    return rows


def value(column, text, needed):
    """Return what a cell says; needed: whether its column is there in every such table. Raises ValueError."""
    if column == 'name' or (not text and not needed):
        return text or None
    if needed and column in WHOLE:
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= WHOLE[column]):
            raise ValueError('%s is %r, expected a whole number from %d' % (column, text[:40], WHOLE[column]))
        return int(text)
    if not utils.is_number(text):
        raise ValueError('%s is %r, expected a number' % (column, text[:40]))
    if needed and column.endswith('_accuracy') and not 0 <= float(text) <= 1:
        raise ValueError('%s is %s, expected 0 to 1' % (column, text[:40]))
    return float(text)
