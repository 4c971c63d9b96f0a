"""Masks and subspaces, wsn and gpm: as public code computes them on tiny inputs (methods2.json), and each its own idea."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from approaches import gpm, wsn
from learning import subspace

CASES = json.loads((Path(__file__).parent / 'methods2.json').read_text())['cases']


def cases(kind):
    """A decorator: the cases of a kind, however many there are."""
    found = [c for c in CASES if c['kind'] == kind]
    return pytest.mark.parametrize('case', found, ids=[c['id'] for c in found])


def tensor(values):
    """As float64."""
    return torch.tensor(values, dtype=torch.float64)


def near(found, expected, case):
    """Whether numbers are those of a case."""
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else found
    return np.allclose(found, expected, rtol=case['tolerance'], atol=case['tolerance'])


@cases('wsn')
def test_the_mask_of_scores_and_its_gradients(case):
    i, out = case['inputs'], case['outputs']['wsn_authors']
    weight, scores = tensor(i['weight']).requires_grad_(), tensor(i['scores']).requires_grad_()
    mask = wsn.best(scores, i['sparsity'])
    assert mask.tolist() == out['mask'] and int(mask.sum()) == out['kept']
    assert near(scores.abs()[mask].min(), out['threshold'], case)
    found = F.linear(tensor(i['x']), weight * wsn.through(scores, i['sparsity']))
    assert near(found, out['output'], case)
    (found * tensor(i['upstream'])).sum().backward()
    assert near(weight.grad, out['grad_weight'], case) and near(scores.grad, out['grad_scores'], case)


@cases('gpm')
def test_the_bases_of_tasks_one_after_another(case):
    i, out = case['inputs'], case['outputs']['gpm_authors']
    features = [len(r) for r in i['representations'][0]]
    bases = [torch.zeros(f, 0, dtype=torch.float64) for f in features]
    for t, layers in enumerate(i['representations']):
        for n, (r, threshold, g) in enumerate(zip(layers, i['thresholds'], i['grads'])):
            bases[n] = subspace.grown(bases[n], tensor(r), threshold, short=t == 0)
            assert bases[n].shape[1] == out['number_of_bases'][t][n]
            assert near(bases[n] @ bases[n].t(), out['projections'][t][n], case)
            assert near(subspace.outside(tensor(g), bases[n]), out['projected_gradients'][t][n], case)
