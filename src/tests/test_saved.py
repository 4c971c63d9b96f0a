"""Models that outlive their run: what is kept, that it computes what the run computed, what is refused."""
import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import evaluate
import plot_results
import run
import discovery
import utils
from results import ledger, records
from learning import evaluation
from runs import certificate, launch, saved
from runs.nodes import Writer
from synthetic import said

MORE = {'online-meta': ['--sbatch', '10'], 'packnet': ['--retrain', '1'], 'pathnet': ['--generations', '1'], 'hat-test': ['--logpath', 'LOG'],
        'icarl': ['--scenario', 'class'], 'bic': ['--scenario', 'class'], 'wa': ['--scenario', 'class'], 'gdumb': ['--passes', '2'],
        'dgr': ['--width', '8', '--z', '2']}


def trained(folder, data_dir, approach, *options):
    """The path of a result with saved models."""
    more = [str(folder / 'log.pkz') if o == 'LOG' else o for o in MORE.get(approach, [])]
    net = [] if '--network' in options else ['--net', 'nhid=12,nlayers=2']
    first = [] if '--experiment' in options else ['--experiment', 'smnist', '--tasks', '0,3,1', '--nepochs', '2']
    run.main([*first, '--approach', approach, '--data-dir', str(data_dir), '--device', 'cpu', '--output',
              str(folder / (approach + '.txt')), '--save', *net, *more, *options])
    return folder / (approach + '.txt')


@pytest.fixture(autouse=True)
def tidy(tmp_path):
    """Removes the models afterwards."""
    yield
    shutil.rmtree(utils.ROOT / 'logs' / '+' / str(tmp_path)[1:], ignore_errors=True)


def check(output, data_dir):
    """Whether every saved model evaluates to its row of the matrix."""
    matrix = np.float32(records.read_record(output)['accuracy'])
    for t in range(len(matrix)):
        model = saved.Model(output, t)
        data, _, _ = model.data(data_dir)
        found = [model.appr.eval(u, data[u]['test']['x'], data[u]['test']['y'])[1] for u in range(t + 1)]
        assert (np.float32(found).round(6) == matrix[t, :t + 1]).all(), (t, found, matrix[t])
        for u in range(t + 1):  # and what it says of each image is what that counts
            y = model.appr.scenario.answer(u, data[u]['test']['y'])
            assert (evaluation.told(model.appr, u, data[u]['test']['x']).cpu() == y).float().mean().item() == pytest.approx(found[u], abs=1e-6)


@pytest.mark.parametrize('approach', [a for a in discovery.choices('approaches') if a != 'random'])
def test_a_saved_model_of_every_approach_computes_its_row_of_the_matrix(approach, tmp_path, data_dir, one_thread):
    check(trained(tmp_path, data_dir, approach), data_dir)


@pytest.mark.parametrize('approach', ['sgd', 'hat', 'er', 'packnet', 'independent', 'wsn', 'gpm'])
@pytest.mark.parametrize('scenario', ['class', 'domain'])
def test_under_the_other_scenarios_too(approach, scenario, tmp_path, data_dir, one_thread):
    check(trained(tmp_path, data_dir, approach, '--scenario', scenario), data_dir)


@pytest.mark.parametrize('approach', ['hat', 'wsn'])
def test_a_calibrated_model_infers_as_its_run_did_or_by_another_rule(approach, tmp_path, data_dir, capsys, refused):
    output = trained(tmp_path, data_dir, approach, '--scenario', 'class', '--infer', 'energy', '--calibrate')
    check(output, data_dir)
    model, numbers = saved.Model(output, 1), records.read_record(output)['calibration']
    assert [t for t, _ in model.appr.task_calibration] == numbers['temperature'][:2]
    assert [shift for _, shift in model.appr.task_calibration] == numbers['shift'][:2]
    for rule, other in (('energy', False), ('min-entropy', True)):
        capsys.readouterr()
        assert evaluate.main([str(output), '--infer', rule]) == 0
        printed = capsys.readouterr().out
        assert ('The row of the record is the same' in printed) != other and ('the record has' in printed) == other
    path = saved.path(output, 2)
    found = torch.load(path, weights_only=True)
    found['approach']['task_calibration'] = Writer().node([[1., 'x']] * 3, 'a calibration with no number')
    torch.save(found, path)
    assert 'does not fit its run' in refused(evaluate.main, [output])


def test_no_other_rule_where_no_task_is_inferred(tmp_path, data_dir, refused):
    assert '--infer' in refused(evaluate.main, [trained(tmp_path, data_dir, 'sgd'), '--infer', 'energy'])


def test_a_model_has_no_averages_of_the_optimizer(tmp_path, data_dir, one_thread):
    output = trained(tmp_path, data_dir, 'er', '--optimizer', 'adam', '--keep-optimizer')
    found = torch.load(saved.path(output, 2), weights_only=True)
    assert 'exp_avg' not in str(found) and found.keys() == {'about', 'model', 'approach'}
    check(output, data_dir)


def test_a_model_of_a_run_with_a_cuda_graph_can_be_used_without_one(tmp_path, data_dir, one_thread):
    output = trained(tmp_path, data_dir, 'sgd')
    record = records.read_record(output)
    output.with_suffix('.json').write_text(json.dumps({**record, 'command': [*record['command'], '--cuda-graph', '--compile']}))
    check(output, data_dir)


def test_a_model_needs_no_data_and_has_no_buffer(tmp_path, data_dir):
    output = trained(tmp_path, data_dir, 'er', '--pixels', 'unit', '--pad', '2', '--buffer-size', '50')
    shutil.rmtree(data_dir)
    model = saved.Model(output)
    assert not len(model.appr.memory) and model.about['inputsize'] == [1, 32, 32] and model.classes(1) == ['6', '7']
    raw, pixels = model.pixels(1)
    assert raw == [28, 28] and pixels.mean == (0.,) and pixels.size == (1, 32, 32)
    assert said(model.appr, 2, torch.zeros(3, 1, 32, 32)).shape == (3, 2)
    assert 'kept' not in torch.load(model.path, weights_only=True)['approach']


def test_evaluate_says_whether_the_row_is_the_same_and_what_the_classes_are_taken_for(tmp_path, data_dir, capsys, one_thread):
    output = trained(tmp_path, data_dir, 'hat')
    capsys.readouterr()
    assert evaluate.main([str(output), '--output', str(tmp_path / 'f.png'), '--matrix', '--table', 'csv']) == 0
    printed = capsys.readouterr().out
    assert printed.count('>>> Test on task') == 3 and 'The row of the record is the same' in printed
    assert (tmp_path / 'f.png').stat().st_size > 5000
    rows = [line.split(',') for line in printed.splitlines() if line[:2] in ('0,', '1,', '6,', '7,', '2,', '3,')]
    shares, matrix = rows[:6], np.array([r[1:] for r in rows[6:]], dtype=int)
    assert [int(r[1]) for r in shares] == matrix.sum(1).tolist() == [10] * 6
    assert [float(r[2]) for r in shares] == pytest.approx((10 * np.diag(matrix)).tolist())
    assert evaluate.main([str(output), '--after', '1', '--task', 'mnist-0-1', '--corrupt', 'noise:0.5,blur:1']) == 0
    printed = capsys.readouterr().out
    assert printed.count('>>> Test on task') == 1 and 'the record has' in printed and 'row of the record is' not in printed
    path = saved.path(output, 2)  # other weights are not taken for those of the record
    found = torch.load(path, weights_only=True)
    found['model']['fc1.weight'].mul_(-1)
    torch.save(found, path)
    assert evaluate.main([str(output)]) == 0 and 'It is not the row of the record' in capsys.readouterr().out


def test_corrupted_images_are_disturbed_by_as_much_as_asked():
    x = torch.zeros(50, 1, 20, 20)
    noisy = evaluate.corrupted(x, [('noise', .1)], (.5,))
    assert noisy.std().item() == pytest.approx(.2, rel=.05) and torch.equal(noisy, evaluate.corrupted(x, [('noise', .1)], (.5,)))
    x[:, :, 10, 10] = 1
    blurred = evaluate.corrupted(x, [('blur', 1.)], (1.,))
    assert blurred[0, 0, 10, 10].item() == pytest.approx(1 / (2 * np.pi), rel=.02) and blurred.sum().item() == pytest.approx(50, rel=1e-4)


@pytest.mark.parametrize('side', [1, 2, 8, (5, 30)])
@pytest.mark.parametrize('amount', [.1, 1, 5, 100])
def test_small_images_can_be_blurred_by_as_much_as_their_edges_can_be_mirrored(side, amount):
    h, w = side if isinstance(side, tuple) else (side, side)
    x = torch.rand(3, 1, h, w, generator=torch.Generator().manual_seed(0))
    blurred = evaluate.corrupted(x, [('blur', amount)], (1.,))
    assert blurred.shape == x.shape and torch.isfinite(blurred).all() and blurred.std() <= x.std()
    if amount == 5 and side == 8:  # almost all that tells them apart is gone
        assert blurred.std() < .2 * x.std()


HOSTILE = '\x1b[2J=$x^$', '+1|`<b>', '-a\nb', '@\\input{x}&%#_~'


def hostile(folder):
    """A result with saved models of a data set with hostile names of classes."""
    x, y = np.random.RandomState(0).randint(0, 256, (24, 6, 6)).astype(np.uint8), np.arange(24) % 4
    np.savez(folder / 'shapes.npz', x_train=x, y_train=y, x_test=x, y_test=y, class_names=HOSTILE)
    return trained(folder, folder, 'sgd', '--experiment', 'split:shapes:2', '--nepochs', '1', '--network', 'mlp')


def test_names_of_classes_and_files_do_nothing_to_terminals_tables_and_figures(tmp_path, capsys):
    from PIL import Image
    import predict
    output = hostile(tmp_path)
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / '\x1b$y^$.png')
    for argv in ([], ['--table', 'csv', '--output', str(tmp_path / 'f.png')], ['--table', 'latex']):
        capsys.readouterr()
        evaluate.main([str(output), '--matrix', *argv])
        printed = capsys.readouterr()
        assert '\x1b' not in printed.out + printed.err and 'x1b' in printed.out
    capsys.readouterr()
    assert predict.main([str(output), str(tmp_path / '\x1b$y^$.png'), '--task', '0', '--top', '2', '--sheet', str(tmp_path / 's.png')]) == 0
    printed = capsys.readouterr().out
    assert '\x1b' not in printed and r'\x1b$y^$.png' in printed and r'+1\|\`\<b>' in printed
    (tmp_path / '\x1b.png').write_text('no')
    for name in ('\x1b.png', '\x1bnot.png'):
        with pytest.raises(SystemExit):
            launch.script(lambda: predict.main([str(output), str(tmp_path / name)]), 'predict.py')
        said = capsys.readouterr().err
        assert '\x1b' not in said and r'\x1b' in said


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, data_dir, refused, capsys):
    output = trained(tmp_path, data_dir, 'sgd')
    capsys.readouterr()
    path, whole = saved.path(output, 2), saved.path(output, 2).read_bytes()
    for argv, says in ((['--after', '7'], '0, 1, 2'), (['--after', '0', '--task', '2'], 'before this one was learnt'),
                       (['--task', 'x'], 'mnist-6-7'), (['--corrupt', 'rain:1'], 'noise:0.1'), (['--corrupt', 'blur:x'], 'blur')):
        assert says in refused(evaluate.main, [output, *argv])
    arrays = dict(np.load(data_dir / 'mnist.npz'))
    other = tmp_path / 'other'
    other.mkdir()
    np.savez(other / 'mnist.npz', **{**arrays, 'x_test': 255 - arrays['x_test']})
    assert 'another data set' in refused(evaluate.main, [output, '--data-dir', other])
    for content in (whole[:-100], b'', b'PK' + whole[2:1000]):
        path.write_bytes(content)
        assert 'or broken' in refused(evaluate.main, [output])
    found = torch.load(io.BytesIO(whole), weights_only=True)
    for change in ({'model': {}}, {'approach': {'x': 1}}, {'about': {'dict': [('version', 99)]}}):
        torch.save({**found, **change}, path)
        says = 'of this version' if 'about' in change else 'does not fit'
        assert says in refused(evaluate.main, [output])
    for t in range(3):
        saved.path(output, t).unlink()
    assert 'run it with --save' in refused(evaluate.main, [output])
    assert 'it guesses' in refused(run.main, ['--experiment', 'glyphs', '--approach', 'random', '--save', '--output', tmp_path / 'r.txt'])


def test_overwriting_a_result_takes_its_models_along(tmp_path, data_dir):
    output = trained(tmp_path, data_dir, 'sgd')
    assert saved.path(output, 2).exists()
    run.main(['--experiment', 'smnist', '--approach', 'sgd', '--tasks', '0', '--data-dir', str(data_dir), '--nepochs', '1', '--device',
              'cpu', '--output', str(output), '--overwrite'])
    assert not any(saved.path(output, t).exists() for t in range(3))


def test_the_certificate_says_how_far_old_tasks_and_guarded_weights_have_moved(tmp_path, data_dir, capsys):
    for approach in ('sgd', 'hat', 'packnet', 'independent', 'wsn', 'progressive', 'pathnet', 'sgd-frozen'):
        promise = discovery.load('approaches', approach).Appr.promise
        output = trained(tmp_path, data_dir, approach, '--lr', '.1')
        printed, found = capsys.readouterr().out, records.read_record(output)['largest_change']
        assert 'Largest change of an old task\'s logits: ' in printed and found['logits'][-1] == 0
        first, last = saved.Model(output, 0), saved.Model(output)
        x = first.data(data_dir)[0][0]['test']['x'][:64]
        moved = (said(first.appr, 0, x) - said(last.appr, 0, x)).abs().max().item()
        assert found['logits'][0] >= moved - 1e-7 and (moved > 1e-3) == (approach == 'sgd') == (promise == '')
        assert promise != 'exact' or max(found['logits']) < 1e-5
        assert found.get('weights') == {'hat': 0, 'packnet': 0, 'wsn': 0}.get(approach)


@pytest.mark.parametrize('approach', ['hat', 'packnet'])
def test_the_certificate_catches_a_weight_that_is_changed_by_hand(approach, tmp_path, data_dir):
    model = saved.Model(trained(tmp_path, data_dir, approach), 0)
    appr, (data, _, _) = model.appr, model.data(data_dir)
    if approach == 'hat':
        appr.mask_pre = [torch.ones_like(m) for m in appr.mask_pre]
    there = certificate.Certificate(SimpleNamespace(appr=appr, data=data))
    there.task(0)
    name = next(n for n, mask in appr.guarded().items() if mask.any())
    with torch.no_grad():
        weight = dict(appr.model.named_parameters())[name]
        weight[tuple(appr.guarded()[name].nonzero()[0])] += .25
    appr.configure(seen=2)
    there.task(1)
    assert there.account(2)['largest_change']['weights'] == pytest.approx(.25, abs=1e-6) and there.state['moved'][0] > 0


def test_the_ledger_counts_what_each_task_takes_of_each_layer():
    masks = [[np.array([1, 1, 0, 0.]), np.array([1, 0, 0.])], [np.array([0, 1, 1, 0.]), np.array([.5, 1, 0.4])]]
    found = ledger.entries(masks, [('fc1', 5, 4, 1), ('fc2', 4, 3, 1)])
    assert found[0]['layers'] == [[4, 2, 0, 2, 2], [3, 1, 0, 1, 2]] and found[1]['layers'] == [[4, 2, 1, 1, 1], [3, 1, 0, 1, 1]]
    assert found[0]['binary'] == 1 and found[1]['binary'] == pytest.approx(5 / 7)
    assert found[0]['protected'] == (2 * 5 + 1 * 2) / 32 and found[1]['protected'] == (3 * 5 + 2 * 3) / 32
    more, least, most = ledger.forecast(found)  # 1 free of each: 1.5 and 1 a task; at most 2 and 1, at least 1 and 1
    assert (more, least, most) == (pytest.approx(1 / 1.5), .5, 1.)
    assert ledger.shares(found, 0).tolist() == [[0, 50, 0, 50], [25, 25, 25, 25]]
    assert ledger.sound(found, 2) and not ledger.sound(found, 3)
    assert ledger.forecast(ledger.entries([[np.zeros(3)]])) is None


def test_the_ledger_has_the_capacity_of_the_network_where_a_record_says_it():
    found = [{'layers': [[4, 2, 0, 2, 2]], 'binary': 1., 'protected': None}, {'layers': [[4, 2, 1, 1, 1]], 'binary': 1., 'protected': None}]
    for capacity in ([1], [1, 2], [1, None], 'all', None):  # of somebody else's account
        assert ledger.of({'ledger': found, 'capacity': capacity}) == found
    assert ledger.of({}) is None and ledger.of({'capacity': [1.]}) is None and ledger.capacity([found]) is None
    one, other = (ledger.of({'ledger': found, 'capacity': [1, c]}) for c in (.5, .25))
    assert ledger.capacity([one, other]).tolist() == [100, 37.5] and ledger.capacity([one, found]) is None
    assert 'Network capacity: 50%' in ledger.lines(one, ['fc1'])
    plain, more = ledger.table({}, [found]), ledger.table({}, [one, other])
    assert more.columns == [*plain.columns, 'network capacity %'] and [row[-1] for row in more.rows] == [100, 37.5]
    assert [row[:-1] for row in more.rows] == plain.rows


@pytest.mark.parametrize('approach', ['hat', 'adahat'])
def test_the_ledger_is_printed_recorded_and_drawn(approach, tmp_path, data_dir, capsys):
    output = trained(tmp_path, data_dir, approach)
    printed = capsys.readouterr().out
    assert printed.count('Units of') == 3 and 'At this rate' in printed
    found = records.read_record(output)['ledger']
    assert [row[0] for row in found[2]['layers']] == [12, 12] and len(found) == 3
    for suffix in ('.txt', '.json'):
        (tmp_path / ('smnist_%s_0%s' % (approach, suffix))).write_bytes(output.with_suffix(suffix).read_bytes())
    argv = ['--figure', 'ledger', '--experiment', 'smnist', '--approaches', approach, '--folders', str(tmp_path)]
    assert plot_results.main([*argv, '--output', str(tmp_path / 'l.png'), '--table', 'csv']) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 7 and (tmp_path / 'l.png').stat().st_size > 5000
    assert ('network capacity' in rows[0]) == (approach == 'adahat')
    units, used, reused, new, free = found[1]['layers'][1]
    assert [float(v) for v in rows[4].split(',')[2:6]] == pytest.approx([100 * v / units for v in (reused, new, units - used - free, free)])
