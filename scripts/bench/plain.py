"""What bench.py compares with: each step and evaluation as the original states it, in straightforward PyTorch (a), and
the matrix products and convolutions of a step alone, with one update of the weights (c)."""
import torch
from torch import nn
from torch.nn import functional as F

CONVS = ((64, 4, 0.2), (128, 3, 0.2), (256, 2, 0.5))


class Plain(nn.Module):
    """mlp (784-800-800-800), mlp_hat (784-2000-2000) or one of the alexnets, all heads computed."""

    def __init__(self, conv, hat, ntasks=10, ncla=10):
        super().__init__()
        self.hat, self.layers, self.drops = hat, nn.ModuleList(), []
        below = 3 if conv else 784
        for width, kernel, p in CONVS if conv else ():
            self.layers.append(nn.Conv2d(below, width, kernel))
            self.drops.append(p)
            below = width
        below = 256 * 4 if conv else below
        for width in (2048, 2048) if conv else (2000, 2000) if hat else (800, 800, 800):
            self.layers.append(nn.Linear(below, width))
            self.drops.append(0.5)
            below = width
        self.heads = nn.ModuleList(nn.Linear(below, ncla) for _ in range(ntasks))
        self.input = 0.2 if hat and not conv else 0.
        self.e = nn.ModuleList(nn.Embedding(ntasks, len(layer.bias)) for layer in self.layers) if hat else []

    def forward(self, x, t, s):
        masks = [torch.sigmoid(s * e(t)) for e in self.e]
        h = F.dropout(x, self.input, self.training) if self.input else x
        for i, (layer, p) in enumerate(zip(self.layers, self.drops)):
            conv = isinstance(layer, nn.Conv2d)
            h = F.dropout(F.relu(layer(h if conv else h.flatten(1))), p, self.training)
            h = F.max_pool2d(h, 2) if conv else h
            h = h * masks[i].view(1, -1, *[1] * (h.dim() - 2)) if self.hat else h
        return [head(h) for head in self.heads], masks


class Trainer:
    """sgd, hat or ewc on one of them; from the second task on if second, with random masks or Fisher diagonals."""

    def __init__(self, conv, method, second, device='cpu', lamb=0.75, smax=400., lr=0.05, clip=10000.):
        self.net = Plain(conv, method == 'hat').to(device)
        self.method, self.lamb, self.smax = method, lamb, smax
        self.clip, self.optimizer = (100. if method == 'ewc' else clip), torch.optim.SGD(self.net.parameters(), lr=lr)
        self.t = torch.tensor([int(second)], device=device)
        self.pre = self.back = self.old = None
        if second and method == 'ewc':
            self.old = {n: p.detach().clone() for n, p in self.net.named_parameters()}
            self.fisher = {n: 1e-6 * torch.rand_like(p) for n, p in self.net.named_parameters()}
        if second and method == 'hat':
            self.protect([(torch.rand(1, len(layer.bias), device=device) < 0.4).float() for layer in self.net.layers])

    def protect(self, masks):
        """Keeps what is attended to by these cumulative masks."""
        self.pre, self.back = masks, {}
        for i, layer in enumerate(self.net.layers):
            post = self.pre[i].view(-1, *[1] * (layer.weight.dim() - 1)).expand_as(layer.weight)
            if i > 0:
                before = self.pre[i - 1].view(-1).repeat_interleave(layer.weight.shape[1] // self.pre[i - 1].numel())
                post = torch.min(post, before.view(1, -1, *[1] * (layer.weight.dim() - 2)).expand_as(layer.weight))
            self.back['layers.%d.weight' % i], self.back['layers.%d.bias' % i] = 1 - post, 1 - self.pre[i].view(-1)

    def finish(self, t):
        """Ends HAT's task t."""
        masks = [torch.sigmoid(self.smax * e(self.t)).detach() for e in self.net.e]
        self.protect(masks if self.pre is None else [torch.max(p, m) for p, m in zip(self.pre, masks)])
        self.t = self.t + 1

    def loss(self, outputs, masks, y):
        loss = F.cross_entropy(outputs[self.t], y)
        if self.method == 'hat':
            free = [1 - m for m in self.pre] if self.pre else [torch.ones_like(m) for m in masks]
            loss = loss + self.lamb * sum((m * f).sum() for m, f in zip(masks, free)) / sum(f.sum() for f in free)
        if self.old:
            loss = loss + 5000 * sum((self.fisher[n] * (p - self.old[n]).pow(2)).sum() / 2
                                     for n, p in self.net.named_parameters())
        return loss

    def step(self, x, y, progress):
        """One training step on a batch."""
        self.net.train()
        s = (self.smax - 1 / self.smax) * progress + 1 / self.smax
        outputs, masks = self.net(x, self.t, s)
        loss = self.loss(outputs, masks, y)
        self.optimizer.zero_grad()
        loss.backward()
        if self.back:
            for n, p in self.net.named_parameters():
                if n in self.back:
                    p.grad.data *= self.back[n]
        for e in self.net.e:
            num = torch.cosh(torch.clamp(s * e.weight.data, -50, 50)) + 1
            e.weight.grad.data *= self.smax / s * num / (torch.cosh(e.weight.data) + 1)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.optimizer.step()
        for e in self.net.e:
            e.weight.data = torch.clamp(e.weight.data, -6, 6)

    def evaluate(self, x, y, sbatch=64):
        """Loss and accuracy, batch by batch."""
        self.net.eval()
        total = hits = 0
        with torch.no_grad():
            for i in range(0, len(x), sbatch):
                outputs, masks = self.net(x[i:i + sbatch], self.t, self.smax)
                b = y[i:i + sbatch]
                total += self.loss(outputs, masks, b).item() * len(b)
                hits += (outputs[self.t].max(1)[1] == b).float().sum().item()
        return total / len(x), hits / len(x)


class Floor:
    """The products of a step: forward, backward for inputs (but the first) and weights, and p -= lr * gradient."""

    def __init__(self, trainer, sbatch=64):
        net = trainer.net
        self.head, self.layers = net.heads[0], [*net.layers, net.heads[0]]
        size = (3, 32, 32) if isinstance(net.layers[0], nn.Conv2d) else (784,)
        h = torch.randn(sbatch, *size, device=trainer.t.device)
        self.inputs, self.outputs = [], []
        for layer in self.layers:
            h = h if isinstance(layer, nn.Conv2d) else h.flatten(1)
            self.inputs.append(torch.randn_like(h))
            h = layer(h).detach()
            self.outputs.append(torch.randn_like(h) * 1e-6)
            h = F.max_pool2d(h, 2) if isinstance(layer, nn.Conv2d) else h

    def step(self, forward_only=False):
        """All of them once."""
        with torch.no_grad():
            for layer, x in zip(self.layers, self.inputs):
                layer(x)
            if forward_only:
                return
            for i in reversed(range(len(self.layers))):
                layer, x, d = self.layers[i], self.inputs[i], self.outputs[i]
                if isinstance(layer, nn.Conv2d):
                    g = torch.ops.aten.convolution_backward(
                        d, x, layer.weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [i > 0, True, False])[1]
                else:
                    if i > 0:
                        d @ layer.weight
                    g = d.t() @ x
                layer.weight.sub_(g, alpha=1e-9)
