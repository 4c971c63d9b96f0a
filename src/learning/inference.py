"""Which task samples are of, where an approach has a network or a mask for each and is not told.

Every task's part is run, and the task chosen whose own head is the surest: by its largest logit (the usual
reading of HAT as a class-incremental method), its largest probability or its smallest entropy (Kim et al.,
NeurIPS 2022, compare them), or by the log-sum-exp of its logits, the energy with its sign changed (Liu, Wang,
Owens & Li, Energy-based Out-of-distribution Detection, NeurIPS 2020).
"""
import torch

from learning import calibration, evaluation
from learning.scenario import Task

SURE = {'max-logit': lambda z: z.max(1).values,
        'max-softmax': lambda z: z.softmax(1).max(1).values,
        'min-entropy': lambda z: (z.softmax(1) * z.log_softmax(1)).sum(1),
        'energy': lambda z: z.logsumexp(1)}


class Inferred(Task):
    """Every task is learnt as if it were told, and at test it is inferred. how: a key of SURE; outer: the
    scenario whose answers count: a class that several tasks have is the same, whichever of their heads says
    it; calibrate: whether the logits of tasks are made comparable (learning.calibration); right: the share
    of samples of the last test whose task was found."""

    told, infers = False, True

    def __init__(self, how, outer, calibrate=False):
        super().__init__(list(enumerate(map(len, outer.numbers))))  # every task has a head with all its classes
        self.how, self.outer, self.name, self.calibrate, self.right = how, outer, outer.name, calibrate, None

    def answer(self, t, y):
        return self.outer.answer(t, y)

    def learnt(self, appr, t, x, y):
        """Notes, as the approach's task_calibration, those of all tasks so far."""
        if self.calibrate:
            found = calibration.fit(evaluation.logits(appr, t, x), y)
            appr.configure(task_calibration=[*appr.task_calibration[:t], found])

    def accuracy(self, appr, t, x, y):
        """The accuracy on x [N,C,H,W], y [N] of task t; notes how many tasks were right."""
        task, told = self.choose(appr, x, max(appr.seen, t + 1))
        self.right = (task == t).float().mean().item()
        return (told == self.answer(t, y.to(appr.device))).float().mean().item()

    def choose(self, appr, x, seen):
        """(the task, the label as it is to be told), int64 [N] each, of x [N,C,H,W], among so many tasks.
        While one of them is not learnt yet, nothing is calibrated."""
        found = appr.task_calibration if len(appr.task_calibration) >= seen else None
        best = torch.full((len(x),), -torch.inf, device=appr.device)
        task, told = torch.full((2, len(x)), -1, device=appr.device)
        for u in range(seen):
            z = evaluation.logits(appr, u, x)
            sure = self.sure(z, *found[u]) if found else self.sure(z)
            better = sure > best
            best = torch.where(better, sure, best)
            task = torch.where(better, u, task)
            told = torch.where(better, self.answer(u, z.argmax(1)), told)
        return task, told

    def sure(self, z, temperature=1., shift=0.):
        """How sure a task of such calibration is by its logits [N,K], [N]."""
        return SURE[self.how](z / temperature + shift)

    def account(self, appr, done):
        """What a record says of the first tasks, {name: plain value}."""
        found = appr.task_calibration[:done]
        temperatures, shifts = [t for t, _ in found], [b for _, b in found]
        return {'calibration': {'temperature': temperatures, 'shift': shifts}} if self.calibrate else {}
