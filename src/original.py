"""Helpers that the original's utils.py had, under its names and for any device: utils hands them on to approaches that were
written for its layout."""
import torch

NAMES = ('compute_conv_output_size', 'fisher_matrix_diag', 'cross_entropy', 'set_req_grad', 'compute_mean_std_dataset')


def compute_conv_output_size(Lin, kernel_size, stride=1, padding=0, dilation=1):
    """Side of a convolution's output for inputs of side Lin."""
    return (Lin + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def fisher_matrix_diag(t, x, y, model, criterion, sbatch=20):
    """{parameter's name: F} of task t on x [N,...], y [N], with criterion(t, output, targets): the mean over batches of
    sbatch * (gradient of the mean loss)^2, in training mode."""
    device, batches = next(model.parameters()).device, zip(x.split(sbatch), y.split(sbatch))
    model.train()
    found = squares(model, (criterion(t, model(a.to(device))[t], b.to(device)) for a, b in batches), sbatch)
    return {n: f / len(x) for n, f in found.items()}


def squares(model, losses, weight):
    """{parameter's name: the sum over some losses, each made when it is its turn, of weight * the squared gradient}."""
    found = {n: torch.zeros_like(p) for n, p in model.named_parameters()}
    for loss in losses:
        model.zero_grad()
        loss.backward()
        for n, p in model.named_parameters():
            if p.grad is not None:
                found[n].addcmul_(p.grad, p.grad, value=weight)
    model.zero_grad()
    return found


def cross_entropy(outputs, targets, exp=1.0, size_average=True, eps=1e-5):
    """Cross-entropy between the softened probabilities of two logits [B, classes], the mean over the batch or, without
    size_average, of each sample [B] (Li & Hoiem, 2016, Eq. 2-3, with exp = 1/T).

    Probabilities are raised to exp and renormalised, by way of their logits: the gradient of p^exp, as the original has it, is
    infinite at 0. eps keeps the logarithm finite.
    """
    out, tar = (torch.softmax(logits if exp == 1 else logits * exp, 1) for logits in (outputs, targets))
    out = out + eps / out.size(1)
    out = out / out.sum(1, keepdim=True)
    ce = -(tar * out.log()).sum(1)
    return ce.mean() if size_average else ce


def set_req_grad(layer, req_grad):
    """Puts a layer's weight and bias, where it has them, into training or takes them out."""
    for p in (getattr(layer, 'weight', None), getattr(layer, 'bias', None)):
        if p is not None:
            p.requires_grad_(req_grad)


def compute_mean_std_dataset(dataset):
    """(mean, std) per channel, [1,C] each, of a data set of (image [C,H,W], label)."""
    count = total = 0
    for image, _ in dataset:
        count, total = count + image[0].numel(), total + image.double().sum((1, 2))
    mean = total / count
    squares = sum((image.double() - mean[:, None, None]).pow(2).sum((1, 2)) for image, _ in dataset)
    return mean[None].float(), (squares / (count - 1)).sqrt()[None].float()
