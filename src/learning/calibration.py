"""Logits of tasks made comparable: one temperature and one shift for each, z / T + b, as CLOM has them
(Kim, Esmaeilpour, Xiao & Liu, Continual Learning Based on OOD Detection and Task Masking, CVPR
Workshops 2022). CLOM fits them with samples of old tasks; here there are only those of the task that
has just been learnt, so each is fitted by itself.

The temperature is that of temperature scaling (Guo, Pleiss, Sun & Weinberger, On Calibration of Modern
Neural Networks, ICML 2017): it minimises the cross-entropy of the task's logits, divided by it, on its
validation data. The targets are Platt's (1999), extended to several classes by Laplace's rule, (n + 1)
/ (n + K) for the right one of K classes with n samples and 1 / (n + K) for the others: without, a
network that tells all samples rightly would have none, as any lower temperature were better.

The shift makes the mean log-sum-exp of the logits on the task's validation data 0. What is told by
probabilities alone does not see it, and these are not shifted: they have an upper bound that most
samples of a task reach, and moving it would decide more than they do.
"""
import math

import torch

LEAST, MOST = 1e-3, 1e3  # temperatures; one of these where no other is best
HALVINGS = 60            # of the interval of its logarithm: as exact as float64 has it


def temperature(z, y):
    """Return the temperature of logits [N,K] with labels y [N], a number. The cross-entropy is convex in
    the temperature's inverse, so its derivative, the sum of z (softmax(z / T) - target), changes sign
    once."""
    z, k = z.double().cpu(), z.shape[1]
    right = torch.nn.functional.one_hot(y.cpu(), k).double()
    count = right.sum(0)[y.cpu(), None]
    target = (right * count + 1) / (count + k)
    low, high = math.log(LEAST), math.log(MOST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = (z * ((z / math.exp(middle)).softmax(1) - target)).sum().item()
        low, high = (middle, high) if slope > 0 else (low, middle)
    return math.exp((low + high) / 2)


def fit(z, y):
    """Return (temperature, shift) of a task's logits [N,K] on its validation data with labels y [N]."""
    t = temperature(z, y)
    return t, -(z.double() / t).logsumexp(1).mean().item()
