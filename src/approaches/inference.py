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
        best = torch.full((len(y),), -torch.inf, device=appr.device)
        task, told = torch.full((2, len(y)), -1, device=appr.device)
        for u in range(max(appr.seen, t + 1)):
            z = appr.outputs(u, x)
            sure = self.sure(z)
            better = sure > best
            best = torch.where(better, sure, best)
            task = torch.where(better, u, task)
            told = torch.where(better, z.argmax(1) + self.scenario.label(u), told)
        right = told == y.to(appr.device) + self.scenario.label(t)
        return right.float().mean().item(), (task == t).float().mean().item()
