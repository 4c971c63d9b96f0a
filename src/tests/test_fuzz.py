"""Whatever comes in at the parsers and as files, it either works or is refused by a UserError of one line."""
import json
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evaluate
import predict
import run
import discovery
import work
from dataloaders import common, raw
from results import collect, records
from PIL import Image
from runs import launch, nodes, options, plan, saved
from test_papers import changed, places
from utils import UserError

SMALL = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(max_size=40) | st.text('0123456789,.-+einfa=', max_size=30)
APPROACHES = {a: discovery.load('approaches', a).Appr for a in ('hat', 'hat-test', 'ewc', 'sgd', 'pathnet')}


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


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    """The result of a run with models, and an image."""
    folder = tmp_path_factory.mktemp('model')
    images, labels = np.random.RandomState(0).randint(0, 256, (24, 6, 6)).astype(np.uint8), np.arange(24) % 4
    np.savez(folder / 'shapes.npz', x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=list('abcd'))
    Image.fromarray(images[0]).save(folder / 'x.png')
    run.main(['--experiment', 'split:shapes:2', '--data-dir', str(folder), '--output', str(folder / 'o.txt'), '--approach', 'hat', '--nepochs',
              '1', '--pad', '1', '--pc-valid', '0', '--save', '--device', 'cpu', '--net', 'nhid=8,nlayers=1'])
    return folder / 'o.txt', folder / 'x.png'


ODD = None, 'x', 0, -1, 2, .5, 1e-320, 2 ** 64, 10 ** 30, float('nan'), True, [], [[1]], {}, {'a': 1}, torch.zeros(3), torch.ones(2, 2).long()


def reads(result, image):
    """Whether evaluate.py and predict.py take a model; what each refuses, it refuses by a UserError."""
    found = [tried(evaluate.main, [str(result)]), tried(predict.main, [str(result), str(image), '--task', '1']),
             tried(predict.main, [str(result), str(image)])]
    return found == [0, 0, 0]


def test_models_that_say_something_else_of_themselves_are_taken_or_refused(model, capsys):
    path = saved.path(model[0], 1)
    whole = path.read_bytes()
    assert reads(*model)
    found, taken, draw = torch.load(path, weights_only=True), [], random.Random(0)
    about = nodes.Reader().value(found['about'], 'it')
    about['tasks'][0]['images']['permutation'] = np.arange(36)
    for where in places(about):
        torch.save({**found, 'about': nodes.Writer().node(changed(about, list(where), draw.choice(ODD)), 'it')}, path)
        if reads(*model):
            taken.append(where)
    path.write_bytes(whole)
    assert set(map(lambda where: where[-1] if where[-1] not in (0, 1, 2) else where[-2], taken)) <= {
        'class_names', 'mean', 'std', 'angle', 'permutation', 'images'}, taken


def test_models_with_other_tensors_are_taken_or_refused(model, capsys):
    path = saved.path(model[0], 1)
    whole, found, draw = path.read_bytes(), torch.load(path, weights_only=True), random.Random(0)
    changes = (lambda v: None, lambda v: 3, lambda v: [v], lambda v: {'a': v}, lambda v: v[:1], lambda v: v.double(), lambda v: v.long(),
               lambda v: v.flatten(), lambda v: v.to_sparse(), lambda v: v.to('meta'), lambda v: v * float('nan'))
    for where in [w for w in places({'model': dict(found['model']), 'approach': found['approach']}) if w]:
        for change in draw.sample(changes, 3):
            old = found
            for key in where:
                old = old[key]
            try:
                new = change(old)
            except (AttributeError, TypeError, KeyError):
                continue
            torch.save(changed({**found, 'model': dict(found['model'])}, list(where), new), path)
            assert reads(*model) == (where[0] == 'model' and isinstance(new, torch.Tensor) and new.shape == old.shape and
                                     new.dtype == old.dtype and new.layout == old.layout and new.device == old.device) or where[0] != 'model'
    path.write_bytes(whole)


def test_models_of_other_bytes_are_taken_or_refused(model, capsys):
    path = saved.path(model[0], 1)
    whole, draw = path.read_bytes(), np.random.RandomState(0)
    for i in draw.randint(0, len(whole), 20):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << draw.randint(8)]) + whole[i + 1:])
        reads(*model)
        path.write_bytes(whole[:i])
        assert not reads(*model)
    path.write_bytes(whole)


@pytest.mark.parametrize('command', [['--help'], ['--lr', '.1'], ['--approach', 'sgd'], []])
def test_a_record_whose_command_is_another_one_is_refused(command, model, capsys):
    path = model[0].with_suffix('.json')
    whole = path.read_text()
    record = json.loads(whole)
    path.write_text(json.dumps({**record, 'command': [*record['command'], *command] if command else []}))
    assert not reads(*model)
    path.write_text(whole)
