"""Random numbers ahead: while a batch is computed, a thread draws the dropout masks of the next one."""
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import torch

from engine.dropout import kept

CHUNK = 2 ** 15 - 64  # numbers drawn at once: too few for torch to share the work on them among threads


def pays():
    """Whether there is room for the thread: a core that does not compute, or a share of more than two that do; on two that do it
    neither gains nor loses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return cores > min(torch.get_num_threads(), 2)


class Ahead:
    """Masks that are asked for batch after batch in the same order.

    They are drawn by a generator that starts where torch's own is, and a mask is handed out only if torch's own is where it was
    drawn from; that is then set to where it led. So whatever else draws, or reads the state in order to save it, finds what drawing
    at once would have left; where it has drawn, or other masks are asked for, those ahead are thrown away.
    """

    def __init__(self):
        self.thread, self.generator = ThreadPoolExecutor(1, 'dropout'), torch.Generator()
        self.waiting = deque()   # (what will be asked, future of (mask, state before it, state after it))
        self.asked, self.usual = [], {}  # of this batch; {what is asked for first: all that a batch asks for then}
        self.vain = 0            # how often in a row masks were drawn for nothing

    def begin(self):
        """Begins a batch."""
        if self.asked:
            self.usual[self.asked[0]] = self.asked
        self.asked = []

    def take(self, *what):
        """What dropout.kept(*what) would return, and leave behind."""
        self.asked.append(what)
        mask = self.next(what) if self.waiting else None
        if mask is not None:
            self.submit(what)  # as what comes a batch later
            return mask
        mask = kept(*what)
        if self.vain < 8 and self.asked == self.usual.get(self.asked[0]):
            self.thread.submit(self.generator.set_state, torch.get_rng_state())
            for again in self.asked:
                self.submit(again)
        return mask

    def submit(self, what):
        """Has the thread draw what is asked, after all that waits."""
        self.waiting.append((what, self.thread.submit(self.drawn, what)))

    def drawn(self, what):
        """The thread's work."""
        before = self.generator.get_state()
        return kept(*what, generator=self.generator, chunk=CHUNK), before, self.generator.get_state()

    def next(self, what):
        """The next mask that waits, if it is what is asked for; else nothing is left waiting."""
        expected, future = self.waiting.popleft()
        if expected == what:
            mask, before, after = future.result()
            if torch.equal(before, torch.get_rng_state()):
                torch.set_rng_state(after)
                self.vain = 0
                return mask
        self.vain += 1
        for _, future in self.waiting:
            future.cancel()
        self.waiting.clear()
