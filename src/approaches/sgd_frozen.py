"""Feature extraction: the first task trains the whole network, later ones only their heads."""
from approaches import base


class Appr(base.Appr):
    """Freezes everything but the heads once the first task is learnt (SGD-F in Serrà et al., 2018, Section 4.1)."""

    capturable = True

    def end_task(self, t, x, y):
        """Freezes all layers below the heads."""
        for n, p in self.model.named_parameters():
            p.requires_grad_(n.startswith('last.'))
