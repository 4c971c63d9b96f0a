"""GEM: Lopez-Paz & Ranzato, Gradient Episodic Memory for Continual Learning, NIPS 2017 (arXiv 1706.08840)."""
import torch

from approaches import replay
from approaches.hyper import Hyper
from learning import normalising, projection


class Appr(replay.Replay):
    """No step may raise the loss on any earlier task's memory: the gradient is projected where one would
    (Eq. 8-11)."""

    family = 'projection'
    hyperparameters = (
        Hyper('margin', float, 0.5, (0, .1, .5, 1), 'least weight of each earlier task\'s gradient once '
              'any is violated', 'Section 3, gamma; as in the authors\' code', least=0),
        *replay.Replay.hyperparameters,
    )

    def gradients(self, places):
        """The gradients of the mean loss on the samples at some places of the buffer, by the running
        statistics as they are; None for parameters it does not depend on."""
        with torch.enable_grad(), normalising.held(self.model):
            loss = self.loss(self.memory.take(places, self.device, self.recipe.augment))
            return torch.autograd.grad(loss, self.trainable(), allow_unused=True)

    def after_backward(self, batch):
        """Projects the gradient. Parameters that had none stay without."""
        earlier = []
        for u in range(batch.task) if len(self.memory) else ():
            earlier.append((self.memory.t == u).nonzero().flatten())
        earlier = [places for places in earlier if len(places)]
        if earlier:
            self.project(earlier)

    def project(self, earlier):
        """Projects the gradient against those of each earlier task's memory, of which there are the places."""
        memories = torch.stack([self.as_one(self.gradients(places)) for places in earlier])
        new = projection.gem(self.as_one([p.grad for p in self.trainable()]), memories, self.margin)
        for p, part in zip(self.trainable(), new.split([p.numel() for p in self.trainable()])):
            if p.grad is not None:
                p.grad.copy_(part.view_as(p))

    def as_one(self, gradients):
        """All gradients as one vector [p]; 0 where there is none."""
        pairs = zip(self.trainable(), gradients)
        return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])
