"""A result that is being replaced, kept until the new one is whole."""
import os
import shutil
from pathlib import Path

from results.records import record_path

LOGS = 'epochs.csv', 'run.log', 'tensorboard', 'task[0-9]*.pt'  # what a run leaves in its folder besides the checkpoint


def remove(path):
    """Removes a file or a folder, if it is there."""
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


class Aside:
    """Where the matrix, the record and the logs of an output wait, in the folder of the run that replaces them."""

    def __init__(self, output, folder):
        self.folder, self.logs = Path(folder), Path(folder) / 'replaced'
        self.pairs = [(Path(p), self.folder / ('replaced' + Path(p).suffix)) for p in (output, record_path(output))]

    def take(self):
        """Sets the result aside; one that waits already stays, and what an interrupted run has put in its place goes."""
        waiting = any(there.exists() for _, there in self.pairs)
        for path, there in self.pairs:
            if path.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                path.unlink() if waiting else os.replace(path, there)

    def take_logs(self):
        """Sets the logs aside, in the same way."""
        waiting = self.logs.exists()
        for path in self.folder.glob('*.new'):  # of a run that was to take the place of a finished result
            remove(path)
        for path in [p for pattern in LOGS for p in self.folder.glob(pattern)]:
            self.logs.mkdir(exist_ok=True)
            remove(path) if waiting else os.replace(path, self.logs / path.name)

    def give_back(self):
        """Puts the result and the logs back, if any wait."""
        for path, there in self.pairs:
            if there.exists():
                os.replace(there, path)
        if self.logs.exists():
            for path in [p for pattern in LOGS for p in self.folder.glob(pattern)]:
                remove(path)
            for path in self.logs.iterdir():
                os.replace(path, self.folder / path.name)
            self.logs.rmdir()

    def drop(self):
        """Removes them: there is a new result."""
        for _, there in self.pairs:
            there.unlink(missing_ok=True)
        remove(self.logs)
