"""Tests within tasks: --eval-every, what it leaves as it was, its measures and its figure."""
import csv
import io

import numpy as np
import pytest
import torch

import approaches
import plot_results
import run
from published import cases
from results import measures, records, steps
from runs import checkpoint, place
from runs import steps as listener
from runs.nodes import Reader
from runs.stopping import Stop
from utils import UserError


@pytest.fixture
def folder(tmp_path):
    """A folder with a raw set of 6 classes of noisy patterns, 4 x 4, the last two with fewer test images."""
    rs = np.random.RandomState(0)
    patterns = rs.randint(0, 200, (6, 4, 4))

    def make(counts):
        y = np.repeat(np.arange(6), counts)
        return (patterns[y] + rs.randint(0, 56, (len(y), 4, 4))).astype(np.uint8), y
    (x, y), (x2, y2) = make(20), make([20, 20, 20, 20, 5, 5])
    np.savez(tmp_path / 'dots.npz', x_train=x, y_train=y, x_test=x2, y_test=y2)
    return tmp_path


def go(folder, name, approach, *more):
    """Runs an approach on three tasks of two classes; returns (record, the lines of steps.csv, the folder of logs)."""
    output = folder / ('dots_%s_0.txt' % name)
    run.main(['--experiment', 'split:dots:3', '--data-dir', str(folder), '--approach', approach, '--nepochs', '2', '--lr', '0.3',
              '--sbatch', '8', '--device', 'cpu', '--pc-valid', '0.1', '--output', str(output), *([] if '--resume' in more else ['--overwrite']), *more])
    logs = place.folder(output)
    lines = list(csv.reader(io.StringIO((logs / 'steps.csv').read_text()))) if '--eval-every' in more else []
    return records.read_record(output), lines, logs


def alike(one, other):
    """Whether two values, of tensors, containers and numbers, are the same to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, (torch.Tensor, np.ndarray)):
        return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=np.asarray(one).dtype.kind == 'f')
    return one == other


def state(logs):
    """What a run has come to: weights, what the method keeps, generators, optimizer."""
    found = checkpoint.load(logs / 'checkpoint.pt')
    decoded = [Reader().value(found[k], k) for k in ('numpy', 'python', 'optimizer', 'position')]
    return [found['model'], found['approach'], found['torch'], found['trained'], decoded]


SMALL = ['--net', 'nhid=12']
KINDS = [('hat', SMALL), ('hat', [*SMALL, '--plain']), ('hat', [*SMALL, '--momentum', '.5']), ('packnet', [*SMALL, '--retrain', '1']),
         ('bic', [*SMALL, '--scenario', 'class', '--stage2', '5']), ('imm-mode', SMALL), ('gdumb', [*SMALL, '--passes', '2']),
         ('pathnet', ['--generations', '2']), ('joint', SMALL), ('wsn', [*SMALL, '--scenario', 'class']),
         ('ewc', [*SMALL, '--amp', 'bf16']), ('der', SMALL), ('er', ['--network', 'resnet18', '--net', 'maps=1', '--pad', '6'])]


@pytest.mark.parametrize('approach, more', KINDS, ids=lambda v: v if isinstance(v, str) else ''.join(v[2:]))
def test_a_run_comes_to_the_same_with_it_or_without(approach, more, folder):
    """Matrix, losses, weights, running statistics, what the method keeps and all generators, to the bit."""
    keep = [*more, '--keep-checkpoint', '--no-patience'] if approach not in ('pathnet', 'gdumb') else [*more, '--keep-checkpoint']
    plain, _, logs = go(folder, 'plain', approach, *keep)
    tested, lines, others = go(folder, 'tested', approach, *keep, '--eval-every', '3', '--eval-samples', '20')
    assert plain['accuracy'] == tested['accuracy'] and plain['loss'] == tested['loss'] and len(lines) > 6
    assert alike(state(logs), state(others))
    assert len({tuple(line[:3]) for line in lines}) == len(lines) and lines[0][:4] == ['task', 'name', 'step', 'accuracy_0']
    for t in range(3):
        at = [int(line[2]) for line in lines[1:] if line[0] == str(t)]
        assert at[:-1] == list(range(0, 3 * (len(at) - 1), 3)) and at[-2] < at[-1] <= at[-2] + 3


@pytest.mark.parametrize('approach, more', [
    ('hat', [*SMALL, '--binary', 'on']), ('packnet', [*SMALL, '--retrain', '1']), ('wsn', SMALL), ('progressive', SMALL),
    ('pathnet', ['--generations', '2']), ('independent', SMALL)], ids=lambda v: v if isinstance(v, str) else '')
def test_what_is_kept_apart_says_the_same_of_earlier_tasks_at_every_step(approach, more, folder):
    """By each task's own mask, weights or path, as in the final test; all test images, so that the matrix says so, too."""
    record, lines, _ = go(folder, 'apart', approach, *more, '--eval-every', '2')
    for line in lines[1:]:
        t, found = int(line[0]), [float(a) for a in line[3:] if a]
        assert len(found) == t + 1 and found[:t] == pytest.approx(record['accuracy'][t][:t], abs=1e-6)
    assert record['stability_gap'] == 0 and record['minimum_accuracy'] == pytest.approx(np.mean(record['accuracy'][2][:2]), abs=1e-6)


@pytest.mark.parametrize('scenario', ['task', 'class'])
def test_hat_s_part_of_the_network_is_written_back_before_its_tests(scenario, folder):
    tables = [go(folder, 'hat', 'hat', '--net', 'nhid=40', '--lr', '1', '--scenario', scenario, '--eval-every', '1', *more)[1]
              for more in ([], ['--plain'])]
    found, expected = ([float(a) for line in lines[1:] for a in line[3:] if a] for lines in tables)
    assert np.isclose(found, expected).mean() > .95 and len(set(expected)) > 2  # sums are taken in another order


def test_the_last_line_of_a_task_is_of_the_network_that_is_kept(folder):
    """After the best weights are back and IMM has merged: what the matrix has."""
    record, lines, _ = go(folder, 'last', 'imm-mean', *SMALL, '--eval-every', '3', '--scenario', 'domain')
    for t in range(3):
        last = [line for line in lines if line[0] == str(t)][-1]
        assert [float(a) for a in last[3:t + 4]] == pytest.approx(record['accuracy'][t][:t + 1], abs=1e-6)


def test_the_class_rule_is_that_of_the_final_test(folder):
    """Of sgd where classes of all tasks compete, the first step of a task forgets the earlier ones, within their own heads
    none would do so at once."""
    record, lines, _ = go(folder, 'rule', 'sgd', *SMALL, '--eval-every', '1', '--scenario', 'class', '--lr', '1')
    assert record['minimum_accuracy'] < .1 and record['stability_gap'] > .3
    assert record['worst_case_accuracy'] == pytest.approx((2 * record['minimum_accuracy'] + float(lines[-1][5])) / 3)


def test_tasks_are_inferred_as_in_the_final_test(folder):
    """Of networks apart, what is said of earlier tasks changes with the present one, which competes."""
    _, lines, _ = go(folder, 'infer', 'independent', *SMALL, '--eval-every', '1', '--scenario', 'class', '--lr', '1')
    assert len({line[3] for line in [line for line in lines if line[0] == '1'][:-1]}) > 1


@pytest.mark.parametrize('approach, more', [('packnet', ['--retrain', '1']), ('er', []), ('hat', [])])
def test_each_step_is_tested_once_where_a_run_is_resumed_within_a_task(approach, more, folder, monkeypatch, capsys):
    options = [*SMALL, *more, '--eval-every', '2', '--checkpoint-every', '0', '--keep-checkpoint']
    whole, lines, logs = go(folder, 'whole', approach, *options)
    calls, before = [], listener.Steps.before

    def stopping(self):
        before(self)
        calls.append(self.run.appr.at['epoch'])
        if len(calls) == len(lines):  # amid the second task
            raise Stop(15)
    monkeypatch.setattr(listener.Steps, 'before', stopping)
    with pytest.raises(SystemExit):
        go(folder, 'cut', approach, *options)
    monkeypatch.undo()
    so_far = len((place.folder(folder / 'dots_cut_0.txt') / 'steps.csv').read_text().splitlines())
    again, found, others = go(folder, 'cut', approach, *options, '--resume')
    assert 1 < so_far < len(lines) and found == lines and again['resumed'] and 'lost lines' not in capsys.readouterr().out
    names = 'accuracy', 'minimum_accuracy', 'worst_case_accuracy', 'stability_gap', 'stability_gaps'
    assert all(again[k] == whole[k] for k in names) and alike(state(logs), state(others))
    with pytest.raises(SystemExit):  # another number of steps is another configuration
        go(folder, 'cut', approach, *options, '--eval-every', '3', '--resume')
    assert '--eval-every 2, now 3' in capsys.readouterr().err


OWN = '''
import numpy as np
from approaches import base
class Appr(base.Appr):
    """Mine."""
'''


def test_what_tests_note_on_an_approach_does_not_stay(folder, monkeypatch):
    """Of a method that counts what it has been tested on."""
    (folder / 'mine').mkdir()
    (folder / 'mine' / 'counting.py').write_text(
        OWN + '    tested = 0\n    def eval(self, t, x, y):\n        self.tested += len(y)\n        return super().eval(t, x, y)\n')
    monkeypatch.setattr(approaches, '__path__', [*approaches.__path__, str(folder / 'mine')])
    _, _, logs = go(folder, 'plain', 'counting', *SMALL, '--keep-checkpoint')
    _, _, others = go(folder, 'tested', 'counting', *SMALL, '--keep-checkpoint', '--eval-every', '4')
    assert alike(state(logs), state(others)) and checkpoint.load(logs / 'checkpoint.pt')['approach']['tested']


def test_what_it_cannot_be_had_for_is_refused_in_a_line(folder, refused, monkeypatch):
    (folder / 'mine').mkdir()
    (folder / 'mine' / 'loop.py').write_text(OWN + '    def train_epoch(self, t, x, y):\n        super().train_epoch(t, x, y)\n')
    (folder / 'mine' / 'dice.py').write_text(
        OWN + '    def eval(self, t, x, y):\n        np.random.rand()\n        return super().eval(t, x, y)\n')
    (folder / 'mine' / 'alone.py').write_text('class Appr:\n    def __init__(self, model, **more):\n        self.model = model\n'
                                              '    def train(self, *data):\n        pass\n    def eval(self, t, x, y):\n        return 0., 0.\n')
    monkeypatch.setattr(approaches, '__path__', [*approaches.__path__, str(folder / 'mine')])
    base = ['--experiment', 'split:dots:3', '--data-dir', folder, '--output', folder / 'x.txt', '--nepochs', '1', *SMALL]
    for approach, why in (('random', 'its tests draw random numbers'), ('loop', 'a train_epoch of its own'),
                          ('dice', 'whose tests draw random numbers'), ('alone', 'a training loop of its own'),
                          ('icarl', 'which are made at the end of a task')):
        more = ['--scenario', 'class'] if approach == 'icarl' else []
        said = refused(run.main, [*base, '--approach', approach, '--eval-every', '2', *more])
        assert '--eval-every: not for %s' % approach in said and why in said
    assert '--eval-samples is for --eval-every' in refused(run.main, [*base, '--approach', 'sgd', '--eval-samples', '9'])
    assert '--eval-every must be a whole number >= 1' in refused(run.main, [*base, '--approach', 'sgd', '--eval-every', '0'])
    assert not (folder / 'x.txt').exists()


def test_test_images_are_the_same_every_time_and_of_each_class_its_share():
    y = torch.arange(100) % 5  # at even distances they would be of one class
    y[y == 4] = 3
    rows = listener.spread(y, 20)
    assert torch.bincount(y[rows]).tolist() == [4, 4, 4, 8] and rows.tolist() == sorted(set(rows.tolist()))
    assert listener.spread(y, 500).tolist() == list(range(100)) and listener.spread(y, 1).tolist() == [0]


@cases('stability')
def test_measures_are_those_of_the_authors_code(case):
    accuracy, window, near = case['inputs']['accuracy'], case['inputs']['window'], dict(abs=case['tolerance'])
    for t, expected in enumerate(case['outputs']['continual_evaluation']['after_task']):
        so_far = accuracy[:t + 1]
        lowest, last = measures.lowest_and_last(so_far)
        found = measures.stability(lowest, last)
        assert found['worst_case_accuracy'] == pytest.approx(expected['wc_acc'], **near)
        for u, value in expected['min_acc'].items():
            assert lowest[int(u) + 1:, int(u)].min() == pytest.approx(value, **near)
        assert found.get('minimum_accuracy') == (pytest.approx(expected['average_min_acc'], **near) if t else None)
        for u, value in expected['windowed_forgetting'].items():
            series = [row[int(u)] for task in so_far[int(u):] for row in task]
            assert measures.windowed_forgetting(series, window) == pytest.approx(value, **near)


def test_gaps_by_hand():
    first, second, third = [[.5], [.9]], [[.9, .1], [.4, .6], [.8, .7]], [[.6, .7, .2], [.7, .3, .9]]
    lowest, last = measures.lowest_and_last([first, second, third])
    found = measures.stability(lowest, last)
    assert found['stability_gaps'] == [[0, 0, 0], [pytest.approx(.5), 0, 0], [pytest.approx(.2), pytest.approx(.4), 0]]
    assert found['stability_gap'] == pytest.approx(1.1 / 3) and found['minimum_accuracy'] == pytest.approx((.4 + .3) / 2)
    assert found['worst_case_accuracy'] == pytest.approx((.4 + .3 + .9) / 3)
    assert measures.windowed_forgetting([.5, .9, .9, .4, .8], 2) == pytest.approx(.5)
    assert measures.windowed_forgetting([.9, .8, .4], 2) == pytest.approx(.4) and measures.windowed_forgetting([.1, .2], 9) == 0


def test_the_figure_has_the_measures_of_the_records_and_says_what_is_missing(folder, capsys):
    record, _, logs = go(folder, 'er', 'er', *SMALL, '--eval-every', '2', '--buffer-size', '20')
    go(folder, 'sgd', 'sgd', *SMALL)
    capsys.readouterr()
    base = ['--figure', 'gap', '--experiment', 'dots', '--folders', folder, '--table', 'csv']
    assert plot_results.main([*map(str, base), '--approaches', 'er', '--output', str(folder / 'gap.png')]) == 0
    row, = csv.DictReader(io.StringIO(capsys.readouterr().out))
    for head, name in (('min-ACC %', 'minimum_accuracy'), ('WC-ACC %', 'worst_case_accuracy'), ('stability gap %', 'stability_gap')):
        assert float(row[head]) == pytest.approx(100 * record[name], abs=1e-3)
    assert (folder / 'gap.png').stat().st_size > 10000 and float(row['WF 100 %']) >= float(row['WF 10 %']) >= 0
    with pytest.raises(UserError, match='dots_sgd_0/steps.csv: a run with --eval-every leaves it'):
        plot_results.main([*map(str, base), '--approaches', 'er,sgd'])
    path = logs / 'steps.csv'
    text = path.read_text()
    for bad, why in ((text[:-3], 'cut off'), (text.replace(',0,', ',x,'), 'expected a whole number'), (text.replace('0.5', '1.5'), 'from 0 to 1'),
                     (text.replace('\n1,', '\n2,'), 'lines are missing'), ('a,b\n', 'expected the columns'), (text.replace(',2,', ',0,'), 'missing')):
        path.write_text(bad)
        with pytest.raises(UserError, match=why):
            steps.load(path)


def test_seeds_of_different_lengths_are_averaged_where_they_are_and_other_steps_are_refused():
    one = [np.array([0, 5, 10])], [np.array([[.2], [.4], [.6]])]
    longer = [np.array([0, 5, 10, 12])], [np.array([[.4], [.6], [.8], [.9]])]
    (at, values), = steps.gather({'a': {0: one, 1: longer}})['a']
    assert at.tolist() == [0, 5, 10, 12] and values[0, :3, 0].tolist() == [20, 40, 60] and np.isnan(values[0, 3, 0])
    with pytest.raises(UserError, match='another --eval-every'):
        steps.gather({'a': {0: one, 1: ([np.array([0, 4, 8, 10])], [np.ones((4, 1))])}})


def test_accuracy_over_all_test_images_is_beside_the_mean_over_tasks(folder, capsys):
    import results as command
    record, _, _ = go(folder, 'sgd', 'sgd', *SMALL)
    final = record['accuracy'][-1]
    assert record['test_samples'] == [40, 40, 10] and record['average_accuracy'] == pytest.approx(np.mean(final))
    assert record['overall_accuracy'] == pytest.approx((40 * final[0] + 40 * final[1] + 10 * final[2]) / 90)
    assert record['overall_accuracy'] != pytest.approx(record['average_accuracy'])
    printed = capsys.readouterr().out
    assert 'Overall accuracy' in printed and '%.2f%%' % (100 * record['overall_accuracy']) in printed
    text = records.record_path(folder / 'dots_sgd_0.txt').read_text()
    older = {k: v for k, v in records.parsed(text, 'x').items() if k not in ('test_samples', 'overall_accuracy')}
    assert 'overall_accuracy' not in measures.of(older) and measures.of(record)['overall_accuracy'] == record['overall_accuracy']
