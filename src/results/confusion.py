"""Confusion matrices: the accuracy of each class, and which classes are taken for which."""
import numpy as np

from results.tables import Table


def confusion(true, predicted, count):
    """Return how often class i was predicted to be class j, int [count,count], of labels [N] each."""
    out = np.zeros((count, count), dtype=np.int64)
    np.add.at(out, (np.asarray(true), np.asarray(predicted)), 1)
    return out


def class_table(matrix, names):
    """Return a row per class: images, accuracy in per cent, the class it is most often taken for."""
    rows = []
    for i, row in enumerate(matrix):
        others = np.where(np.arange(len(row)) == i, 0, row)
        if row.sum():
            j = int(others.argmax())
            taken = '%s (%d)' % (names[j], others[j]) if others[j] else None
            rows.append([names[i], int(row.sum()), 100 * float(row[i] / row.sum()), taken])
    return Table(['class', 'images', 'accuracy %', 'most often taken for'], rows)


def matrix_table(matrix, names):
    """Return the matrix itself: a row per true class, a column per predicted class."""
    return Table(['true class', *names], [[n, *map(int, row)] for n, row in zip(names, matrix)])
