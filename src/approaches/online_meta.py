"""Online meta-learning: Gupta, Yadav & Paull, La-MAML: Look-ahead Meta Learning for Continual Learning,
NeurIPS 2020 (arXiv 2007.13904): C-MAML, Sync La-MAML and La-MAML."""
import torch
from torch.nn.utils import clip_grad_norm_

from approaches import replay
from approaches.hyper import Hyper
from learning.shadow import Shadow


class Appr(replay.Replay):
    """Fast weights take a step on each sample of the batch, theta' = theta' - max(0, alpha) * g; the mean
    over these steps of the loss on the batch and replayed samples is what theta and the rates alpha, one per
    weight, descend on (Alg. 1).

    mode cmaml: alpha is fixed, theta descends with --lr; sync: alpha is learnt too; lamaml: theta descends
    with the new max(0, alpha) in place of --lr. In the inner steps, rates below 0 count as 0, as in the
    authors' code for MNIST. Meant for small --sbatch (10).
    """

    family = 'meta-learning'
    hyperparameters = (
        Hyper('mode', str, 'lamaml', help='which of the three', choices=('cmaml', 'sync', 'lamaml'),
              positional=False),
        Hyper('alpha', float, 0.03, (.03, .1, .15), 'rates of the inner steps, at first; the paper has '
              '0.03 to 0.15 on 2 x 100 units', 'Section 4', above=0),
        Hyper('opt_lr', float, 0.3, (.1, .3), 'learning rate of these rates', 'Section 4, eta', least=0),
        Hyper('second_order', int, 0, help='1: through the inner gradients', least=0, most=1,
              positional=False),
        Hyper('glances', int, 1, (1, 5, 10), 'steps on every batch', least=1, most=1000, positional=False),
        Hyper('clip', float, 2., help='largest norm of either gradient', above=0, positional=False),
        *replay.Replay.hyperparameters,
    )
    cannot = {'optimizer': 'its step is the method'}
    clipgrad = 1e30  # gradients have been clipped before
    left = 0  # glances that are left of the batch

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rates = {n: torch.full_like(p, self.alpha) for n, p in self.params().items()}

    def loss(self, batch):
        """In training the meta-loss."""
        if not self.model.training:
            return super().loss(batch)
        more = self.drawn(batch) if batch.task > 0 else None
        whole, loss, fast = batch if more is None else batch + more, 0, self.params()
        for rate in self.rates.values():
            rate.requires_grad_(self.mode != 'cmaml').grad = None
        for i in range(len(batch)):
            with self.under(Shadow(self.model, fast)):
                inner = super().loss(batch[i:i + 1])
            found = torch.autograd.grad(inner, fast.values(), create_graph=bool(self.second_order), retain_graph=True,
                                        allow_unused=True)
            steps = {n: g for n, g in zip(fast, found) if g is not None}
            fast = {n: p - self.rates[n].relu() * steps[n] if n in steps else p for n, p in fast.items()}
            with self.under(Shadow(self.model, fast)):
                loss = loss + super().loss(whole) / len(batch)
        return loss

    def after_backward(self, batch):
        """Clips both gradients; steps the rates; La-MAML's step has the new rates in place of the learning
        rate."""
        params = {n: p for n, p in self.params().items() if p.grad is not None}
        clip_grad_norm_(params.values(), self.clip)
        rates = [r for r in self.rates.values() if r.grad is not None]
        if rates:
            clip_grad_norm_(rates, self.clip)
        for n, rate in self.rates.items():
            g, rate.grad = rate.grad, None
            rate.requires_grad_(False)
            if g is not None:
                rate.sub_(self.opt_lr * g)
            if self.mode == 'lamaml' and n in params:
                params[n].grad.mul_(rate.relu() / self.optimizer.param_groups[0]['lr'])

    def after_step(self, batch):
        """Further glances at the batch; then it is offered to the buffer."""
        if self.left:
            return
        for self.left in range(self.glances - 1, 0, -1):
            with torch.enable_grad():
                self.step(batch)
        self.left = 0
        super().after_step(batch)
