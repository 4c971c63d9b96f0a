"""DER++: Buzzega et al., Dark Experience for General Continual Learning, NeurIPS 2020 (arXiv 2004.07211)."""
from approaches import base, der
from approaches.hyper import Hyper


class Appr(der.Appr):
    """DER, and beta * the loss of further replayed samples under their labels (Eq. 6); the two batches are
    drawn independently."""

    family = 'replay'
    hyperparameters = (der.Appr.hyperparameters[0],
                       Hyper('beta', float, 0.5, (.1, .5, 1), 'weight of the labels', 'Eq. 6', least=0),
                       *der.Appr.hyperparameters[1:])

    def replayed(self, batch):
        more = self.drawn(batch)
        return super().replayed(batch) + self.beta * base.Appr.loss(self, more) if more is not None else 0
