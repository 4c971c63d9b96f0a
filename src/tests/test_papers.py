"""Published tables: what passes, what is planned, what is kept, what is refused."""
import errno
import io
import json
import random
import tarfile

import numpy as np
import pytest
from matplotlib.text import Text

import paper
import utils
from results import archive, canvas, collect, figures, metrics, papers
from runs import plan
from utils import UserError

TABLE = {'title': 'Glyphs', 'source': 'nobody', 'spread': 'sd', 'runs': 4, 'seeds': '0-1',
         'options': '--experiment glyphs --tasks 0,1 --nepochs 1 --device cpu',
         'columns': {'task': {'options': '--net nhid=8,nlayers=1'}, 'rho': {'run': 'task', 'measure': 'forgetting ratio',
                                                                          'options': '--net nhid=8,nlayers=1'},
                     'faces': {'data': ['facescrub', 'mnist']}},
         'rows': [{'name': 'random', 'options': '--approach random', 'cells': {'task': {}}},
                  {'name': 'joint', 'options': '--approach joint', 'cells': {'task': {}}},
                  {'name': 'Fine-tuning', 'options': '--approach sgd', 'note': 'as it is', 'cells': {
                      'task': [99, 1], 'rho': [-.5, None], 'faces': [1, 1]}}],
         'notes': ['made up']}


def written(folder, **changes):
    """A table's file."""
    path = folder / 'mine.json'
    path.write_text(json.dumps({**TABLE, **changes}))
    return str(path)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where results are kept, instead of in the project."""
    monkeypatch.setattr(archive, 'path', lambda paper: tmp_path / 'kept' / (paper.name + '.tar.xz'))
    return tmp_path / 'kept' / 'mine.tar.xz'


@pytest.mark.parametrize('published, spread, ours, errors, ok', [
    ((90, 2.), 'sd', [94., 96.], 5 / np.hypot(1, 1), False),      # 2 / sqrt(4) = 1 of theirs, sqrt(2) / sqrt(2) = 1 of ours
    ((90, 1.), 'sem', [94., 96.], 5 / np.hypot(1, 1), False),
    ((90, 4.), 'sd', [94., 96.], 5 / np.hypot(2, 1), True),       # within 3 standard errors
    ((90, .1), 'sd', [91.9, 91.9], 1.9 / .05, True),              # within 2 points
    ((90, None), 'sd', [92.1, 92.3], None, False), ((90, 50.), 'sd', [93.], None, False)])
def test_a_cell_passes_within_three_standard_errors_or_two_points(published, spread, ours, errors, ok):
    cell = papers.Cell('a', 'b', [], 'a_b', published, 4, 'average accuracy %', None, 2., [], '')
    difference, found, passes = papers.compare(cell, ours, spread)
    assert difference == pytest.approx(np.mean(ours) - 90) and passes == ok
    assert found is None if errors is None else found == pytest.approx(errors)


@pytest.mark.parametrize('name', sorted(p.stem for p in papers.FOLDER.glob('*.json')))
def test_the_tables_of_the_project_can_be_planned(name):
    table = papers.Paper(name)
    assert len(table.cells) > 3 and all(c.measure in papers.MEASURES for c in table.cells)
    by_name = {}
    for c in table.cells:
        plan.Run(['--seed', '0', *c.options, '--output', 'o.txt'])
        assert by_name.setdefault(c.name, c.options) == c.options, 'two kinds of runs of one name'
        run_of = c.name.split('_', 1)[1]
        if c.measure == 'forgetting ratio':
            assert {'random_' + run_of, 'joint_' + run_of} <= {o.name for o in table.cells}


def test_a_table_is_run_compared_kept_and_drawn(tmp_path, kept, in_process, capsys):
    done, res = in_process, tmp_path / 'res'
    base = ['--res_folder', str(res), '--data-dir', str(tmp_path)]
    path = written(tmp_path)
    assert paper.main([path, *base]) == 0
    printed = capsys.readouterr().out
    assert '6 of 6 runs are missing: --execute' in printed and printed.count('not run') == 4 and 'no data: facescrub |' in printed
    assert paper.main([path, *base, '--execute', '--output', str(tmp_path / 'f.png'), '--keep']) == 1
    printed = capsys.readouterr().out
    assert len(done) == 6 and (tmp_path / 'f.png').stat().st_size > 5000 and '6 results kept' in printed
    assert '- made up' in printed and '- Fine-tuning: as it is' in printed
    by = {a: {s: collect.read(res / ('%s_task_%d.txt' % (a, s))) for s in (0, 1)} for a in ('random', 'joint', 'fine-tuning')}
    accuracy = [100 * r['acc'][-1].mean() for r in by['fine-tuning'].values()]
    line = next(row for row in printed.splitlines() if row.startswith('| Fine-tuning | task |'))
    assert '%.2f +- %.2f' % (np.mean(accuracy), np.std(accuracy, ddof=1)) in line and 'miss' in line
    rho = metrics.ratios(by)['fine-tuning'][:, -1]
    path = written(tmp_path, rows=[*TABLE['rows'][:2], {**TABLE['rows'][2], 'cells': {
        'task': [float(np.mean(accuracy)) + 1, .1], 'rho': [float(np.mean(rho)) - .01, None]}}])
    (tmp_path / 'res').rename(tmp_path / 'away')
    assert paper.main([path, *base]) == 0 and len(done) == 6  # from what is kept
    printed = capsys.readouterr().out
    assert printed.count('| pass |') == 2 and 'missing' not in printed and '| ours alone |' in printed
    assert paper.main([path, *base, '--wide']) == 0
    assert '%.2f +- 0.10 / %.2f' % (np.mean(accuracy) + 1, np.mean(accuracy)) in capsys.readouterr().out
    assert paper.main([path, *base, '--rows', 'Fine-tuning', '--columns', 'rho', '--table', 'csv']) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2 and rows[1].startswith('Fine-tuning,rho,') and float(rows[1].split(',')[5]) == pytest.approx(.01)


@pytest.mark.parametrize('task, rho, runs', [(None, '1-3', 12), ('0', '2', 6), ('0-4', '4', 15)])
def test_a_column_can_have_seeds_of_its_own_and_runs_that_two_share_are_planned_once(task, rho, runs, tmp_path, kept, capsys):
    columns = {'task': {**TABLE['columns']['task'], **({'seeds': task} if task else {})}, 'rho': {**TABLE['columns']['rho'], 'seeds': rho}}
    path = written(tmp_path, columns=columns, rows=[
        {**row, 'cells': {'task': {}, 'rho': {}}} for row in TABLE['rows']])
    assert paper.main([path, '--res_folder', str(tmp_path / 'res')]) == 0
    assert '%d of %d runs are missing' % (runs, runs) in capsys.readouterr().out
    assert paper.main([path, '--res_folder', str(tmp_path / 'res'), '--seeds', '5']) == 0
    assert '3 of 3 runs are missing' in capsys.readouterr().out


def test_results_of_other_settings_are_not_taken_for_the_table_s(tmp_path, kept, in_process, refused, capsys):
    base = ['--res_folder', str(tmp_path / 'res'), '--rows', 'random', '--seeds', '0']
    assert paper.main([written(tmp_path), *base, '--execute']) == 0
    changed = written(tmp_path, options=TABLE['options'] + ' --sbatch 32')
    assert 'another configuration' in refused(paper.main, [changed, *base])


@pytest.mark.parametrize('argv, says', [
    (['nothing'], ['no table nothing', 'hsu2018']), (['TABLE', '--rows', 'SI'], ['SI', 'Fine-tuning']),
    (['TABLE', '--columns', 'x'], ['rho']), (['TABLE', '--seeds', 'a'], ['0-9']), (['TABLE', '--output', 'f.txt'], ['.png'])])
def test_bad_calls_are_refused_in_one_line(argv, says, tmp_path, kept, refused):
    path = written(tmp_path)
    line = refused(paper.main, [path if a == 'TABLE' else a for a in argv])
    assert all(s in line for s in says)


@pytest.mark.parametrize('text', ['', '[]', '{"title": 1}', json.dumps({**TABLE, 'rows': [{'name': 'a', 'cells': {'task': [1]}}]}),
                                  json.dumps({**TABLE, 'rows': [{'name': 'a', 'cells': {'other': [1, 1]}}]}),
                                  json.dumps({**TABLE, 'columns': {'task': {'measure': 'beauty'}}}), '[' * 100000])
def test_malformed_tables_and_kept_results_are_refused(text, tmp_path, kept, refused):
    (tmp_path / 'bad.json').write_text(text)
    assert 'is not a table' in refused(paper.main, [tmp_path / 'bad.json'])
    kept.parent.mkdir()
    kept.write_bytes(b'nonsense')
    assert 'cannot be read' in refused(paper.main, [written(tmp_path), '--res_folder', tmp_path / 'res'])


def test_backward_transfer_and_directions_can_be_compared(tmp_path, kept, in_process, capsys):
    columns = {name: {'run': 'run', 'measure': name} for name in ('backward transfer %', 'directions held', 'learning accuracy %')}
    rows = [{'name': 'GPM', 'options': '--approach gpm --scenario domain --net nhid=8,nlayers=1,bias=0', 'cells': dict.fromkeys(columns, [0, None])}]
    path = written(tmp_path, columns=columns, rows=rows)
    argv = [path, '--res_folder', str(tmp_path), '--seeds', '0', '--table', 'csv']
    paper.main([*argv, '--execute'])
    capsys.readouterr()
    paper.main(argv)
    transfer, directions, learning = (float(line.split(',')[3]) for line in capsys.readouterr().out.splitlines()[1:4])
    a = collect.matrix(tmp_path / 'gpm_run_0.txt')
    assert transfer == pytest.approx(100 * (a[1, 0] - a[0, 0]), abs=.01) and learning == pytest.approx(50 * (a[0, 0] + a[1, 1]), abs=.01)
    bases = json.loads((tmp_path / 'gpm_run_0.json').read_text())['bases']
    assert set(bases) == {'fc1', 'last.0'} and directions == bases['fc1'][0] + bases['last.0'][0]


@pytest.mark.parametrize('name, cells, passed', [('hsu2018', 39, 35), ('vandeven2022', 21, 21), ('gpm', 4, 2), ('gdumb', 4, 3),
                                                 ('clbaselines', 11, 5)])
def test_the_kept_results_give_what_the_readme_says(name, cells, passed, tmp_path, capsys):
    paper.main([name, '--res_folder', str(tmp_path / 'res'), '--table', 'csv'])
    verdicts = [line.rsplit(',', 1)[1] for line in capsys.readouterr().out.splitlines()[1:] if line.count(',') == 7]
    assert (len(verdicts), verdicts.count('pass')) == (cells, passed)


def places(value, path=()):
    """The paths of all values within a value of dictionaries and lists."""
    yield path
    for k, v in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(v, (*path, k))


def changed(value, path, new):
    """A value with another one in a place, or without it if new is None."""
    if not path:
        return new
    key, *rest = path
    if new is None and not rest:
        return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else value[:key] + value[key + 1:]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    items = [(k, changed(v, rest, new) if k == key else v) for k, v in items]
    return dict(items) if isinstance(value, dict) else [v for _, v in items]


@pytest.mark.parametrize('name', sorted(p.stem for p in papers.FOLDER.glob('*.json')))
def test_a_table_with_any_value_of_another_kind_or_left_out_is_taken_or_refused(name, tmp_path):
    whole, refusals, draw = json.loads((papers.FOLDER / (name + '.json')).read_text('utf-8')), 0, random.Random(0)
    for where in places(whole):
        for new in draw.sample((None, 3, -1.5, 1e999, 10 ** 400, True, '', '\ud800', 'x"', [], [[1, 2]], {}, {'a': 1}), 3):
            (tmp_path / 'x.json').write_text(json.dumps(changed(whole, list(where), new)))
            try:
                table = papers.Paper(str(tmp_path / 'x.json'))
                papers.wide(papers.table(table, table.cells, [[]] * len(table.cells), {})[0]).text('latex')
            except UserError as e:
                refusals += 1
                assert len(str(e).splitlines()) == 1
    assert refusals > len(list(places(whole)))  # of three each


@pytest.mark.parametrize('where, new, says', [
    (('rows', 0, 'name'), 3, 'rows[0].name: expected a text'), (('columns', 'faces', 'data'), 'mnist', 'columns.faces.data: expected a list'),
    (('rows', 2, 'cells', 'task'), [99, -1], 'task[1]: expected a number >= 0'), (('runs',), 0, 'runs: expected a whole number >= 1'),
    (('columns', 'rho', 'afer'), 2, "'afer', expected"), (('title',), None, 'has no title'), (('spread',), 'sds', 'one of sd, sem')])
def test_it_is_said_where_a_table_is_wrong(where, new, says, tmp_path, kept, refused):
    table = json.loads(json.dumps(TABLE))
    table['columns']['rho'].setdefault('afer', 1) if 'afer' in where else None
    (tmp_path / 'x.json').write_text(json.dumps(changed(table, list(where), new)))
    assert says in refused(paper.main, [tmp_path / 'x.json'])


@pytest.fixture
def packs(tmp_path, kept, in_process):
    """A table's file and the archive of its four results of two approaches, each a name."""
    path = written(tmp_path, rows=TABLE['rows'][:2])
    assert paper.main([path, '--res_folder', str(tmp_path / 'made'), '--execute', '--keep']) == 0
    return path, kept


def test_kept_results_are_written_whole_or_not_at_all_and_records_first(tmp_path, packs, monkeypatch, refused, capsys):
    path, kept = packs
    before, add, names = kept.read_bytes(), tarfile.TarFile.add, []
    capsys.readouterr()

    def full(self, *args, **kwargs):
        names.append(args[1])
        if len(names) > 3:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return add(self, *args, **kwargs)
    monkeypatch.setattr(tarfile.TarFile, 'add', full)
    assert 'No space left' in refused(paper.main, [path, '--res_folder', tmp_path / 'made', '--keep'])
    assert kept.read_bytes() == before and [f.name for f in kept.parent.iterdir()] == ['mine.tar.xz']
    replacing, written_ = utils.replacing, []

    def short(path, mode='w'):
        written_.append(path.name)
        if len(written_) == 4:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return replacing(path, mode)
    monkeypatch.setattr(utils, 'replacing', short)
    assert 'No space left' in refused(paper.main, [path, '--res_folder', tmp_path / 'res'])
    assert written_ == ['joint_task_0.json', 'joint_task_0.txt', 'joint_task_1.json', 'joint_task_1.txt']
    assert sorted(f.name for f in (tmp_path / 'res').iterdir()) == sorted(written_[:3])
    monkeypatch.setattr(utils, 'replacing', replacing)
    assert paper.main([path, '--res_folder', str(tmp_path / 'res')]) == 0  # goes on from there
    assert 'missing' not in capsys.readouterr().out and len(list((tmp_path / 'res').iterdir())) == 8


def test_an_archive_with_a_byte_flipped_is_refused_and_leaves_nothing(tmp_path, packs, refused):
    path, kept = packs
    whole = kept.read_bytes()
    for i in [*range(0, 40), *range(40, len(whole), 97), *range(len(whole) - 24, len(whole))]:
        kept.write_bytes(whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1:])
        assert 'mine.tar.xz cannot be read' in refused(paper.main, [path, '--res_folder', tmp_path / 'res'])
    for content in (b'', whole[:-30], whole[:50]):
        kept.write_bytes(content)
        assert 'mine.tar.xz cannot be read' in refused(paper.main, [path, '--res_folder', tmp_path / 'res'])
    assert not (tmp_path / 'res').exists()


def test_what_is_no_result_in_an_archive_is_left_out_with_a_warning(tmp_path, packs, capsys):
    path, kept = packs
    there = archive.contents(kept)
    bad = {**there, 'joint_task_0.txt': b'', 'joint_task_1.json': b'{}', 'random_task_0.json': b'\xff', '../x.txt': b'no', 'alone.txt': b''}
    with tarfile.open(kept, 'w:xz') as tar:
        for name, content in bad.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    capsys.readouterr()
    assert paper.main([path, '--res_folder', str(tmp_path / 'res')]) == 0
    said = capsys.readouterr()
    assert '3 of 4 runs are missing' in said.out and 'alone, joint_task_0, joint_task_1, ...: no finished result' in said.err
    assert [f.name for f in sorted((tmp_path / 'res').iterdir())] == ['random_task_1.json', 'random_task_1.txt']


def test_results_of_other_numbers_of_tasks_are_refused(tmp_path, kept, in_process, refused):
    path = written(tmp_path)
    argv = [path, '--res_folder', str(tmp_path / 'res'), '--seeds', '0']
    paper.main([*argv, '--execute'])
    columns = {**TABLE['columns'], 'rho': {**TABLE['columns']['rho'], 'after': 3}}
    line = refused(paper.main, [written(tmp_path, columns=columns), *argv[1:]])
    assert 'are of 2 tasks, expected the same number in all, and at least 3' in line


def test_a_table_s_names_may_be_any_text_in_figures(tmp_path):
    bad = '$x^$ \x1b _a'
    cells = [papers.Cell(bad, '_' + bad, [], 'a_b', (90, 1.), 4, 'average accuracy %', None, 2., [], '')] * 2
    table = papers.Paper(written(tmp_path, title=bad))
    canvas.show(lambda fig: figures.published(fig, [(c, [91., 92.]) for c in cells], table), tmp_path / 'f.png')
    assert (tmp_path / 'f.png').stat().st_size > 5000


def test_labels_of_points_that_lie_together_do_not_overlap(tmp_path, monkeypatch):
    values = [19.5, 19.6, 19.6, 19.7, 19.7, 19.8, 60, 98.9, 99, 99, 99.1, 99.1, 99.2]
    cells = [papers.Cell(str(k), 'b', [], 'a_b', (v, .1), 4, 'average accuracy %', None, 2., [], '') for k, v in enumerate(values)]
    table, boxes = papers.Paper(written(tmp_path)), []

    def keep(fig, output):
        fig.canvas.draw()
        boxes.extend(Text.get_window_extent(t) for ax in fig.axes for t in ax.texts)  # without their lines
    monkeypatch.setattr(canvas, 'save', keep)
    canvas.show(lambda fig: figures.published(fig, [(c, [c.published[0]] * 2) for c in cells], table), tmp_path / 'f.png')
    assert len(boxes) == 13 and not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
