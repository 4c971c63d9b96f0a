"""What a model says of the classes: accuracy of each, and which are taken for which."""
import numpy as np

from results.tables import Table


def confusion(wanted, told, count):
    """How often class i was told to be class j, int [count,count], of labels [N] each."""
    out = np.zeros((count, count), dtype=np.int64)
    np.add.at(out, (np.asarray(wanted), np.asarray(told)), 1)
    return out


def class_table(matrix, names):
    """A row per class that there are images of: how many, accuracy in per cent, the class it is most often taken for."""
    rows = []
    for i, row in enumerate(matrix):
        others = np.where(np.arange(len(row)) == i, 0, row)
        if row.sum():
            j = int(others.argmax())
            rows.append([names[i], int(row.sum()), 100 * float(row[i] / row.sum()),
                         '%s (%d)' % (names[j], others[j]) if others[j] else None])
    return Table(['class', 'images', 'accuracy %', 'most often taken for'], rows)


def matrix_table(matrix, names):
    """The matrix itself: a row per class, a column per class told."""
    return Table(['class', *names], [[n, *map(int, row)] for n, row in zip(names, matrix)])
