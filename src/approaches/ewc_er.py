"""EWC and experience replay together: the loss of the one and the penalty of the other; no paper's own."""
from approaches import er, ewc


class Appr(er.Appr, ewc.Appr):
    """Cross-entropy of the batch and the replayed samples + EWC's penalty on all weights, heads included.
    The Fisher information is that of the task's own data, computed before they enter a buffer that waits
    for the end of the task."""

    family = 'replay'
    replays = True
    hyperparameters = (*ewc.Appr.hyperparameters, *er.Appr.hyperparameters)
    clipgrad = ewc.Appr.clipgrad
