"""Testing an approach: on tasks that are told, inferred, or not learnt yet."""
import torch

from approaches.competing import Competing


class Evaluated(Competing):
    """Of an approach: has its forward pass and what is handed over for a pass over data."""

    eval_sbatch = 256     # samples per batch of evaluation; None: sbatch, for losses that are not means over the batch
    eval_draws = False    # whether eval() draws random numbers: then every further call changes what follows
    blind = None          # why a task cannot be tested before it is learnt
    infer = None          # what infers the task at test where it is not told (approaches.inference); `inferred`: how often rightly
    inferred = None

    def eval(self, t, x, y):
        """(loss, accuracy in 0..1) on task t of x [N,C,H,W], y [N], in order; draws no random numbers. Where the task is not
        told and has to be inferred, the accuracy is that without it; but not within training."""
        loss, accuracy = self.known(t, x, y)
        if self.infer is not None and self.position is None:
            accuracy, self.inferred = self.infer(self, t, x, y)
        return loss, accuracy

    def known(self, t, x, y):
        """(loss, accuracy in 0..1) as the scenario says, with every approach's part for task t."""
        self.model.eval()
        size = self.eval_sbatch or self.sbatch
        sums = torch.empty(-(-len(x) // size), 2, device=self.device)
        with torch.inference_mode(), self.precision(), self.passing(t):
            self.choose_part(t)
            penalty = 0 if self.quadratic is None else self.quadratic.value()
            for k, (images, targets) in enumerate(zip(x.split(size), y.split(size))):
                loss, sums[k, 1] = self.forward(t, images.to(self.device), targets.to(self.device))
                sums[k, 0] = loss + penalty
        losses, hits = sums.t().tolist()
        return sum(a * min(size, len(x) - i * size) for i, a in enumerate(losses)) / len(x), sum(hits) / len(x)

    def outputs(self, t, x):
        """The logits [N, classes] of all of x, in batches."""
        self.model.eval()
        with torch.inference_mode(), self.precision(), self.passing(t):
            self.choose_part(t)
            return torch.cat([self.logits(t, images.to(self.device)) for images in x.split(self.eval_sbatch or self.sbatch)])

    def guess(self, t, x, y):
        """The accuracy on a task that may not have been learnt yet."""
        self.model.eval()
        return (self.told(t, x) == self.answer(t, y.to(self.device))).float().mean().item()

    def told(self, t, x):
        """What the approach says of images [N,C,H,W] of task t: labels [N] as the scenario numbers them."""
        if self.infer is not None:
            return self.infer.choose(self, x, max(self.seen, t + 1))[1]
        return self.outputs(t, x).argmax(1)

    def answer(self, t, y):
        """The labels y [N] of task t, as told() numbers them."""
        return (self.infer or self).scenario.numbered(t, y)

    @staticmethod
    def hits(output, targets):
        """How many of the logits [B, classes] have their maximum at the target (scalar tensor)."""
        return (output.argmax(1) == targets).sum()
