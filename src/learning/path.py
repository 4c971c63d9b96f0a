"""How far the loss falls along each weight's way: the path integral of which importances are made."""


def noted(params):
    """Return {name: (gradient, value)} of parameters {name: parameter} that have a gradient, before a step."""
    return {n: (p.grad.clone(), p.clone()) for n, p in params.items() if p.grad is not None}


def add_falls(totals, noted, params):
    """Add -g * (theta_after - theta_before) to totals {name: tensor} once the step is made (Zenke et al., 2017,
    Eq. 3); uses up what was noted."""
    for n, (g, before) in noted.items():
        totals[n].addcmul_(g, before.sub_(params[n]))
