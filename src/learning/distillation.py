"""Losses that keep a network's outputs near those of an older one."""
from copy import deepcopy

import torch
from torch.nn import functional as F

import utils
from original import cross_entropy


def frozen(model):
    """A copy of a network that is no more trained."""
    copy = deepcopy(model).eval()
    utils.freeze_model(copy)
    return copy


def softened(new, old, T):
    """The cross-entropy of logits [B,n] with old ones [B,m], m <= n, at temperature T (Li & Hoiem, 2016,
    Eq. 3). Classes that compete now and did not then have probability 0 there (van de Ven et al., 2022)."""
    padded = F.pad(old, (0, new.shape[1] - old.shape[1]), value=-torch.inf)
    return cross_entropy(new, padded, exp=1 / T)
