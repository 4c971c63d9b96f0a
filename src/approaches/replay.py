"""What methods share that replay samples of earlier tasks: the buffer, when it takes samples, batches of mixed tasks."""
import torch

from approaches import base, buffer
from engine.step import leaves_linear
from networks.layers import Plain
from utils import UserError


def is_kept(appr, value, done):
    """Whether a value can be what a buffer keeps."""
    m = appr.memory
    if not isinstance(value, dict) or value.keys() != m.state.keys() or type(value['offered']) is not int or value['offered'] < 0:
        return False
    if value['y'] is None:
        return value['x'] is None and value['t'] is None and value['z'] is None and value['ages'] == []
    x, y, t, z, ages = (value[k] for k in ('x', 'y', 't', 'z', 'ages'))
    return (all(isinstance(v, torch.Tensor) and len(v) == len(y) for v in (x, y, t)) and x.dtype in (torch.uint8, torch.float32)
            and y.dtype == t.dtype == torch.int64 and y.dim() == t.dim() == 1 and bool((y >= 0).all()) and x.dim() == 4
            and len(y) <= m.policy.room(m.size, len(set(zip(t.tolist(), y.tolist()))))
            and 0 <= int(t.min()) and int(t.max()) <= done and (x.dtype != torch.uint8 or set(t.tolist()) <= set(m.pixels))
            and (z is None or isinstance(z, torch.Tensor) and z.dtype == torch.float32 and z.dim() == 2 and len(z) == len(y))
            and isinstance(ages, list) and len(ages) in (0, len(y)) and all(type(a) is int for a in ages))


class Replay(base.Appr):
    """Keeps samples in `memory`. Of the stream, every sample is offered once, in the first epoch, after the step that it was in."""

    hyperparameters = buffer.HYPER
    scenarios, capturable = ('task', 'class', 'domain'), False  # a step draws samples on the CPU
    without = ''   # what becomes of classes without a sample in the buffer, in words
    stored = None  # stored(images): the logits [N,K] that the buffer is to keep, for methods that replay them
    state = {'kept': is_kept}
    for_training = 'kept',
    scratch = (*base.Appr.scratch, 'memory', 'batch')
    loop_names = 'memory',
    batch = None  # what is to be offered after the step: (t, x, y), or with logits

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.memory = buffer.Buffer(self.buffer_size, self.buffer, self.pixels)

    @property
    def kept(self):
        """The buffer's samples, for checkpoints."""
        return self.memory.state

    @kept.setter
    def kept(self, state):
        self.memory.state = state

    def mixed(self, t, x, y, more):
        """(tasks [B], x, y) of a batch of task t together with samples of the buffer; they are losses' mean in one."""
        x2, y2, t2, _ = more
        return torch.cat([torch.full_like(y, t), t2]), torch.cat([x, x2]), torch.cat([y, y2])

    @leaves_linear
    def before_step(self, t):
        """Nothing is done to gradients."""

    def after_step(self, t):
        """Offers the batch to the buffer."""
        if self.batch is not None and not isinstance(self.batch, tuple):
            raise UserError('self.batch is %s: forward() sets it to (t, x, y), which the buffer is offered; '
                            'give what else it is another name' % type(self.batch).__name__)
        if self.epoch == 0 and self.batch is not None:
            self.memory.stream(*self.batch)
        self.batch = None

    def end_task(self, t, x, y):
        """Fills a buffer that waits for the whole task."""
        super().end_task(t, x, y)
        self.memory.end_task(t, x, y, self.features, self.stored)

    def account(self, done):
        """The buffer's size; of one that is filled at the end of a task, the places that are empty, too."""
        found = {'samples': len(self.memory), 'megabytes': round(self.memory.megabytes, 3)}
        if not self.memory.policy.streams:
            found['empty'] = self.memory.empty
        return {**super().account(done), 'buffer': found}

    def report(self):
        """Says how many classes have no sample, of a buffer in which each has a share, and after the last task how many places
        rare classes leave empty."""
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
        """The last hidden layer [N,D] of images; of a network that does not show it, the logits of the task learnt last."""
        self.model.eval()
        with torch.inference_mode():
            return torch.cat([self.model.hidden(b.to(self.device)) if isinstance(self.model, Plain) else self.logits(
                self.seen - 1, b.to(self.device)) for b in x.split(256)])
