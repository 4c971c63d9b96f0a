"""HAT, EWC, LwF and SGD as they are stated, and nothing else: autograd over the whole network, one batch after another.

Shares no code with approaches/ and networks/, and draws the same random numbers in the same order.
"""
from copy import deepcopy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """An MLP of len(widths) layers or, if conv, three convolutions and two fully connected layers, of so many units or
    maps each; gated: with HAT's embeddings."""

    def __init__(self, size, taskcla, widths, conv, gated):
        super().__init__()
        below, side = size[:2]
        kernels = [side // 8, side // 10, 2] if conv else []
        self.pdrop = [.2, .2, .5, .5, .5] if conv else [.5] * len(widths)
        self.pdrop_input = .2 if gated and not conv else 0.
        self.hidden, self.e = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(widths):
            if i < len(kernels):
                self.hidden.append(nn.Conv2d(below, width, kernels[i]))
                side = (side - kernels[i] + 1) // 2
            else:
                self.hidden.append(nn.Linear(below * side ** 2, width))
                side = 1
            if gated and not conv:
                self.e.append(nn.Embedding(len(taskcla), width))
            below = width
        self.last = nn.ModuleList(nn.Linear(below, ncla) for _, ncla in taskcla)
        if gated and conv:
            self.e.extend(nn.Embedding(len(taskcla), width) for width in widths)

    def masks(self, t, s):
        """Attention of task t at steepness s: a list of [units]; empty if there are no gates."""
        return [torch.sigmoid(s * e.weight[t]) for e in self.e]

    def forward(self, x, masks=()):
        """Logits of all tasks, a list of [B, classes], of images x [B,C,H,W]."""
        h = F.dropout(x, self.pdrop_input, self.training)
        for i, layer in enumerate(self.hidden):
            conv = isinstance(layer, nn.Conv2d)
            h = F.dropout(F.relu(layer(h if conv else h.flatten(1))), self.pdrop[i], self.training)
            h = F.max_pool2d(h, 2) if conv else h
            h = h * masks[i].view(-1, *[1] * (h.dim() - 2)) if masks else h
        return [head(h) for head in self.last]


class SGD:
    """Fine-tuning: the loop, and what is left without a regulariser. train() and eval() are called as an Appr's."""

    smax = 1.

    def __init__(self, net, nepochs, sbatch, lr, lr_min, lr_patience, clipgrad, **hyper):
        self.net = net
        self.nepochs, self.sbatch, self.clipgrad = nepochs, sbatch, clipgrad
        self.lr, self.lr_min, self.lr_patience = lr, lr_min, lr_patience
        self.__dict__.update(hyper)

    def regulariser(self, t, x, outputs, masks):
        """What is added to the cross-entropy."""
        return 0.

    def change_gradients(self, t, s):
        """What happens between backward and clipping."""

    def end_task(self, t, x, y):
        """What is kept of a task, once the best weights are back."""

    def loss(self, t, x, y, s):
        """(whole criterion, task t's logits) of a batch."""
        masks = self.net.masks(t, s)
        outputs = self.net(x, masks)
        return F.cross_entropy(outputs[t], y) + self.regulariser(t, x, outputs, masks), outputs[t]

    def train(self, t, x, y, xvalid, yvalid):
        """Learns task t."""
        lr, patience, best = self.lr, self.lr_patience, np.inf
        weights, optimizer = deepcopy(self.net.state_dict()), torch.optim.SGD(self.net.parameters(), lr=lr)
        for _ in range(self.nepochs):
            self.train_epoch(t, x, y, optimizer)
            loss, _ = self.eval(t, xvalid, yvalid)
            if not np.isfinite(loss):
                return  # what follows is not finite either: that tells
            if loss < best:
                best, weights, patience = loss, deepcopy(self.net.state_dict()), self.lr_patience
                continue
            patience -= 1
            if patience == 0:
                lr, patience = lr / 3, self.lr_patience
                if lr < self.lr_min:
                    break
                optimizer = torch.optim.SGD(self.net.parameters(), lr=lr)
        self.net.load_state_dict(weights)
        self.end_task(t, x, y)

    def train_epoch(self, t, x, y, optimizer):
        """One pass over the training set."""
        self.net.train()
        r = np.arange(len(x))
        np.random.shuffle(r)
        for i in range(0, len(x), self.sbatch):
            s = (self.smax - 1 / self.smax) * i / len(x) + 1 / self.smax
            b = torch.from_numpy(r[i:i + self.sbatch])
            optimizer.zero_grad()
            self.loss(t, x[b], y[b], s)[0].backward()
            self.change_gradients(t, s)
            nn.utils.clip_grad_norm_(self.net.parameters(), self.clipgrad)
            optimizer.step()
            for e in self.net.e:
                e.weight.data.clamp_(-6, 6)

    def eval(self, t, x, y):
        """(whole criterion, accuracy)."""
        self.net.eval()
        with torch.no_grad():
            loss, output = self.loss(t, x, y, self.smax)
        return loss.item(), (output.argmax(1) == y).float().mean().item()


class HAT(SGD):
    """lamb, smax."""

    mpre = None

    def regulariser(self, t, x, outputs, masks):
        """lamb * R."""
        free = [1 - m for m in self.mpre or [torch.zeros_like(m) for m in masks]]
        return self.lamb * sum((m * f).sum() for m, f in zip(masks, free)) / sum(f.sum() for f in free).clamp(min=1e-30)

    def change_gradients(self, t, s):
        """Protection of what earlier tasks use, and compensation of the embeddings' gradients for s."""
        below = torch.ones(1)
        for layer, m in zip(self.net.hidden, self.mpre or ()):
            w = layer.weight
            pre = below.repeat_interleave(w.shape[1] // len(below))  # a map's mask counts for all its positions
            w.grad *= 1 - torch.min(m[:, None], pre).view(len(m), -1, *[1] * (w.dim() - 2))
            layer.bias.grad *= 1 - m
            below = m
        for e in self.net.e:
            w = e.weight.detach()
            e.weight.grad *= self.smax / s * (torch.cosh(torch.clamp(s * w, -50, 50)) + 1) / (torch.cosh(w) + 1)

    def end_task(self, t, x, y):
        """The cumulative masks."""
        masks = [m.detach() for m in self.net.masks(t, self.smax)]
        self.mpre = [torch.max(p, m) for p, m in zip(self.mpre, masks)] if self.mpre else masks


class EWC(SGD):
    """lamb."""

    def regulariser(self, t, x, outputs, masks):
        """lamb / 2 * sum of F * (theta - theta_old)^2."""
        return 0. if t == 0 else self.lamb / 2 * sum(
            (f * (p - old).pow(2)).sum() for p, old, f in zip(self.net.parameters(), self.old, self.fisher))

    def end_task(self, t, x, y):
        """The old weights, and F averaged over the tasks: squared gradients of batches of 20, with dropout."""
        self.old = [p.detach().clone() for p in self.net.parameters()]
        total = [torch.zeros_like(p) for p in self.old]
        self.net.train()
        for i in range(0, len(x), 20):
            self.net.zero_grad()
            F.cross_entropy(self.net(x[i:i + 20])[t], y[i:i + 20]).backward()
            for f, p in zip(total, self.net.parameters()):
                f += 0. if p.grad is None else 20 * p.grad.pow(2)
        before = self.fisher if t > 0 else [0.] * len(total)
        self.fisher = [(f / len(x) + b * t) / (t + 1) for f, b in zip(total, before)]


class LWF(SGD):
    """lamb, T."""

    def soften(self, logits):
        """Probabilities to the power 1/T, renormalised."""
        p = torch.softmax(logits, 1).pow(1 / self.T)
        return p / p.sum(1, keepdim=True)

    def regulariser(self, t, x, outputs, masks):
        """lamb * the distillation cross-entropies of the old heads."""
        total = 0.
        for u in range(t):
            with torch.no_grad():
                target = self.soften(self.old(x)[u])
            q = self.soften(outputs[u]) + 1e-5 / target.shape[1]
            total -= (target * (q / q.sum(1, keepdim=True)).log()).sum(1).mean()
        return self.lamb * total

    def end_task(self, t, x, y):
        """The old model."""
        self.old = deepcopy(self.net).eval()


LEARNERS = {'hat': HAT, 'ewc': EWC, 'lwf': LWF, 'sgd': SGD}
