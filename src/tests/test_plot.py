"""Figures and tables: the numbers against hand-made ones, every figure drawn, what is refused."""
import csv
import gzip
import io
import json
import shutil
import pickle

import numpy as np
import pytest

import plot_results
from results import epochs, ledger, masks, measures, plots
from results.tables import Table
from runs import checkpoint, place
from utils import UserError

RANDOM = np.array([[.5, 0], [.5, .1]])
JOINT = np.array([[.9, 0], [.9, .6]])
MINE = np.array([[.9, 0], [.7, .35]])  # after task 2: half as good as joint on both tasks


def save(folder, approach, seed, acc, status='finished', **more):
    """A result and its record, as run.py leaves them."""
    np.savetxt(folder / ('toy_%s_%d.txt' % (approach, seed)), acc, '%.4f')
    (folder / ('toy_%s_%d.json' % (approach, seed))).write_text(json.dumps(
        {'status': status, 'config': {'experiment': 'toy', 'approach': approach}, 'seconds': 10, 'tasks': ['a', 'b'],
         'command': [], 'accuracy': acc.tolist(), **more}))


@pytest.fixture
def folder(tmp_path):
    """Results of random, joint and mine with three seeds."""
    for seed in range(3):
        save(tmp_path, 'random', seed, RANDOM)
        save(tmp_path, 'joint', seed, JOINT)
        save(tmp_path, 'mine', seed, MINE + [[0, 0], [.02 * seed, 0]])
    return tmp_path


def rows(capsys, *argv):
    """The table of a figure, as [{column: text}]."""
    assert plot_results.main([*map(str, argv), '--table', 'csv']) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def base(folder, approaches='random,joint,mine', figure='ratio'):
    """Options for the results of a folder."""
    return ['--figure', figure, '--experiment', 'toy', '--approaches', approaches, '--folders', folder]


def test_forgetting_ratio_and_its_interval(folder, capsys):
    row, = rows(capsys, *base(folder))
    assert row['approach'] == 'mine' and row['seeds'] == '3'
    assert float(row['rho 1']) == pytest.approx(0)
    # rho of task 1 is .5, .55, .6 of the way, minus 1; of task 2 always -.5; their means are -.5, -.475, -.45
    assert float(row['rho 2']) == pytest.approx(-0.475)
    assert float(row['std rho 2']) == pytest.approx(0.025)
    assert float(row['ci95 rho 2']) == pytest.approx(4.302653 * 0.025 / 3 ** 0.5)  # t of 2 degrees of freedom
    assert float(row['mean']) == pytest.approx(-0.2375)
    one, = rows(capsys, *base(folder), '--seeds', '1')
    assert one['ci95 rho 2'] == one['std rho 2'] == '' and float(one['rho 2']) == pytest.approx(-0.475)


def test_summary_and_paired_differences(folder, capsys):
    row = rows(capsys, *base(folder, 'mine', 'bars'))[0]
    assert float(row['average accuracy %']) == pytest.approx(100 * (.72 + .35) / 2)
    assert float(row['forgetting %']) == pytest.approx(18) and float(row['seconds']) == 10
    row = rows(capsys, *base(folder, 'joint,mine', 'paired'), '--against', 'joint')[0]
    assert float(row['minus joint, points']) == pytest.approx(-21.5) and 0 < float(row['p']) < 0.01
    assert rows(capsys, *base(folder, 'joint,mine', 'paired'))[0]['approach'] == 'joint'  # mine is neither floor nor ceiling


def test_results_without_records_count_and_unfinished_ones_do_not(folder, capsys):
    (folder / 'toy_mine_0.json').unlink()
    save(folder, 'mine', 1, MINE, status='running')
    assert plot_results.main([str(a) for a in [*base(folder, 'mine', 'bars'), '--table', 'csv']]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].startswith('mine,2,') and 'toy_mine_1.txt is of a run that has not' in printed.err


def log(tasks=2):
    """A log of hat-test: of 4 and 2 units, tasks use the first ones, then the last ones."""
    masks = [[[1, 1, 0, 0], [1, 0]], [[0, 1, 1, 0], [0, 1]]]
    mask = {t: {i: {-1: np.ones((1, n)), 0: np.ones((1, n)), 1: np.array([masks[t][i]], float)}
                for i, n in enumerate((4, 2))} for t in range(tasks)}
    return {'mask': mask, 'mask_pre': {}, 'valid_acc': {t: np.array([.5, .75]) for t in range(tasks)},
            'valid_loss': {t: np.array([2., 1.]) for t in range(tasks)}, 'task_name': {t: 'abc'[t] for t in range(tasks)},
            'test_acc': {0: np.array([.7, 0])}, 'layers': [('fc1', 3, 4, 2), ('fc2', 4, 2, 1)]}


def dump(path, content):
    """Writes a gzipped pickle."""
    with gzip.open(path, 'wb') as f:
        pickle.dump(content, f)
    return path


def test_capacity_overlap_and_compression_of_a_log(tmp_path, capsys):
    each, total = masks.capacity(log())
    assert each.tolist() == [[50, 50], [50, 50]] and total.tolist() == [[50, 50], [75, 100]]
    assert np.allclose(masks.overlap(log()), [[100, 100 / 3], [100 / 3, 100]])
    kept, acc = masks.compression(log())
    # 3*4*2 + 4*2*1 = 32 weights; then 3*2*2 + 2*1*1 = 14
    assert kept.tolist() == [100, 100 * 14 / 32] and acc.tolist() == [50, 75]
    row, = rows(capsys, '--figure', 'compression', '--logs', dump(tmp_path / 'x.pkz', log()))
    assert float(row['weights kept %']) == pytest.approx(43.75) and float(row['test accuracy %']) == pytest.approx(70)


def write_epochs(folder, monkeypatch, lengths=((3, 2), (4, 2), (2, 2))):
    """An epochs.csv for each result of a folder, two tasks of so many epochs for each seed; validation accuracies of (seed + epoch) /
    10."""
    monkeypatch.setattr(place, 'ROOT', folder)
    for f in folder.glob('toy_*_[0-9].txt'):
        seed, path = int(f.stem[-1]), checkpoint.folder(f) / 'epochs.csv'
        lines = ['%d,%s,%d,0.05,1.5,0.5,%g,%g,0.1,' % (t, 'ab'[t], e, 2 - e / 10, (seed + e) / 10)
                 for t, n in enumerate(lengths[seed]) for e in range(1, n + 1)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join([','.join(epochs.COLUMNS) + ',R', *lines, '']))
    return path


def write_steps(folder, monkeypatch):
    """A steps.csv for each result of a folder, of two tasks."""
    monkeypatch.setattr(place, 'ROOT', folder)
    for f in folder.glob('toy_*.txt'):
        path = checkpoint.folder(f) / 'steps.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('task,name,step,accuracy_0,accuracy_1\n0,a,0,.5,\n0,a,8,.9,\n1,b,0,.8,.5\n1,b,8,.6,.9\n')


@pytest.mark.parametrize('suffix', ['png', 'pdf'])
@pytest.mark.parametrize('figure', list(plots.KINDS))
def test_every_figure_is_drawn(figure, suffix, folder, capsys, monkeypatch):
    output = folder / 'new' / ('x.' + suffix)
    if figure in plots.OF_LOGS:
        options = ['--figure', figure, '--logs', dump(folder / 'x.pkz', log())]
    else:
        options = base(folder, figure=figure)
    if figure == 'curves':
        write_epochs(folder, monkeypatch)
    if figure == 'gap':
        write_steps(folder, monkeypatch)
    if figure == 'orders':
        for f in list(folder.glob('toy_*.txt')):
            for k in (0, 1):
                shutil.copy(f, folder / f.name.replace('toy_', 'toy-order%d_' % k))
    if figure == 'surface':
        for lamb in (0.1, 1):
            for smax in (100, 400):
                for seed in (0, 1):
                    config = {'experiment': 'toy', 'approach': 'hat', 'lamb': lamb, 'smax': smax, 'seed': seed}
                    record = {'status': 'finished', 'config': config, 'command': [], 'tasks': ['a'], 'seconds': 1,
                              'accuracy': [[0.1]], 'valid_accuracy': [(lamb + seed) / 4]}
                    name = 'toy_hat-%g-%g_%d' % (lamb, smax, seed)
                    (folder / (name + '.json')).write_text(json.dumps(record))
                    (folder / (name + '.txt')).write_text('')
        options = base(folder, 'hat', 'surface')
        found = rows(capsys, *options)
        assert len(found) == 4 and float(found[-1]['average validation accuracy %']) == pytest.approx(37.5)
        assert len(rows(capsys, *options, '--over', 'lamb')) == 2
    if figure == 'ledger':
        options = base(folder, 'mine', 'ledger')
        with pytest.raises(UserError, match='have no ledger'):
            plot_results.main([str(a) for a in [*options, '--output', output]])
        for path in folder.glob('toy_mine_*.json'):
            record = json.loads(path.read_text())
            masks = [[np.arange(4) == t] for t in range(len(record['accuracy']))]
            path.write_text(json.dumps({**record, 'ledger': ledger.entries([[m[0].astype(float)] for m in masks])}))
    style = 'paper' if suffix == 'pdf' else 'screen'
    assert plot_results.main([str(a) for a in [*options, '--output', output, '--style', style]]) == 0
    assert output.read_bytes()[:4] == (b'\x89PNG' if suffix == 'png' else b'%PDF') and output.stat().st_size > 5000


def test_table_kinds():
    table = Table(['name', 'x %'], [['a_b', 1.23456], ['c', None]])
    assert table.text('csv') == 'name,x %\na_b,1.23456\nc,'
    assert table.text('markdown').splitlines()[2:] == ['| a_b | 1.23 |', '| c | - |']
    assert r'a\_b & 1.23 \\' in table.text('latex') and r'x \%' in table.text('latex')


class Evil:
    """Pickles into a call."""

    def __reduce__(self):
        return print, ('evil',)


def test_what_cannot_be_used_is_named_all_at_once(folder, refused, capsys):
    main = plot_results.main
    line = refused(main, [*base(folder, 'random,joint,mine,none'), '--seeds', '0-3'])
    assert all('toy_%s_3.txt' % a in line for a in ('random', 'joint', 'mine')) and 'toy_none_0.txt' in line
    (folder / 'toy_mine_0.txt').write_text('1 2 x')
    np.savetxt(folder / 'toy_mine_1.txt', np.ones((2, 3)))
    (folder / 'toy_mine_2.json').write_text('{')
    line = refused(main, base(folder))
    assert 'mine_0.txt is not a matrix' in line and 'mine_1.txt is not a square' in line and 'mine_2.json' in line
    assert 'add joint to' in refused(main, base(folder, 'random'))
    assert 'needs 2' in refused(main, [*base(folder, 'random,joint', 'paired'), '--seeds', '1', '--against', 'random'])
    assert '.png or .pdf' in refused(main, [*base(folder, 'joint', 'bars'), '--output', 'x.txt'])
    assert 'screen' in refused(main, base(folder, 'joint', 'bars'))
    assert 'needs --experiment' in refused(main, ['--figure', 'bars'])
    for content, says in ((Evil(), 'not loaded'), ({'mask': {}}, 'lacks'), ([1], 'not a log'),
                          ({**log(), 'mask': 5}, 'not a log')):
        assert says in refused(main, ['--figure', 'capacity', '--logs', dump(folder / 'x.pkz', content)])
    (folder / 'y.pkz').write_bytes(b'hello')
    line = refused(main, ['--figure', 'compression', '--logs', folder / 'y.pkz', folder / 'z.pkz'])
    assert 'y.pkz is not a log' in line and 'z.pkz does not exist' in line
    save(folder, 'other', 0, np.ones((3, 3)) * .5, tasks=['a', 'b', 'c'])
    line = refused(main, base(folder, 'joint,other', 'bars'))
    assert '2 and 3 tasks' in line and 'a,b and a,b,c' in line


def test_a_ratio_without_a_span_between_joint_and_random_is_no_number():
    assert np.isnan(measures.forgetting_ratio(MINE, RANDOM, RANDOM)).all()
