"""Whatever comes in at the parsers and as files, it either works or is refused by a UserError of one line."""
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import utils
import work
from dataloaders import common, raw
from results import collect, records
from runs import launch, options, plan
from utils import UserError

SMALL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(max_size=40) | st.text('0123456789,.-+einfa=', max_size=30)
APPROACHES = {a: utils.load('approaches', a).Appr for a in ('hat', 'hat-test', 'ewc', 'sgd', 'pathnet')}


def tried(function, *args):
    """The function's result, or None if it refused with a UserError."""
    try:
        return function(*args)
    except UserError as e:
        assert str(e)
        return None


@SMALL
@given(st.sampled_from(sorted(APPROACHES)), TEXT)
def test_parameter(approach, text):
    found = tried(APPROACHES[approach].resolve, text or ',', {})
    if found:
        for h in APPROACHES[approach].hyperparameters:
            assert isinstance(found[0][h.name], h.type)
            assert h.type is str or math.isfinite(found[0][h.name])


@SMALL
@given(TEXT)
def test_tasks(text):
    names = ['a', 'b', '7', 'mnist-0-4']
    found = tried(common.numbers, names, text)
    assert found is None or (found and len(set(found)) == len(found) and all(0 <= i < 4 for i in found))


@SMALL
@given(TEXT)
def test_seeds(text):
    found = tried(launch.seeds, text)
    assert found is None or (found and len(set(found)) == len(found) and min(found) >= 0)


@SMALL
@given(st.lists(TEXT | st.builds('lamb={}'.format, TEXT) | st.builds('smax={}'.format, TEXT), min_size=1, max_size=3))
def test_grid(parts):
    found = tried(work.grid, APPROACHES['hat'].hyperparameters, parts)
    assert found is None or all(v for v in found.values())


@SMALL
@given(st.lists(st.sampled_from(['--experiment', 'glyphs', '--approach', 'hat', '--lamb', '--lr', '--tasks', '--parameter',
                                 '--seed', '--', '-1', '']) | TEXT, max_size=8))
def test_command_lines(argv):
    try:
        tried(options.parse, [w for w in argv if w not in ('-h', '--help')])
    except SystemExit as e:  # an abbreviation of --help
        assert e.code == 0


@SMALL
@given(st.binary(max_size=200) | st.builds(lambda b: b'PK\x03\x04' + b, st.binary(max_size=100)))
def test_npz_of_any_bytes(tmp_path, content):
    (tmp_path / 'mnist.npz').write_bytes(content)
    assert tried(raw.load, 'mnist', tmp_path) is None


ARRAY = st.builds(lambda shape, kind, value: np.full(shape, value, kind), st.lists(st.integers(0, 30), max_size=4),
                  st.sampled_from(['u1', 'i8', 'f4', 'bool', 'U3']), st.integers(0, 12))


@SMALL
@given(st.dictionaries(st.sampled_from(raw.ARRAYS), ARRAY, max_size=4))
def test_npz_of_any_arrays(tmp_path, arrays):
    np.savez(tmp_path / 'mnist.npz', **arrays)
    tried(raw.load, 'mnist', tmp_path)


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3), max_leaves=8)
KEYS = ('status', 'config', 'command', 'tasks', 'accuracy', 'seconds', 'valid_accuracy')


@SMALL
@given(TEXT, st.one_of(JSON, st.fixed_dictionaries({}, optional={k: JSON for k in KEYS}),
                       st.fixed_dictionaries({k: JSON for k in KEYS}).map(lambda r: {
                           **r, 'config': {'experiment': 'glyphs', 'approach': 'sgd'}, 'status': 'finished',
                           'command': ['src/run.py']})))
def test_results_and_records(tmp_path, text, record):
    (tmp_path / 'glyphs_sgd_0.txt').write_text(text)
    (tmp_path / 'glyphs_sgd_0.json').write_text(json.dumps(record))
    tried(records.read_record, tmp_path / 'glyphs_sgd_0.txt')
    tried(collect.collect, 'glyphs', ['sgd'], [tmp_path])
    run = plan.Run(['--experiment', 'glyphs', '--approach', 'sgd', '--output', str(tmp_path / 'glyphs_sgd_0.txt')])
    assert run.status() in ('other', 'unfinished', 'finished') and plan.estimate([run], tmp_path)


@pytest.mark.parametrize('text', ['9' * 5000, '0-' + '9' * 5000, '[' * 10 ** 5, '\x00', '１', '1_0', '-' * 100])
def test_what_broke_parsers_before(text, tmp_path):
    tried(launch.seeds, text), tried(common.numbers, ['a'], text)
    tried(APPROACHES['ewc'].resolve, text, {}), tried(work.grid, APPROACHES['hat'].hyperparameters, ['lamb=' + text])
    assert tried(options.parse, ['--experiment', 'glyphs', '--approach', 'sgd', '--nepochs', text]) is None
    (tmp_path / 'x.json').write_text(text)
    assert tried(records.read_record, tmp_path / 'x.txt') is None
