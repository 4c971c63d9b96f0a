"""Scenarios (van de Ven, Tuytelaars & Tolias, Nature Machine Intelligence 2022): which logits compete, and what the target is.

In all of them the tasks come one after another. task: the task is known at test, each has its own head. class: it is not
known, the heads of all tasks so far compete and targets are classes of all tasks, numbered on. domain: it is not known, all
tasks share one head and its labels.

Everything is asked for a task t, or for samples of several tasks at once: then t is an int64 tensor [B] of their tasks.
"""
from itertools import accumulate

import torch

from utils import UserError


class Task:
    """The task is known at test: only its own head counts."""

    name, told = 'task', True  # told: whether the task is known at test

    def __init__(self, taskcla=()):
        self.ncla = [n for _, n in taskcla]
        self.shifts = [0, *accumulate(self.ncla)]  # the first class of each task among those of all tasks
        self.tables = {}

    def table(self, device):
        """(the first class of each task, the task of each class) on a device, on which it is made once."""
        if device not in self.tables:
            owners = [u for u, n in enumerate(self.ncla) for _ in range(n)]
            self.tables[device] = torch.tensor(self.shifts, device=device), torch.tensor(owners, device=device)
        return self.tables[device]

    def taskcla(self):
        """What a network whose tasks share all but the heads is built for."""
        return list(enumerate(self.ncla))

    def heads(self, t, seen, training):
        """The heads whose logits, joined, compete: a number, or a range of them. seen: number of tasks met so far, the present
        one included; training: whether it is for the loss in training."""
        return range(seen) if isinstance(t, torch.Tensor) else t

    def apart(self, training):
        """Whether, of samples of several tasks, each has to do with its own task's head alone."""
        return True

    def foreign(self, t, heads):
        """Which of the joined logits do not compete, bool [B, n], for samples of several tasks; None: all of them do."""
        return self.table(t.device)[1][self.shifts[heads[0]]:self.shifts[heads[-1] + 1]] != t[:, None]

    def targets(self, t, y, heads):
        """The labels y [B] among the joined logits of some heads."""
        return y if isinstance(heads, int) else y + self.shift(t) - self.shifts[heads[0]]

    def shift(self, t):
        """What to add to task t's labels to have its classes among those of all tasks."""
        return self.table(t.device)[0][t] if isinstance(t, torch.Tensor) else self.shifts[t]

    def numbered(self, t, y):
        """Task t's labels y [N] as what is to be told at test."""
        return y

    def earlier(self, t):
        """The heads of which the earlier tasks' outputs are made, for distillation: a list of numbers and ranges."""
        return list(range(t))


class Class(Task):
    """The task is not known: classes of all tasks so far compete. active: which do in training, 'all-so-far', 'all' (those of
    tasks to come, too) or 'current' (as if the task were known)."""

    name, told = 'class', False

    def __init__(self, taskcla=(), active='all-so-far'):
        super().__init__(taskcla)
        self.active = active

    def heads(self, t, seen, training):
        """As in Task. At test, all tasks so far compete."""
        if training and self.active == 'current':
            return super().heads(t, seen, training)
        last = seen if isinstance(t, torch.Tensor) else max(seen, t + 1)
        return range(len(self.ncla) if training and self.active == 'all' else last)

    def apart(self, training):
        """As in Task."""
        return training and self.active == 'current'

    def numbered(self, t, y):
        """As in Task."""
        return y + self.shift(t)

    def earlier(self, t):
        """As in Task; where all classes compete, the old outputs say something of classes to come, too (van de Ven et al.)."""
        return [range(len(self.ncla) if self.active == 'all' else t)]


class Domain(Task):
    """The task is not known and need not be: one head, with the same labels in every task."""

    name, told = 'domain', False

    def __init__(self, taskcla=()):
        super().__init__(taskcla)
        if len(set(self.ncla)) > 1:
            raise UserError('--scenario domain: the tasks share one head, so all need the same number of classes; they have %s' % (
                ', '.join(map(str, self.ncla))))

    def apart(self, training):
        """As in Task."""
        return False

    def taskcla(self):
        """As in Task."""
        return [(0, self.ncla[0])]

    def heads(self, t, seen, training):
        """As in Task."""
        return 0

    def targets(self, t, y, heads):
        """As in Task."""
        return y

    def earlier(self, t):
        """As in Task."""
        return [0]


KINDS = {kind.name: kind for kind in (Task, Class, Domain)}


def joined(outputs, heads):
    """The logits of some heads side by side, [B, n], of a list of all."""
    return outputs[heads] if isinstance(heads, int) else torch.cat([outputs[u] for u in heads], 1)
