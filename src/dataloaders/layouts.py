"""Which image files a folder has, of which class and for what: train/<class>/ with test/ or val/,
TinyImageNet's val_annotations.txt, a labels.csv, or <class>/ alone."""
import csv
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataloaders.pictures import SUFFIXES
from dataloaders.read import about, demand

LABELS, ANNOTATIONS = 'labels.csv', 'val_annotations.txt'
TESTS = 'test', 'val', 'valid', 'validation'  # the first that there is, is tested on


@dataclass(frozen=True)
class File:
    """A file: its path within the folder, class, part ('train', 'test', or '' if the folder does not say)."""
    path: str
    label: str
    part: str


def found(folder):
    """Return the image files of a folder, [File], in the order of their names, and what is to be said of
    others, a list of texts. Raise UserError for a folder that has none, or whose list is not right."""
    with about(folder):
        if (folder / LABELS).is_file():
            files, said = listed(folder)
        elif (folder / 'train').is_dir():
            files, said = parted(folder)
        else:
            files, said = by_class(folder, '', '')
        there = ', '.join(SUFFIXES)
        demand(any(f.part != 'test' for f in files), 'it has no images (%s) to train on, expected them in '
               'train/<class>/, in <class>/, or listed in %s (file,label,split)', there, LABELS)
    return sorted(files, key=lambda f: f.path), said


def walk(folder, within='', above=()):
    """Yield the paths within the folder of all its image files but hidden ones, at any depth."""
    with os.scandir(folder / within) as entries:
        entries = [e for e in entries if not e.name.startswith('.')]
    for entry in entries:
        path = within + entry.name
        if entry.is_dir():
            state = entry.stat()
            place = state.st_dev, state.st_ino
            if place not in above:  # as a link to a folder above would be
                yield from walk(folder, path + '/', (*above, place))
        elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
            yield path


def by_class(folder, within, part):
    """Return the files of <within>/<class>/, at any depth below it, and how many are of no class."""
    classes = {path: path[len(within):].rpartition('/')[0].split('/')[0] for path in walk(folder, within)}
    files = [File(path, label, part) for path, label in classes.items() if label]
    loose = [path for path, label in classes.items() if not label]
    said = ['%d images in no folder of a class left out (%s, ...)' % (len(loose), loose[0])] if loose else []
    return files, said


def parted(folder):
    """Return the files of train/<class>/ and of the test part, if there is one."""
    files, said = by_class(folder, 'train/', 'train')
    others = [name for name in TESTS if (folder / name).is_dir()]
    if (folder / 'val' / ANNOTATIONS).is_file():
        test, chosen = annotated(folder), 'val'
    else:
        parts = {name: by_class(folder, name + '/', 'test') for name in others}
        chosen = next((name for name, (there, _) in parts.items() if there), None)
        test, more = parts.get(chosen, ([], []))
        said = said + more
    known = {f.label for f in files}
    strange = sorted({f.label for f in test} - known)
    demand(not strange, '%s/ has the class %s, which train/ has not', chosen, ', '.join(strange[:8]))
    left = [name + '/' for name in others if name != chosen]
    return files + test, said + ['tested on %s/, not %s' % (chosen, ', '.join(left))] * bool(chosen and left)


def annotated(folder):
    """Return the files of val/images/ by TinyImageNet's list: first in each line a file and its class."""
    with about('val/' + ANNOTATIONS, 'a list of files and classes'):
        lines = (folder / 'val' / ANNOTATIONS).read_text('utf-8').splitlines()
        labels = dict(line.split('\t')[:2] for line in lines if line.strip())
    names = {path: path.split('/')[-1] for path in walk(folder, 'val/')}
    return [File(path, labels[name], 'test') for path, name in names.items() if name in labels]


def listed(folder):
    """Return the files of labels.csv, with the columns file, label and, if it has one, split."""
    with about(LABELS, 'a table of file,label,split'):
        with open(folder / LABELS, newline='', encoding='utf-8-sig') as f:
            table = csv.DictReader(f)
            columns = table.fieldnames or []
            demand({'file', 'label'} <= set(columns), 'it has the columns %s, expected file,label,split',
                   ','.join(map(str, columns)))
            rows = list(table)
        parts = {row.get('split') for row in rows} - {'train'}
        test = next((name for name in TESTS if name in parts), None)
        unknown = sorted(repr(part) for part in parts - {*TESTS, None})
        demand('split' not in columns or not unknown, 'the split %s, expected train, test or val',
               ', '.join(unknown[:4]))
        files = []
        for i, row in enumerate(rows):
            where, path = 'line %d' % (i + 2), PurePosixPath(row['file'] or '')
            inside = not path.is_absolute() and '..' not in path.parts and Path(folder, path).is_file()
            demand(inside and row['label'], '%s: %s, expected a file within the folder and a label', where,
                   ','.join(str(row[c]) for c in ('file', 'label')))
            part = row['split'] if 'split' in columns else ''
            if part in ('', 'train', test):
                files.append(File(str(path), row['label'], 'test' if part == test else part))
    left = len(rows) - len(files)
    return files, ['%d rows of %s that are neither train nor %s left out' % (left, LABELS, test)] * bool(left)


def classes(files):
    """Return the names of the classes to train on in their order: by number, if all are numbers."""
    names = {f.label for f in files if f.part != 'test'}
    numbers = all(name.isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name) if numbers else 0, name))
