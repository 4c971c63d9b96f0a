"""One writer for each output: a lock that ends with its process."""
import contextlib
from pathlib import Path

from filelock import FileLock, Timeout

from runs.place import STATE, folder
from utils import UserError

PATIENCE = 0.5  # seconds that a lock is waited for: somebody may only look whether it is held


@contextlib.contextmanager
def lock(output, more=''):
    """Keeps other runs from the same output, or other kind of file as `more` says, until the block, or the
    process, ends. Raises UserError if one has it."""
    path = folder(output)
    if more:
        path = folder(Path(output).with_name(Path(output).name + more + '.txt'))
    held = FileLock(path / 'lock', timeout=PATIENCE, poll_interval=PATIENCE / 20)
    try:
        acquire(held, path)
    except Timeout:
        raise UserError('another run is writing %s: wait for it, or give another --output' % output)
    try:
        yield
    finally:
        (path / 'lock').unlink(missing_ok=True)
        held.release()
        with contextlib.suppress(OSError):  # not empty: there is a checkpoint
            path.rmdir()


def acquire(held, path):
    """Acquires a lock in a folder, which somebody else may remove at the same moment."""
    for left in reversed(range(20)):
        with contextlib.suppress(FileExistsError):
            path.mkdir(parents=True, exist_ok=True)
        try:
            return held.acquire()
        except FileNotFoundError:
            if not left:
                raise


def busy(output):
    """Whether another process is writing an output."""
    path = folder(output) / 'lock'
    try:
        with FileLock(path, timeout=0) if path.exists() else contextlib.nullcontext():
            return False
    except Timeout:
        return True
    except OSError:  # its folder is gone
        return False


def running(output):
    """Return 'running' if another process is writing an output, else that it was killed, and what is left."""
    if busy(output):
        return 'running'
    return 'killed: nobody is writing it' + ', --resume goes on' * (folder(output) / STATE).exists()
