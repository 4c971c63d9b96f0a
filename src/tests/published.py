"""Cases of methods.json and methods2.json, what public code computed on tiny inputs, as tests take them."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

CASES = {name: json.loads((Path(__file__).parent / name).read_text())['cases'] for name in ('methods.json', 'methods2.json')}


def cases(kind, *more, file='methods2.json'):
    """A decorator: the cases of a kind, however many there are, each with each of some values."""
    found = [(c, *m) for c in CASES[file] if c['kind'] == kind for m in more or [()]]
    ids = ['-'.join([c['id'], *(getattr(v, '__name__', str(v)) for v in m)]) for c, *m in found]  # the same in all processes
    return pytest.mark.parametrize('case, value' if more else 'case', found if more else [c for c, in found], ids=ids)


def tensor(values):
    """As float64."""
    return torch.tensor(values, dtype=torch.float64)


def near(found, expected, tolerance):
    """Whether numbers agree as well as a case, or its tolerance, says."""
    tolerance = tolerance['tolerance'] if isinstance(tolerance, dict) else tolerance
    found, expected = (v.detach().numpy() if isinstance(v, torch.Tensor) else v for v in (found, expected))
    return np.allclose(found, expected, rtol=tolerance, atol=tolerance)
