"""What HAT can say of its units: the ledger of what each task takes, and which weights nothing is to change."""
from results import ledger


class Inspected:
    """Of an approach: has its gated model, smax and the cumulative attentions mask_pre."""

    def account(self, done):
        """With the ledger of the tasks so far."""
        return {**super().account(done), 'ledger': self.ledger(done)}

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
