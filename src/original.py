"""Helpers that the original's utils.py had, under its names and for any device: utils hands them on to
approaches that were written for its layout."""
import csv
import functools
import inspect
import math
import os
import random
import sys
from argparse import Namespace
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import utils
from utils import UserError

NAMES = ('compute_conv_output_size', 'fisher_matrix_diag', 'cross_entropy', 'set_req_grad',
         'compute_mean_std_dataset', 'logger', 'device', 'deepcopy', 'torch', 'nn', 'tqdm', 'random')
ALL = (*NAMES, 'os', 'sys', 'np', 'math', 'get_model', 'set_model_', 'freeze_model', 'human_format',
       'is_number', 'print_model_report', 'print_optimizer_config')  # what `from utils import *` brings


@functools.cache
def get_args():
    """Return the args of the run: one namespace in a process, which run.py fills before it imports an
    approach."""
    return Namespace()


def device():
    """Return the device of the run, the CPU where there is none."""
    return getattr(get_args(), 'device', torch.device('cpu'))


class logger:
    """A table of which each epoch adds a row, <path>/<file_name>.csv; the path is relative to the working
    folder."""

    def __init__(self, file_name='log', resume=False, path='./result_data/csvdata/', data_format='csv'):
        if data_format != 'csv':
            raise UserError('utils.logger writes data_format=\'csv\', not %r' % data_format)
        self.data_path, self.log = Path(path) / ('%s.csv' % file_name), []
        if resume and self.data_path.exists():
            self.load()

    def add(self, **row):
        """Add a row, {column: value}."""
        self.log.append(row)

    def save(self):
        """Write the table, of all columns that a row has had."""
        self.data_path.parent.mkdir(parents=True, exist_ok=True)
        columns = list(dict.fromkeys(name for row in self.log for name in row))
        with utils.replacing(self.data_path) as f:
            table = csv.DictWriter(f, columns, lineterminator='\n')
            table.writeheader()
            table.writerows(self.log)

    def load(self, path=None):
        """Read the rows of a table, as texts."""
        with open(path or self.data_path, newline='', encoding='utf-8') as f:
            self.log = list(csv.DictReader(f))


def compute_conv_output_size(Lin, kernel_size, stride=1, padding=0, dilation=1):
    """Side of a convolution's output for inputs of side Lin."""
    return (Lin + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def fisher_matrix_diag(t, x, y, model, criterion, sbatch=20, split=None, pass_t=False, drop_last_batch=False):
    """Return {parameter's name: F} of task t on x [N,...], y [N]: the mean over batches of sbatch * (gradient
    of the mean loss)^2, in training mode.

    criterion: of (t, output, targets), or a forward pass to the loss that takes model and, by name, t, tt
    [1], b (the samples' indices), x, y; split: whether the network has a head for each task, None to find
    out; pass_t: whether it is called with (t, images). Raises UserError for a forward pass that takes more.
    """
    device, count = next(model.parameters()).device, len(x) - len(x) % sbatch * drop_last_batch
    names = list(inspect.signature(criterion).parameters) if callable(criterion) else []
    if 'model' in names:
        there = {'model': model, 't': t, 'tt': torch.tensor([t], device=device), 'x': x.to(device),
                 'y': y.to(device)}
        unknown = [name for name in names if name not in (*there, 'b')]
        if unknown:
            raise UserError('utils.fisher_matrix_diag: the forward pass takes %s, expected model, t, tt, b, '
                            'x, y' % ', '.join(unknown))

    def loss(b):
        if 'model' in names:
            given = {**there, 'b': b.to(device)}
            return criterion(*(given[name] for name in names))
        images, targets = x[b].to(device), y[b].to(device)
        output = model(t, images) if pass_t else model(images)
        heads = isinstance(output, (list, tuple)) if split is None else split
        return criterion(t, output[t] if heads else output, targets)

    model.train()
    batches = torch.arange(count).split(sbatch)
    return {n: f / len(x) for n, f in squares(model, (loss(b) for b in batches), sbatch).items()}


def squares(model, losses, weight):
    """{parameter's name: the sum over some losses, each made when it is its turn, of weight * the squared
    gradient}."""
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
    """Cross-entropy between the softened probabilities of two logits [B, classes], the mean over the batch
    or, without size_average, of each sample [B] (Li & Hoiem, 2016, Eq. 2-3, with exp = 1/T).

    Probabilities are raised to exp and renormalised, by way of their logits: the gradient of p^exp, as the
    original has it, is infinite at 0. eps keeps the logarithm finite.
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
