"""How the learning rate goes over the epochs of a phase, besides what patience makes of it."""
import math
import re
from dataclasses import dataclass

from utils import UserError

STEPS = re.compile(r'multistep:([1-9]\d{0,5}(?:,[1-9]\d{0,5})*):(0?\.\d{1,9})', re.ASCII)


@dataclass(frozen=True)
class Schedule:
    """warmup: epochs in which the rate rises linearly, the first at 1/warmup of it, the last at all of it;
    then it stays, or falls as half a cosine to 0 at the phase's end, or is multiplied by gamma after each
    number of epochs among the milestones. These count from the phase's beginning, warm-up included."""

    warmup: int = 0
    cosine: bool = False
    milestones: tuple = ()
    gamma: float = 1.

    @classmethod
    def of(cls, text, warmup=0):
        """The Schedule of 'patience', 'constant', 'cosine' or 'multistep:30,60,80:0.1'. Raises UserError."""
        found = STEPS.fullmatch(text)
        milestones = [int(m) for m in found[1].split(',')] if found else []
        gamma = float(found[2]) if found else 1.
        known = found or text in ('patience', 'constant', 'cosine')
        if not known or not gamma or milestones != sorted(set(milestones)):
            raise UserError('--schedule %r: expected patience, constant, cosine, or multistep with rising '
                            'numbers of epochs and a factor between 0 and 1, as in multistep:30,60,80:0.1'
                            % text[:100])
        return cls(warmup, text == 'cosine', tuple(milestones), gamma)

    def factor(self, e, n):
        """What the learning rate is multiplied by in epoch e, from 0, of a phase of n."""
        if e < self.warmup:
            return (e + 1) / self.warmup
        if self.cosine:
            return (1 + math.cos(math.pi * (e - self.warmup) / (n - self.warmup))) / 2
        return self.gamma ** sum(m <= e for m in self.milestones)


def checked(text):
    """A schedule's text, if it is one. Raises UserError."""
    Schedule.of(text)
    return text
