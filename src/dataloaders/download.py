"""Downloads that end up whole or not at all: into a folder of their own, tried again when they fail, then moved."""
import contextlib
import io
import shutil
import socket
import tempfile
import time
from pathlib import Path

import utils

TIMEOUT = 30   # seconds without a byte after which a connection counts as stalled
WAIT = 1       # seconds before the second attempt, doubled before each further one
ATTEMPTS = 3


def into(folder, entries, load, without=()):
    """Calls load(root), which downloads files below root, and moves the entries it leaves there into the
    folder.

    entries: names of the files and folders that make up the set; those that are in the folder already are
    taken along, so that an archive put there by hand is used, in the first attempt and but for paths within
    them, without, that are broken. Progress goes to stderr. Raises what the last attempt raised.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder), tempfile.TemporaryDirectory(dir=folder, prefix='.download-') as root:
        for attempt in range(ATTEMPTS):
            try:
                for entry in entries:
                    utils.remove(Path(root) / entry)
                    if attempt == 0:
                        bring(folder / entry, Path(root) / entry)
                for path in without:
                    utils.remove(Path(root) / path)
                with patience():
                    load(root)
                break
            except Exception as e:
                if attempt + 1 == ATTEMPTS:
                    raise
                wait = WAIT * 2 ** attempt
                print('%s: download failed (%s), again in %g s' % (entries[0], ' '.join(str(e).split())[:100], wait))
                time.sleep(wait)
        for entry in entries:
            if (Path(root) / entry).exists():
                if (folder / entry).exists():
                    (folder / entry).rename(Path(root) / ('old-' + entry))
                (Path(root) / entry).rename(folder / entry)


def bring(source, target):
    """Copies a file or folder, if it is there."""
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copyfile(source, target)


@contextlib.contextmanager
def patience():
    """Lets connections stall no longer than TIMEOUT, and keeps torchvision's own remarks from stdout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


@contextlib.contextmanager
def lock(folder):
    """Lets one process at a time download into a folder."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(folder / '.download.lock', 'w') as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield
