"""The diagonal of the Fisher information, estimated in three ways: {parameter's name: F} of an approach's
network on x [N,...], y [N] of task t. loss(batch, reduction): that of a Batch."""
import torch

from learning import normalising, samples
from learning.batch import parts
from original import squares


def of_batches(appr, loss, t, x, y, size=20):
    """As the original scripts estimate it: in training mode, with dropout but by running statistics as
    they are, the mean over batches of size * (gradient of the mean loss)^2: that makes F about `size`
    times smaller than from single samples, which is why the best penalty weights are so large."""
    appr.model.train()
    with normalising.held(appr.model):
        found = squares(appr.model, (loss(batch) for batch in parts(t, x, y, size, appr.device)), size)
    return {n: f / len(y) for n, f in found.items()}


def of_samples(appr, loss, t, x, y, size):
    """The mean over single samples of their squared gradients."""
    batches = parts(t, x, y, samples.size(appr.model), appr.device)
    found = samples.total(appr.model, lambda batch: loss(batch, 'sum'), batches, torch.square)
    return {n: f / len(y) for n, f in found.items()}


def exact(appr, loss, t, x, y, size):
    """The mean over samples of the squared gradient's expectation over labels drawn from the model's own
    probabilities p: for each label, the gradient of sqrt(p) times its loss."""
    out, first = {}, next(iter(parts(t, x, y, 1, appr.device)))
    appr.model.eval()
    for label in range(appr.compete(first)[0].shape[1]):
        def weighed(batch):
            log_p = appr.compete(batch)[0].log_softmax(1)[:, label]
            return -((0.5 * log_p).exp().detach() * log_p).sum()
        batches = parts(t, x, y, samples.size(appr.model), appr.device)
        for n, f in samples.total(appr.model, weighed, batches, torch.square).items():
            out[n] = out[n] + f if n in out else f
    return {n: f / len(y) for n, f in out.items()}


@torch.no_grad()
def mean(weights, fisher, old, before):
    """Return {name: tensor}, the mean of two networks' weights, each weighed by its Fisher information: of
    weights with fisher, and old ones with that from before. Where there is none the weights stay."""
    out = {}
    for n, p in weights.items():
        total = fisher[n] + before[n]
        out[n] = torch.where(total > 0, (fisher[n] * p + before[n] * old[n]) / total, p)
    return out


KINDS = {'batch': of_batches, 'sample': of_samples, 'exact': exact}
