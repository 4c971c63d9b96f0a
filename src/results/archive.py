"""The results of a published table that come with the project, in one compressed file."""
import io
import lzma
import re
import tarfile
from pathlib import Path

import utils
from results import records
from results.comparable import some, warn
from utils import ROOT, UserError

MOST = 10 ** 6, 25 * 10 ** 7  # bytes of one file, and of all


def path(paper):
    """Return the file of a table's results."""
    return ROOT / 'res' / 'papers' / (paper.name + '.tar.xz')


def contents(archive):
    """Return {name: bytes} of an archive's results and records. Raises UserError if it is broken or too
    large."""
    out = {}
    try:
        with lzma.open(archive) as f:
            whole = f.read(MOST[1] + 1)  # to the end, where the checksums are
        if len(whole) > MOST[1]:
            raise ValueError('it unpacks to more than %d MB' % (MOST[1] / 1e6))
        with tarfile.open(fileobj=io.BytesIO(whole), mode='r:') as tar:
            for member in tar:
                named = re.fullmatch(r'[\w.+-]+\.(txt|json)', member.name)
                if named and member.isfile() and member.size < MOST[0]:
                    out[member.name] = tar.extractfile(member).read()
    except Exception as e:  # a malformed file can raise anything
        raise UserError('%s cannot be read (%s: %s)' % (archive, type(e).__name__, e))
    return out


def sound(name, files):
    """Return whether contents() have a finished result of a name, matrix and record, that belong together."""
    try:
        matrix, record = (files[name + suffix].decode('utf-8') for suffix in ('.txt', '.json'))
        found = records.parsed(record, name)
    except (KeyError, ValueError, UserError):
        return False
    return found['status'] == 'finished' and found.get('matrix_sha256') == records.sha256(matrix)


def unpack(paper, folder):
    """Put the kept results that the folder lacks into it, each record first; warn of those that are none."""
    if not path(paper).exists():
        return
    files, wrong = contents(path(paper)), []
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted({n.rsplit('.', 1)[0] for n in files}):
        if not sound(name, files):
            wrong.append(name)
        elif not (folder / (name + '.txt')).exists():
            for suffix in '.json', '.txt':
                with utils.replacing(folder / (name + suffix), 'wb') as f:
                    f.write(files[name + suffix])
    if wrong:
        warn('%s: %s: no finished result, left out' % (path(paper), some(wrong)))


def pack(paper, folder):
    """Keep the finished results of a folder; return how many they are."""
    results = [p for p in sorted(Path(folder).glob('*.txt')) if records.finished(p)]
    path(paper).parent.mkdir(parents=True, exist_ok=True)

    def nameless(member):
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ''
        return member
    with utils.replacing(path(paper), 'wb') as f, tarfile.open(fileobj=f, mode='w:xz', preset=9) as archive:
        for result in results:
            for p in (records.record_path(result), result):
                archive.add(p, p.name, filter=nameless)
    return len(results)
