"""The part of a gated network that is run computes what the whole network does, whichever units are off."""
import numpy as np
import pytest
import torch

import fast
import utils
from approaches import hat
from networks import alexnet_hat, mlp_hat
from synthetic import tasks

SIZES = {'mlp': ([1, 28, 28], mlp_hat), 'conv': ([3, 32, 32], alexnet_hat)}
SMAX, LAMB = 400., .75
OFF = (0, 1, 7, 15, 16, 17, -1)  # units of a layer that are off; -1: all but one


def make(kind, rs, off):
    """HAT on a small network with so many units of each layer off for both tasks, at random places."""
    size, module = SIZES[kind]
    torch.manual_seed(rs.randint(1000))
    net = module.Net(size, [(0, 5), (1, 4)], **({'nhid': 48} if kind == 'mlp' else {}))
    for e in net.embeddings():
        for t in (0, 1):
            n = len(e[t])
            values = rs.uniform(-.02, .02, n)  # attention between 0 and 1 at full steepness
            values[rs.rand(n) < .3] = 3.
            values[rs.permutation(n)[:off % n]] = -3.
            e.data[t] = torch.tensor(values)
    appr = hat.Appr(net, lamb=LAMB, smax=SMAX)
    appr.configure(wing=fast.of(appr))
    return appr, torch.tensor(rs.randn(20, *size), dtype=torch.float32), torch.tensor(rs.randint(0, 4, 20))


def whole(appr, t, x, y, s):
    """(loss, R, logits) of the whole network, as the paper has them."""
    outputs, masks = appr.model(torch.tensor([t]), x, s=s)
    free = [torch.ones_like(m) for m in masks] if appr.mask_pre is None else [1 - m for m in appr.mask_pre]
    reg = sum((m * f).sum() for m, f in zip(masks, free)) / sum(f.sum() for f in free)
    return torch.nn.functional.cross_entropy(outputs[t], y) + LAMB * reg, reg, outputs[t]


@pytest.mark.parametrize('kind, t, off', [
    *(('mlp', t, off) for t in (0, 1) for off in OFF), ('conv', 0, 17), ('conv', 1, 0), ('conv', 1, -1)])
def test_losses_regulariser_and_logits_are_those_of_the_whole_network(kind, t, off):
    rs = np.random.RandomState(100 * t + off % 50)
    for _ in range(2):
        appr, x, y = make(kind, rs, off)
        if t:
            appr.end_task(0, x, y)
        with torch.no_grad():
            appr.model.eval()
            loss, reg, logits = whole(appr, t, x, y, SMAX)
            assert appr.eval(t, x, y)[0] == pytest.approx(loss.item(), abs=2e-6)
            assert appr.reg.item() == pytest.approx(reg.item(), abs=1e-6)

        appr.model.train()  # late in an epoch, when all that will be off is
        appr.configure(progress=1.)
        units = appr.wing.units
        with appr.wing.training(t, 8 * 10 ** 6), torch.no_grad():
            appr.wing.choose(t)
            for part in (appr.wing.part, units.make(t, 400.)):
                torch.manual_seed(3)
                loss, reg, logits = whole(appr, t, x, y, appr.s)
                torch.manual_seed(3)
                output, masks = part(x, appr.s)
                assert appr.wing.loss(part, output, y, masks).item() == pytest.approx(loss.item(), abs=2e-6)
                assert appr.reg.item() == pytest.approx(reg.item(), abs=1e-6)
                assert torch.allclose(output, logits, atol=1e-6)


def test_a_task_s_loss_after_later_ones_is_the_original_s(capsys):
    """The figure was measured with the original."""
    data, taskcla, size = tasks('hard')
    utils.seed_everything(2)
    appr = hat.Appr(mlp_hat.Net(size, taskcla), nepochs=30, lr=.2, lr_patience=1, lamb=4, smax=25)
    appr.train(0, *(data[0][s][k] for s in ('train', 'valid') for k in 'xy'))
    assert appr.eval(0, data[0]['test']['x'], data[0]['test']['y'])[0] == pytest.approx(.168105, abs=.01)
