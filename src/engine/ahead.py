"""Random numbers ahead: while a batch is computed, a thread draws the dropout masks of the next one."""
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from engine import dropout

SMALL = 2 ** 15 - 64  # numbers too few for torch to share the work on them among threads, where it has several
PERIOD, TRIAL = 500, 12  # of so many batches, so many are timed without masks ahead, and so many with them


def room():
    """Whether there may be room for the thread; whether there is, each Ahead finds out."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return cores > 1


class Ahead:
    """Masks that are asked for batch after batch in the same order.

    They are drawn by a generator that starts where torch's own is, and a mask is handed out only if torch's own is where it was
    drawn from; that is then set to where it led. So whatever else draws, or reads the state in order to save it, finds what drawing
    at once would have left; where it has drawn, or other masks are asked for, those ahead are thrown away.

    Where other work has the cores, steps are short or all is thrown away, the thread only disturbs: batches are timed with it and
    without, now and then, and those that follow go the quicker way.
    """

    def __init__(self):
        self.thread, self.generator = ThreadPoolExecutor(1, 'dropout'), torch.Generator()
        self.waiting = deque()   # (what will be asked, future of (mask, state before it, state after it))
        self.asked, self.usual = [], {}  # of this batch; {what is asked for first: all that a batch asks for then}
        self.on, self.count, self.start, self.times = False, 0, 0., []

    def begin(self):
        """Begins a batch."""
        self.choose()
        if self.asked:
            self.usual[self.asked[0]] = self.asked
        self.asked = []

    def choose(self):
        """Times the batch that ends, and says whether the masks of the next ones are drawn ahead."""
        now, place = time.perf_counter(), self.count % PERIOD
        if place:
            self.times.append(now - self.start)
        else:
            self.times.clear()
        self.start, self.count = now, self.count + 1
        if place == 2 * TRIAL + 2:  # two batches until masks are there
            self.on = np.median(self.times[TRIAL + 2:]) < .97 * np.median(self.times[:TRIAL])
        elif place in (0, TRIAL):
            self.on = place > 0
        if not self.on:
            self.drop()

    def take(self, *what):
        """What dropout.kept(*what) would return, and leave behind."""
        self.asked.append(what)
        mask = self.next(what) if self.waiting else None
        if mask is not None:
            self.submit(what)  # as what comes a batch later
            return mask
        mask = dropout.kept(*what)
        if self.on and self.asked == self.usual.get(self.asked[0]):
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
        chunk = dropout.CHUNK if torch.get_num_threads() == 1 else SMALL
        return dropout.kept(*what, generator=self.generator, chunk=chunk), before, self.generator.get_state()

    def next(self, what):
        """The next mask that waits, if it is what is asked for; else nothing is left waiting."""
        expected, future = self.waiting.popleft()
        if expected == what:
            mask, before, after = future.result()
            if torch.equal(before, torch.get_rng_state()):
                torch.set_rng_state(after)
                return mask
        self.drop()

    def drop(self):
        """Throws away what waits."""
        for _, future in self.waiting:
            future.cancel()
        self.waiting.clear()
