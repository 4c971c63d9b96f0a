"""GEM: Lopez-Paz & Ranzato, Gradient Episodic Memory for Continual Learning, NIPS 2017 (arXiv 1706.08840)."""
import torch

from approaches import replay
from approaches.hyper import Hyper
from engine import normalising, projection


class Appr(replay.Replay):
    """No step may raise the loss on any earlier task's memory: the gradient is projected where one would (their Eq. 8-11)."""

    family = 'projection'
    hyperparameters = (
        Hyper('margin', float, 0.5, (0, .1, .5, 1), 'least weight of each earlier task\'s gradient once any is violated',
              'Section 3, gamma; as in the authors\' code', least=0),
        *replay.Replay.hyperparameters,
    )

    def forward(self, t, x, y):
        """As base.forward; notes the batch for the buffer."""
        if self.model.training and isinstance(t, int):
            self.batch = t, x, y
        return super().forward(t, x, y)

    def gradients(self, places):
        """The gradients of the mean loss on the samples at some places of the buffer, by the running
        statistics as they are; None for parameters it does not depend on."""
        x, y, t, _ = self.memory.take(places, self.device)
        with torch.enable_grad(), normalising.held(self.model):
            loss, _ = super().forward(t, x, y)
            return torch.autograd.grad(loss, self.trainable(), allow_unused=True)

    def before_step(self, t):
        """Projects the gradient. Parameters that had none stay without."""
        earlier = [places for u in range(t) if len(places := (self.memory.t == u).nonzero().flatten())] if t and len(self.memory) else []
        if earlier:
            self.project(earlier)

    def project(self, earlier):
        """Projects the gradient against those of each earlier task's memory, of which there are the places."""
        memories = torch.stack([self.joined(self.gradients(places)) for places in earlier])
        new = projection.gem(self.joined([p.grad for p in self.trainable()]), memories, self.margin)
        for p, part in zip(self.trainable(), new.split([p.numel() for p in self.trainable()])):
            if p.grad is not None:
                p.grad.copy_(part.view_as(p))

    def joined(self, gradients):
        """All gradients as one vector [p]; 0 where there is none."""
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(self.trainable(), gradients)])
