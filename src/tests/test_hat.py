"""HAT's mechanism."""
import warnings

import numpy as np
import pytest
import torch

import utils
from approaches import hat
from networks import alexnet_hat, mlp_hat
from synthetic import tasks


@pytest.mark.parametrize('network, size', [(mlp_hat, [1, 6, 6]), (alexnet_hat, [3, 32, 32])])
def test_views_are_the_minimum_of_the_masks_of_the_units_a_weight_joins(network, size):
    torch.manual_seed(0)
    net = network.Net(size, [(0, 3), (1, 4)])
    masks = [m.detach() for m in net.mask(torch.tensor([1]), s=2)]
    assert [m.shape for m in masks] == [(1, layer.width) for layer in net.layers]
    for n, p in net.named_parameters():
        view = net.get_view_for(n, masks)
        if n.startswith(('last', 'e')):
            assert view is None
            continue
        i = [layer.name for layer in net.layers].index(n.split('.')[0])
        view, post = view.expand_as(p), masks[i].flatten()
        for _ in range(20):
            index = tuple(np.random.RandomState(_).randint(d) for d in p.shape)
            expected = post[index[0]]
            if n.endswith('weight') and i > 0:  # inputs of a layer above maps come map by map
                pre = masks[i - 1].flatten()
                expected = min(expected, pre[index[1] // (p.shape[1] // len(pre))])
            assert view[index] == expected


def train(appr, data, t):
    """One task's training."""
    appr.train(t, *(data[t][s][k] for s in ('train', 'valid') for k in 'xy'))


def test_capacity_used_up_gives_no_nan_and_one_warning(capsys):
    data, taskcla, size = tasks('mlp')
    utils.seed_everything(0)
    appr = hat.Appr(mlp_hat.Net(size, taskcla, nhid=50), nepochs=1, lr=0.1)
    with torch.no_grad():
        for e in appr.model.embeddings():
            e[0] = 6.
    with pytest.warns(UserWarning, match='every unit is taken'):
        train(appr, data, 0)
    assert all((m == 1).all() for m in appr.mask_pre)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        train(appr, data, 1)
    loss, acc = appr.eval(1, data[1]['test']['x'], data[1]['test']['y'])
    assert np.isfinite(loss) and appr.reg == 0


def test_embeddings_stay_within_reach_and_the_optimizer_has_neither_momentum_nor_decay(capsys):
    data, taskcla, size = tasks('mlp')
    appr = hat.Appr(mlp_hat.Net(size, taskcla, nhid=50), nepochs=2, lr=1e3, clipgrad=1e9)
    try:
        train(appr, data, 0)
    except utils.UserError:
        pass
    assert all(e.abs().max() <= 6 for e in appr.model.embeddings())
    assert appr.optimizer.param_groups[0]['momentum'] == appr.optimizer.param_groups[0]['weight_decay'] == 0
