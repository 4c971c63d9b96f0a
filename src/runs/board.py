"""--tensorboard: what a run writes for TensorBoard, in logs/<run>/tensorboard."""
import numpy as np

from results import measures
from runs.listeners import Listener

SIDE = 24  # pixels of a cell of an image


class Board(Listener):
    """A run's events: a scalar per epoch of every number that epochs.csv has; after each task the accuracies,
    their matrix as an image and, of HAT, the masks as images and histograms of the embeddings; at the end the
    settings with what came out."""

    def begin(self, resumed):
        """What was written after the epochs that a resumed run has behind it counts no more."""
        from torch.utils.tensorboard import SummaryWriter
        done, folder = self.run.epochs(), str(self.run.place.folder / 'tensorboard')
        self.writer = SummaryWriter(folder, purge_step=done + 1 if done else None)
        self.names = self.run.record['tasks']

    def epoch(self, numbers):
        step = self.run.epochs()
        task = 'task %d %s' % (numbers['task'], self.names[numbers['task']])
        for name, value in numbers.items():
            if name not in ('task', 'epoch'):
                self.writer.add_scalar('%s/%s' % (name, task), value, step)

    def task(self, t):
        acc, appr = self.run.outcome.acc, self.run.appr
        for u in range(t + 1):
            self.writer.add_scalar('test_accuracy/task %d %s' % (u, self.names[u]), acc[t, u], t)
        self.writer.add_scalar('average_accuracy', acc[t, :t + 1].mean(), t)
        self.image('accuracy matrix', np.tril(acc), t)
        model = getattr(appr, 'model', None)
        if hasattr(model, 'embeddings') and hasattr(appr, 'attention'):
            layers = [layer.name for layer in model.layers]
            masks = appr.attention(t + 1)
            for i, (name, e) in enumerate(zip(layers, model.embeddings())):
                self.image('masks/' + name, np.stack([m[i] for m in masks]), t, width=1)
                self.writer.add_histogram('embeddings/' + name, e[t].detach().cpu(), t)
        self.writer.flush()

    def image(self, name, values, step, width=SIDE):
        """Notes values [rows, columns] in 0..1 as an image, black to white."""
        cells = np.repeat(np.repeat(values, SIDE, 0), width, 1)
        self.writer.add_image(name, cells[None].astype(np.float32), step)

    def settle(self):
        config, summary = self.run.record['config'], measures.summary(self.run.outcome.acc)
        plain = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in config.items()}
        final = {'final/' + k: v for k, v in summary.items() if v is not None}
        self.writer.add_hparams(plain, final, run_name='.')
        self.writer.close()
