"""A result that is being replaced, kept until the new one is whole."""
import os
from pathlib import Path

from results.records import record_path


class Aside:
    """Where the matrix and the record of an output wait, in the folder of the run that replaces them."""

    def __init__(self, output, folder):
        self.pairs = [(Path(p), Path(folder) / ('replaced' + Path(p).suffix)) for p in (output, record_path(output))]

    def take(self):
        """Sets the result aside; one that waits already stays, and what an interrupted run has put in its place goes."""
        waiting = any(there.exists() for _, there in self.pairs)
        for path, there in self.pairs:
            if path.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                path.unlink() if waiting else os.replace(path, there)

    def give_back(self):
        """Puts the result back, if one waits."""
        for path, there in self.pairs:
            if there.exists():
                os.replace(there, path)

    def drop(self):
        """Removes it: there is a new one."""
        for _, there in self.pairs:
            there.unlink(missing_ok=True)
