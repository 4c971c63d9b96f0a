"""Projecting a gradient so that it does not go against those of earlier tasks."""
import numpy as np
import torch


def gem(g, memories, margin=0.5, eps=1e-3):
    """The gradient nearest to g [p] whose inner product with every row of memories [t,p] is not negative, or
    g itself if that is so already (Lopez-Paz & Ranzato, 2017, Eq. 8-11).

    By the dual: M'v + g with v = argmin 1/2 v'(MM' + eps I)v + (Mg)'v subject to v >= margin, in float64.
    margin: the paper's gamma, as its code has it; 0 is the projection proper. nan where gradients are too
    large for that, which the loss will then show.
    """
    products = memories @ g
    if bool((products >= 0).all()):
        return g
    from scipy.optimize import nnls
    gram = (memories @ memories.t()).double().cpu().numpy()
    gram = (gram + gram.T) / 2 + eps * np.eye(len(gram))
    with np.errstate(invalid='ignore', over='ignore'):
        linear = products.double().cpu().numpy() + gram @ np.full(len(gram), margin)  # in u = v - margin >= 0
    if not (np.isfinite(gram).all() and np.isfinite(linear).all()):
        return torch.full_like(g, torch.nan)
    try:
        lower = np.linalg.cholesky(gram)  # 1/2 u'LL'u + q'u is 1/2 |L'u + L^-1 q|^2 but for a constant
        u, _ = nnls(lower.T, -np.linalg.solve(lower, linear))
    except (np.linalg.LinAlgError, RuntimeError):  # beside such numbers eps is lost in rounding
        return torch.full_like(g, torch.nan)
    return memories.t() @ torch.as_tensor(u + margin, dtype=g.dtype, device=g.device) + g


def agem(gradients, reference, eps=0.):
    """Takes out of gradients, in place, their part against reference gradients, both lists of tensors and
    as if joined to one g and one r: g - (g.r / (r.r + eps)) r if g.r < 0 (Chaudhry et al., 2019, Eq. 11).
    Where an entry of either is None it is 0 and stays so."""
    pairs = [(g, r) for g, r in zip(gradients, reference) if g is not None and r is not None]
    product = sum(g.flatten() @ r.flatten() for g, r in pairs)
    if product < 0:
        share = product / (sum(r.flatten() @ r.flatten() for r in reference if r is not None) + eps)
        for g, r in pairs:
            g.addcmul_(r, share, value=-1)
