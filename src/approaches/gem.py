"""GEM: Lopez-Paz & Ranzato, Gradient Episodic Memory for Continual Learning, NIPS 2017 (arXiv 1706.08840)."""
import torch

from approaches import replay
from approaches.hyper import Hyper
from engine import projection


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

    def gradient(self, places):
        """The gradient [p] of the mean loss on the samples at some places of the buffer; 0 for parameters it does not depend on."""
        x, y, t, _ = self.memory.take(places, self.device)
        with torch.enable_grad():
            loss, _ = super().forward(t, x, y)
            found = torch.autograd.grad(loss, self.trainable(), allow_unused=True)
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(self.trainable(), found)])

    def before_step(self, t):
        """Projects the gradient. Parameters that had none stay without."""
        earlier = [places for u in range(t) if len(places := (self.memory.t == u).nonzero().flatten())] if t and len(self.memory) else []
        if earlier:
            self.replace(lambda g: self.project(g, earlier))

    def project(self, g, earlier):
        """The gradient g [p], projected against those of each earlier task's memory."""
        return projection.gem(g, torch.stack([self.gradient(places) for places in earlier]), self.margin)

    def replace(self, change):
        """Puts change(g) in the place of the gradient g [p] of all parameters."""
        params = self.trainable()
        g = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in params])
        for p, new in zip(params, change(g).split([p.numel() for p in params])):
            if p.grad is not None:
                p.grad.copy_(new.view_as(p))
