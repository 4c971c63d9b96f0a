"""The diagonal of the Fisher information, as the original scripts estimate it."""
import torch

from engine import normalising


def diagonal(model, loss, x, y, sbatch=20):
    """{parameter's name: F} on x [N,...], y [N], with loss(images, targets) the mean over a batch, on the model's device.

    Computed in training mode, with dropout but by running statistics as they are, as the mean over batches of
    sbatch * (gradient of the mean loss)^2: that makes F about sbatch times smaller than from single samples,
    which is why the best penalty weights are so large.
    """
    device = next(model.parameters()).device
    fisher = {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    model.train()
    with normalising.held(model):
        for images, targets in zip(x.split(sbatch), y.split(sbatch)):
            model.zero_grad()
            loss(images.to(device), targets.to(device)).backward()
            for n, p in model.named_parameters():
                if p.grad is not None:
                    fisher[n].addcmul_(p.grad, p.grad, value=sbatch)
    model.zero_grad()
    return {n: f / len(x) for n, f in fisher.items()}
