"""Which task samples are of, where an approach has a network or a mask for each and is not told.

Every task's part is run, and the task chosen whose own head is the surest: by its largest logit (the usual
reading of HAT as a class-incremental method), its largest probability or its smallest entropy (Kim et al.,
NeurIPS 2022, compare them).
"""
import torch

from learning import evaluation
from learning.scenario import Task

SURE = {'max-logit': lambda z: z.max(1).values,
        'max-softmax': lambda z: z.softmax(1).max(1).values,
        'min-entropy': lambda z: (z.softmax(1) * z.log_softmax(1)).sum(1)}


class Inferred(Task):
    """Every task is learnt as if it were told, and at test it is inferred. how: a key of SURE; outer: the
    scenario whose answers count: a class that several tasks have is the same, whichever of their heads says
    it; right: the share of samples of the last test whose task was found."""

    told, infers = False, True

    def __init__(self, how, outer):
        super().__init__(list(enumerate(map(len, outer.numbers))))  # every task has a head with all its classes
        self.sure, self.outer, self.name, self.right = SURE[how], outer, outer.name, None

    def answer(self, t, y):
        return self.outer.answer(t, y)

    def accuracy(self, appr, t, x, y):
        """The accuracy on x [N,C,H,W], y [N] of task t; notes how many tasks were right."""
        task, told = self.choose(appr, x, max(appr.seen, t + 1))
        self.right = (task == t).float().mean().item()
        return (told == self.answer(t, y.to(appr.device))).float().mean().item()

    def choose(self, appr, x, seen):
        """(the task, the label as it is to be told), int64 [N] each, of x [N,C,H,W], among so many tasks."""
        best = torch.full((len(x),), -torch.inf, device=appr.device)
        task, told = torch.full((2, len(x)), -1, device=appr.device)
        for u in range(seen):
            z = evaluation.logits(appr, u, x)
            sure = self.sure(z)
            better = sure > best
            best = torch.where(better, sure, best)
            task = torch.where(better, u, task)
            told = torch.where(better, self.answer(u, z.argmax(1)), told)
        return task, told
