"""What HAT can say of its units: the ledger of what each task takes, and which weights nothing is to change."""
import warnings
from collections import Counter

import torch

from engine import normalising
from networks import gated
from results import ledger


class Inspected:
    """Of an approach: has its gated model, smax and the cumulative attentions mask_pre."""

    sharing = None  # names of the layers whose running statistics tasks share, once that is known

    def fit(self, t, *data):
        """As in base; says before the first epoch which running statistics tasks share."""
        if self.sharing is None:
            self.sharing = self.shared_statistics(data[0][:2].to(self.device))
            if self.sharing:
                warnings.warn('HAT: the tasks share the running statistics of %s, which no gate protects: '
                              'later tasks change them, and with them what is said of earlier ones' % (
                                  ', '.join(self.sharing)))
        super().fit(t, *data)

    def shared_statistics(self, x):
        """The names of the normalising layers that images x pass in more than one task."""
        there, uses = normalising.layers(self.model), Counter()
        self.model.eval()
        for u in range(len(gated.embeddings(self.model)[0]) if there else 0):
            with torch.no_grad(), normalising.used(self.model) as names:
                self.model(self.task(u), x)
            uses.update(names)
        return [n for n in there if uses[n + '.running_mean'] > 1]

    def account(self, done):
        """With the ledger of the tasks so far, and the layers whose running statistics they share."""
        shared = {'shared_statistics': self.sharing} if self.sharing else {}
        return {**super().account(done), **shared, 'ledger': self.ledger(done)}

    def ledger(self, done):
        """What each of so many tasks takes of every layer (results.ledger)."""
        masks = [[m.detach().flatten().cpu().numpy() for m in self.model.mask(self.task(t), s=self.smax)] for t in range(done)]
        return ledger.entries(masks, self.model.connections() if hasattr(self.model, 'connections') else ())

    def report(self):
        """The ledger."""
        layers = getattr(self.model, 'layers', ())
        names = [row.name for row in layers] or ['layer %d' % (i + 1) for i in range(len(self.mask_pre))]
        return ledger.lines(self.ledger(self.seen), names)

    def guarded(self):
        """The weights between units that earlier tasks attend to fully."""
        views = {n: self.model.get_view_for(n, self.mask_pre) for n, _ in self.model.named_parameters()}
        return {n: (view == 1).expand_as(p) for (n, p), view in zip(self.model.named_parameters(), views.values()) if view is not None}
