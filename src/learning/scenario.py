"""Scenarios (van de Ven, Tuytelaars & Tolias, Nature Machine Intelligence 2022): which logits compete, and what the target is.

In all of them the tasks come one after another. task: the task is known at test, each has its own head.
class: it is not known, the heads of all tasks so far compete and targets are classes of all tasks, numbered
on. A class that comes again keeps its number and its logit, so that a task's head has a logit for each of its
new classes alone, which may be none. domain: it is not known, all tasks share one head and its labels.
"""
from itertools import accumulate

import torch

from utils import UserError


class Task:
    """The task is known at test: only its own head counts."""

    name, told = 'task', True  # told: whether the task is known at test
    infers = False             # whether it is inferred (learning.inference)

    def __init__(self, taskcla=(), classes=None):
        """classes: of each task what tells its classes apart, in the order of labels; None: all are new."""
        classes = classes or [[(t, label) for label in range(n)] for t, n in taskcla]
        number, self.firsts = {}, []  # firsts: (the task where it came first, its label there) of each class
        for t, keys in enumerate(classes):
            self.firsts += [(t, label) for label, key in enumerate(keys) if key not in number]
            number.update({key: len(number) + i for i, key in enumerate(k for k in keys if k not in number)})
        self.numbers = [[number[key] for key in keys] for keys in classes]  # of each task's labels
        self.ncla = [sum(u == t for u, _ in self.firsts) for t in range(len(classes))]  # logits of each head
        self.shifts = [0, *accumulate(self.ncla)]  # the first class of each head among those of all tasks
        self.tables = {}

    def table(self, device):
        """(the class of each label, int64 [T,labels], whether each task has each class, bool [T,classes]) on a
        device, on which it is made once."""
        if device not in self.tables:
            most = max(map(len, self.numbers))
            numbers = torch.tensor([[*row, *[0] * (most - len(row))] for row in self.numbers], device=device)
            has = torch.zeros(len(numbers), len(self.firsts), dtype=torch.bool)
            for t, row in enumerate(self.numbers):
                has[t, row] = True
            self.tables[device] = numbers, has.to(device)
        return self.tables[device]

    @property
    def returning(self):
        """{(task, label): (task, label) of the same class where it came first} of classes that come again."""
        pairs = [((t, label), self.firsts[c]) for t, row in enumerate(self.numbers) for label, c in enumerate(row)]
        return {pair: first for pair, first in pairs if pair != first}

    def own(self, t):
        """What of the logits of all heads is of task t's classes, in the order of its labels: a slice, or
        numbers where some came before."""
        numbers, mine = self.numbers[t], range(self.shifts[t], self.shifts[t + 1])
        return slice(mine.start, mine.stop) if numbers == list(mine) else numbers

    def taskcla(self):
        """What a network whose tasks share all but the heads is built for."""
        return list(enumerate(self.ncla))

    def heads(self, task, seen, training):
        """The heads whose logits, joined, compete, a number or a range, for samples of one task, or of
        several (None). seen: number of tasks met so far, the present one included; training: whether it is
        for the loss in training."""
        return range(seen) if task is None else task

    def apart(self, training):
        """Whether, of samples of several tasks, each has to do with its own task's head alone."""
        return True

    def alike(self, seen):
        """Whether the tasks so far have the same number of classes, all of them on their own heads."""
        return len(set(self.ncla[:seen])) == 1 and all(isinstance(self.own(t), slice) for t in range(seen))

    def foreign(self, t, heads):
        """Which of the joined logits do not compete, bool [B,n], for samples of the tasks t [B]."""
        return ~self.table(t.device)[1][t, self.shifts[heads[0]]:self.shifts[heads[-1] + 1]]

    def compete(self, outputs, batch, seen, training):
        """(logits [B,n], targets [B]) of those of a batch that compete; what does not compete in a row is
        -inf. outputs: the logits of all heads, a list, or a tensor [B,n]: those of each sample's own head."""
        heads = self.heads(batch.task, seen, training)
        if isinstance(outputs, torch.Tensor):
            return outputs, batch.y
        if isinstance(heads, int):
            return outputs[heads], batch.y
        logits = joined(outputs, heads)
        if not self.apart(training):
            return logits, self.numbered(batch.t if batch.task is None else batch.task, batch.y)
        if batch.task is not None:
            return logits[:, self.own(batch.task)], batch.y
        logits = logits.masked_fill(self.foreign(batch.t, heads), -torch.inf)
        return logits, self.numbered(batch.t, batch.y)

    def numbered(self, t, y):
        """The labels y [N] of a task, or of the tasks t [N], among the classes of all tasks."""
        return self.table(y.device)[0][t, y]

    def answer(self, t, y):
        """Task t's labels y [N] as they are to be told at test."""
        return y

    def learnt(self, appr, t, x, y):
        """Called once task t is learnt, with its validation set."""

    def earlier(self, t):
        """The heads of which the earlier tasks' outputs are made, for distillation: a list of numbers and
        ranges."""
        return list(range(t))

    def students(self, t, outputs, seen, training):
        """[(the earlier tasks' heads, the logits that are to take after them)] of a network's outputs:
        where earlier classes compete with those of task t, all that compete."""
        heads = self.heads(t, seen, training)
        several = isinstance(heads, range) and not self.apart(training)
        return [(earlier, joined(outputs, heads if several else earlier)) for earlier in self.earlier(t)]


class Class(Task):
    """The task is not known: classes of all tasks so far compete. active: which do in training,
    'all-so-far', 'all' (those of tasks to come, too) or 'current' (as if the task were known)."""

    name, told = 'class', False

    def __init__(self, taskcla=(), active='all-so-far', classes=None):
        super().__init__(taskcla, classes)
        self.active = active

    def heads(self, task, seen, training):
        """At test, all tasks so far compete."""
        if training and self.active == 'current' and (task is None or isinstance(self.own(task), slice)):
            return super().heads(task, seen, training)
        last = seen if task is None else max(seen, task + 1)
        return range(len(self.ncla) if training and self.active == 'all' else last)

    def apart(self, training):
        return training and self.active == 'current'

    def answer(self, t, y):
        return self.numbered(t, y)

    def earlier(self, t):
        """Where all classes compete, the old outputs say something of classes to come, too
        (van de Ven et al.)."""
        return [range(len(self.ncla) if self.active == 'all' else t)]


class Domain(Task):
    """The task is not known and need not be: one head, with the same labels in every task."""

    name, told = 'domain', False

    def __init__(self, taskcla=()):
        super().__init__(taskcla)
        if len(set(self.ncla)) > 1:
            raise UserError('--scenario domain: the tasks share one head, so all need the same number of classes; they have '
                            '%s' % ', '.join(map(str, self.ncla)))

    def apart(self, training):
        return False

    def taskcla(self):
        return [(0, self.ncla[0])]

    def heads(self, task, seen, training):
        return 0

    def earlier(self, t):
        return [0]


KINDS = {kind.name: kind for kind in (Task, Class, Domain)}


def joined(outputs, heads):
    """The logits of some heads side by side, [B,n], of a list of all."""
    return outputs[heads] if isinstance(heads, int) else torch.cat([outputs[u] for u in heads], 1)
