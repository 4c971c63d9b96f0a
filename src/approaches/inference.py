"""Which task samples are of, where an approach has a network or a mask for each and is not told.

Every task's part is run, and the task chosen whose own head is the surest: by its largest logit (the usual reading of HAT as a
class-incremental method), its largest probability or its smallest entropy (Kim et al., NeurIPS 2022, compare them).
"""
import torch

SURE = {'max-logit': lambda z: z.max(1).values,
        'max-softmax': lambda z: z.softmax(1).max(1).values,
        'min-entropy': lambda z: (z.softmax(1) * z.log_softmax(1)).sum(1)}


class Inference:
    """Infers the task under a scenario that does not tell it. how: a key of SURE."""

    def __init__(self, how, scenario):
        self.sure, self.scenario = SURE[how], scenario

    def __call__(self, appr, t, x, y):
        """(accuracy, share of samples whose task is right) on x [N,C,H,W], y [N] of task t, among the tasks that the approach
        has met so far."""
        task, told = self.choose(appr, x, max(appr.seen, t + 1))
        right = told == self.scenario.numbered(t, y.to(appr.device))
        return right.float().mean().item(), (task == t).float().mean().item()

    def choose(self, appr, x, seen):
        """(the task, the label as the scenario numbers them), int64 [N] each, of x [N,C,H,W], among so many tasks."""
        best = torch.full((len(x),), -torch.inf, device=appr.device)
        task, told = torch.full((2, len(x)), -1, device=appr.device)
        for u in range(seen):
            z = appr.outputs(u, x)
            sure = self.sure(z)
            better = sure > best
            best = torch.where(better, sure, best)
            task = torch.where(better, u, task)
            told = torch.where(better, self.scenario.numbered(u, z.argmax(1)), told)
        return task, told
