"""What methods share that replay samples of earlier tasks: the buffer and when it takes samples."""
import torch

from approaches import base
from approaches.hyper import Hyper
from learning import policies
from learning.batch import parts
from learning.buffer import Buffer

SIZE = Hyper('buffer_size', int, 500, (200, 500, 1000, 5000), 'samples that are kept in all (--buffer '
             'each: of each class)', least=1, most=10 ** 7, positional=False)
POLICY = Hyper('buffer', str, 'reservoir', help='which are kept: each of the stream with the same '
               'probability; at the end of a task, as many of each class so far, at random; of each class '
               'the last ones; of each class those nearest to its mean feature; the buffer\'s size of each '
               'class; of each class the first ones, some of which make room for later classes',
               choices=tuple(policies.KINDS), positional=False)


class Replay(base.Appr):
    """Keeps samples in `memory`. Of the stream, every sample is offered once, in the first epoch, after
    the step that it was in."""

    hyperparameters = (SIZE, POLICY)
    scenarios = ('task', 'class', 'domain')
    without = ''    # what becomes of classes without a sample in the buffer, in words
    stored = None   # stored(images): the logits [N,K] that the buffer is to keep, for methods that replay them
    reserved = 'memory',

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.configure(memory=Buffer(self.buffer_size, self.buffer, self.transforms, self.returning))

    def drawn(self, batch, before=None):
        """As many samples of the buffer as a batch has, at random and augmented anew, those of the present
        task among them, or with `before` of tasks before that one alone; None in tests, and where there are
        none. A batch enters the buffer after its step, without augmentation."""
        if not self.model.training:
            return None
        return self.memory.draw(len(batch), before, self.device, self.recipe.augment)

    def after_step(self, batch):
        if self.at['epoch'] == 0:
            self.memory.add(batch)

    def end_task(self, t, x, y):
        super().end_task(t, x, y)
        self.memory.end_task(t, x, y, self.features, self.stored)

    def account(self, done):
        """The buffer's size; of one that is filled at the end of a task, the places that are empty, too."""
        found = {'samples': len(self.memory), 'megabytes': round(self.memory.megabytes, 3)}
        if not self.memory.policy.streams:
            found['empty'] = self.memory.empty
        return {**super().account(done), 'buffer': found}

    def report_lines(self):
        """Says how many classes have no sample, of a buffer in which each has a share, and after the last
        task how many places rare classes leave empty."""
        memory, classes, out = self.memory, sum(self.scenario.ncla[:self.seen]), []
        lost, last = classes - memory.classes, self.seen == len(self.scenario.ncla)
        if memory.policy.fair and lost:
            out.append('Classes without a sample in the buffer%s: %d of %d (--buffer-size %d)' % (
                self.without, lost, classes, memory.size))
        if last and not memory.policy.streams and memory.short:
            out.append('Places of the buffer that are empty: %d of %d; classes with fewer samples than their share, %d: %d' % (
                memory.empty, memory.empty + len(memory), memory.share, memory.short))
        return out

    def features(self, x):
        """The last hidden layer [N,D] of images; of a network that does not show it, the logits of the
        task learnt last."""
        self.model.eval()
        shows = callable(getattr(self.model, 'hidden', None))
        with torch.inference_mode():
            batches = parts(self.seen - 1, x, None, 256, self.device)
            return torch.cat([self.model.hidden(b.x) if shows else self.compete(b)[0] for b in batches])
