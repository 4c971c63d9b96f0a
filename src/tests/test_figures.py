"""What a figure says and shows: its page, the text below it, learning curves; results that do not belong together."""
import json
import re

import pytest

import plot_results
from results import canvas, captions, comparable, curves, drawing, epochs, figures, layout, masks, metrics
from test_plot import JOINT, MINE, RANDOM, base, dump, folder, log, rows, save, write_epochs  # noqa: F401 (a fixture among them)
from utils import UserError


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Calls plot_results with --output and gives (the page, all texts in it)."""
    def call(*argv):
        kept = []

        def keep(fig, output):
            fig.canvas.draw()
            kept.append((fig, ' '.join(t.get_text() for t in fig.findobj(lambda a: hasattr(a, 'get_text')) if t.get_text())))
        monkeypatch.setattr(canvas, 'save', keep)
        assert plot_results.main([*map(str, argv), '--output', str(tmp_path / 'x.png')]) == 0
        fig, text = kept[0]
        return fig, ' '.join(text.split())
    return call


@pytest.mark.parametrize('figure, says', [
    ('ratio', '95 % intervals'), ('matrix', '± standard deviation'), ('tasks', 'bands: ± standard deviation'), ('bars', '95 % intervals'),
    ('order', 'standard deviation'), ('curves', 'bands: least to most, both over the seeds that reached')])
def test_a_figure_says_its_experiment_tasks_seeds_and_what_its_spread_is(figure, says, folder, drawn, monkeypatch):  # noqa: F811
    write_epochs(folder, monkeypatch)
    fig, text = drawn(*base(folder, figure=figure))
    assert 'experiment toy' in text and '3 seeds' in text and says in text
    assert figure in ('ratio', 'bars') or {'a', 'b'} <= set(text.split())
    assert figure != 'tasks' or 'no spread' in drawn(*base(folder, figure=figure), '--seeds', '0')[1]


@pytest.mark.parametrize('figure', ['capacity', 'overlap', 'masks', 'compression'])
def test_a_figure_of_a_log_says_its_experiment(figure, drawn, tmp_path, capsys):
    config = json.dumps({'experiment': 'toy', 'seed': 3})
    text = drawn('--figure', figure, '--logs', dump(tmp_path / 'x.pkz', {**log(), 'config': config}))[1]
    assert 'experiment toy' in text and 'seed 3' in text
    if figure == 'compression':  # of two epochs
        assert 'too few epochs' in text and 'too few epochs' in capsys.readouterr().err


@pytest.mark.parametrize('figure, width', [('ratio', 3.3), ('tasks', 6.9), ('bars', 6.9)])
def test_paper_has_the_widths_and_letters_of_two_columns(figure, width, folder, drawn):  # noqa: F811
    fig, _ = drawn(*base(folder, figure=figure), '--style', 'paper')
    assert fig.get_figwidth() == pytest.approx(width)
    sizes = {t.get_fontsize() for t in fig.findobj(lambda a: hasattr(a, 'get_fontsize')) if t.get_text()}
    assert sizes <= {7, 8}
    assert drawn(*base(folder, figure=figure))[0].get_figwidth() > width


def test_letters_are_embedded_in_a_pdf(folder, capsys):  # noqa: F811
    assert plot_results.main([str(a) for a in [*base(folder), '--style', 'paper', '--output', folder / 'x.pdf']]) == 0
    content = (folder / 'x.pdf').read_bytes()
    assert b'/FontFile2' in content and b'/Type3' not in content
    box = re.search(rb'/MediaBox \[ ?0 0 ([\d.]+)', content)
    assert float(box[1]) == pytest.approx(3.3 * 72, abs=0.5)


def test_lines_differ_without_colour():
    looks = [(s['marker'], str(s['linestyle'])) for s in map(drawing.style, range(24))]
    assert len(set(looks)) == 24 and len({d for _, d in looks[:5]}) == 5


def test_names_are_short_and_harmless():
    assert drawing.short(['mnist-0-1', 'mnist-2-3']) == (['0-1', '2-3'], 'mnist-…')
    assert drawing.short(['a', 'b']) == (['a', 'b'], '') and drawing.short(['glyphs-a']) == (['glyphs-a'], '')
    assert drawing.plain('$x^$\n') == r'\$x^\$?' and len(drawing.plain('x' * 99)) == 40
    assert captions.counted({'a': 3, 'b': 3}) == '3 seeds' and captions.counted({'a': 3, 'b': 1}) == '3 seeds (a), 1 seed (b)'


def test_tasks_of_other_orders_are_places(folder, drawn):  # noqa: F811
    for seed in range(3):
        save(folder, 'mine', seed, MINE, tasks=['a', 'b'] if seed else ['b', 'a'])
    text = drawn(*base(folder, 'mine', 'matrix'))[1]
    assert 'place' in text and 'the order of the tasks differs from seed to seed' in text


def test_the_last_task_is_a_line_too_and_its_spread_is_shown(folder, drawn):  # noqa: F811
    fig, _ = drawn(*base(folder, 'mine', 'tasks'))
    line = next(line for line in fig.axes[0].lines if line.get_label() == 'b')
    assert line.get_xdata().tolist() == [2, 2.4] and len(set(line.get_ydata())) == 1 and line.get_markevery() == [0]
    assert len(fig.axes[0].collections) == 2


def test_a_ratio_above_0_is_told(folder, drawn, capsys):  # noqa: F811
    assert 'undertrained' not in drawn(*base(folder))[1] and 'warning' not in capsys.readouterr().err
    for seed in range(3):
        save(folder, 'joint', seed, MINE - [[0, 0], [.1, 0]])
    assert 'perhaps undertrained: mine' in drawn(*base(folder))[1]
    assert 'mine after 2 tasks' in capsys.readouterr().err


def test_differences_are_corrected_for_their_number(folder, drawn, capsys):  # noqa: F811
    assert metrics.holm({'a': .01, 'b': .04, 'c': .03}) == {'a': pytest.approx(.03), 'c': pytest.approx(.06), 'b': pytest.approx(.06)}
    assert metrics.holm({'a': .9, 'b': .8}) == {'b': 1, 'a': 1}
    for seed in range(3):
        save(folder, 'other', seed, MINE + [[0, 0], [.03 * seed ** 2, .01]])
    table = rows(capsys, *base(folder, 'random,joint,mine,other', 'paired'))
    assert [r['approach'] for r in table] == ['random', 'joint', 'other'] and 'minus mine, points' in table[0]
    p = sorted(float(r['p']) for r in table)
    assert sorted(float(r['p (Holm)']) for r in table) == pytest.approx([3 * p[0], max(3 * p[0], 2 * p[1]), max(2 * p[1], p[2])])
    text = drawn(*base(folder, 'random,joint,mine,other', 'paired'))[1]
    assert 'corrected for 3 comparisons (Holm)' in text and 'points above mine' in text


def test_what_a_comparison_is_against_is_asked_for_where_only_bounds_are_compared(folder, refused):  # noqa: F811
    assert '--against' in refused(plot_results.main, base(folder, 'random,joint', 'paired'))


def test_overlap_shows_what_chance_would_give(drawn, tmp_path, capsys):
    assert masks.by_chance(log()).tolist() == [50, 50]
    path = dump(tmp_path / 'x.pkz', log())
    table = rows(capsys, '--figure', 'overlap', '--logs', path)
    assert table[-1]['of the units of'] == 'any, by chance' and float(table[-1]['a']) == 50
    text = drawn('--figure', 'overlap', '--logs', path)[1]
    assert '33.3 (50)' in text and 'expected by chance' in text


def test_masks_are_sorted_by_the_task_that_uses_a_unit_first(capsys, tmp_path):
    first, second = masks.attention(log())
    assert first.tolist() == [[1, 1], [1, 0], [0, 1], [0, 0]] and second.tolist() == [[1, 0], [0, 1]]
    table = rows(capsys, '--figure', 'masks', '--logs', dump(tmp_path / 'x.pkz', log()))
    assert [(r['layer'], r['task'], r['used'], r['first used']) for r in table] == [
        ('fc1', 'a', '2', '2'), ('fc1', 'b', '2', '1'), ('fc2', 'a', '1', '1'), ('fc2', 'b', '1', '1')]


def test_order_gives_accuracies_by_place(folder, capsys):  # noqa: F811
    one, two = rows(capsys, *base(folder, 'mine', 'order'))
    assert float(one['just learnt %']) == pytest.approx(90) and float(one['after the last task %']) == pytest.approx(72)
    assert float(one['std after the last task %']) == pytest.approx(2)
    assert two['task'] == 'b' and float(two['just learnt %']) == pytest.approx(35)
    for k in (0, 1):  # where only results of orders are there, they are taken together
        for seed in range(2):
            save(folder, 'x', seed, MINE + [[0, 0], [.1 * k, 0]], tasks=['a', 'b'][::1 - 2 * k])
            for suffix in ('txt', 'json'):
                (folder / ('toy_x_%d.%s' % (seed, suffix))).rename(folder / ('toy-order%d_x_%d.%s' % (k, seed, suffix)))
    one = rows(capsys, *base(folder, 'x', 'order'))[0]
    assert one['runs'] == '4' and one['task'] == 'place 1' and float(one['after the last task %']) == pytest.approx(75)


def test_shades_do_not_blow_up_a_point():
    low, high = figures.shades([[59.4, 60.7]])
    assert low <= 59 and high >= 61 and 10 <= high - low <= 12
    assert figures.shades([[99.5, 99.9]]) == (90, 100) and figures.shades([[0, 1.]]) == (0, 10) and figures.shades([[5, 95.]]) == (5, 95)


def test_curves_are_over_the_seeds_that_reached_an_epoch(folder, capsys, drawn, monkeypatch):  # noqa: F811
    path = write_epochs(folder, monkeypatch)
    table = rows(capsys, *base(folder, 'mine', 'curves'))
    first = [r for r in table if r['task'] == 'a']  # seeds 0 to 2 have 3, 4 and 2 epochs; accuracy (seed + epoch) / 10
    assert [r['seeds'] for r in first] == ['3', '3', '2', '1']
    assert [float(first[2][k]) for k in ('validation accuracy %', 'least', 'most')] == pytest.approx([35, 30, 40])
    loss = rows(capsys, *base(folder, 'mine', 'curves'), '--measure', 'valid_loss')
    assert float(loss[0]['validation loss']) == pytest.approx(1.9)
    for f in folder.rglob('toy_random_*/epochs.csv'):
        f.write_text(','.join(epochs.COLUMNS) + '\n')
    fig, text = drawn(*base(folder, 'random,mine', 'curves'))
    assert 'random trains no epochs' in capsys.readouterr().err and 'validation accuracy (%)' in text and 'random' not in text
    path.unlink()
    with pytest.raises(UserError, match='there is no .*epochs.csv'):
        plot_results.main([str(a) for a in [*base(folder, figure='curves'), '--table', 'csv']])
    twice = [{'task': 0, 'epoch': 1, 'valid_loss': v} for v in (3., 2.)]  # of two paths of PathNet
    assert curves.gather({'a': {0: twice}}, 'valid_loss')['a'][0].tolist() == [[3, 2]]


GOOD = '0,"a,b",1,0.05,1.5,0.5,1.4,0.6,0.1,\n1,b,1,0.05,1.5,0.5,1.4,0.6,0.1,7.5\n'


@pytest.mark.parametrize('content, says', [
    (GOOD[:-1], 'line 3: the file was cut off'), (GOOD[:-8], 'line 3: the file was cut off'),
    (GOOD[:-5] + '\n', 'line 3: 9 cells, expected 10'),
    (GOOD + '1,b\n', 'line 4: 2 cells.*cut off'), (GOOD.replace('1.4', 'x', 1), "line 2: valid_loss is 'x'"),
    (GOOD.replace('1.4', 'nan', 1), 'nan'),
    (GOOD.replace('1.4', '', 1), "valid_loss is ''"), (GOOD.replace(',0.6', ',1.6', 1), 'line 2: valid_accuracy is 1.6, expected 0 to 1'),
    (GOOD.replace('b,1,', 'b,0,'), 'line 3: epoch'), (GOOD.replace('b,1,', 'b,2,'), 'line 3: epoch 2 of task 1 does not follow'),
    ('-' + GOOD, 'line 2: task'), (GOOD.replace('"', '', 1), 'line 2'),
    (GOOD.replace('7.5', 'y'), "R is 'y'"),
    (None, 'there is no'), (b'\xff\xfe', 'cannot be read'), ('', 'line 1')])
def test_a_table_of_epochs_is_read_or_the_bad_line_is_named(content, says, tmp_path):
    path, head = tmp_path / 'epochs.csv', ','.join(epochs.COLUMNS) + ',R\n'
    path.write_text(head + GOOD)
    found = epochs.load(path)
    assert found[0]['name'] == 'a,b' and found[0]['R'] is None and found[1]['R'] == 7.5 and found[1]['task'] == 1 and found[1]['epoch'] == 1
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else (head * bool(content) + content).encode())
    with pytest.raises(UserError, match=says):
        epochs.load(path)
    path.write_text(head)
    assert epochs.load(path) == []


def test_results_of_other_experiments_are_not_compared(folder, refused, capsys):  # noqa: F811
    save(folder, 'mine', 1, MINE, config={'experiment': 'other', 'approach': 'mine'})
    line = refused(plot_results.main, base(folder, 'joint,mine', 'bars'))
    assert 'different experiments: other (toy_mine_1.txt); toy (toy_joint_0.txt' in line
    save(folder, 'mine', 1, MINE, config={'experiment': 'toy', 'approach': 'mine', 'scenario': 'class'})
    assert 'toy, class-incremental (toy_mine_1.txt)' in refused(plot_results.main,
                                                                base(folder, 'joint,mine', 'bars'))
    save(folder, 'joint', 1, JOINT, config={'experiment': 'toy', 'approach': 'sgd'})
    rows(capsys, *base(folder, 'joint', 'bars'), '--seeds', '1')
    assert plot_results.main([str(a) for a in [*base(folder, 'joint', 'bars'), '--table', 'csv']]) == 0
    assert 'toy_joint_1.txt is of sgd, by its record' in capsys.readouterr().err


def test_results_that_differ_in_more_than_the_seed_are_told(folder, capsys):  # noqa: F811
    for seed, nepochs in ((0, 5), (1, 200), (2, 200)):
        save(folder, 'mine', seed, MINE, config={'experiment': 'toy', 'approach': 'mine', 'nepochs': nepochs, 'seed': seed, 'lr': .1})
    assert plot_results.main([str(a) for a in [*base(folder, 'joint,mine', 'bars'), '--table', 'csv']]) == 0
    err = capsys.readouterr().err
    assert err == 'warning: the results of mine differ in more than the seed: nepochs 5 (seed 0) and 200 (seed 1,2)\n'
    assert comparable.differences({0: {'config': {'a': 1}, 'tasks': ['x', 'y']}, 1: {'config': {'a': 1}, 'tasks': ['y', 'x']}}) == {}


def test_a_folder_without_results_says_what_is_there(folder, tmp_path, refused):  # noqa: F811
    (tmp_path / 'empty').mkdir()
    line = refused(plot_results.main, [*base(tmp_path / 'empty', 'mine', 'bars'), tmp_path / 'gone', folder, '--experiment', 'tor'])
    assert 'empty has no results' in line and 'gone is not a folder that exists' in line and 'results of toy: joint,mine,random' in line


def test_tags_choose_results(folder, capsys, refused):  # noqa: F811
    save(folder, 'mine', 0, MINE, tags=['final', 'wide'])
    save(folder, 'mine', 1, MINE, tags=['final'])
    save(folder, 'random', 0, RANDOM, tags='final')  # not a list
    assert rows(capsys, *base(folder, 'mine', 'bars'))[0]['seeds'] == '3'
    assert rows(capsys, *base(folder, 'mine', 'bars'), '--tag', 'final')[0]['seeds'] == '2'
    assert rows(capsys, *base(folder, 'mine', 'bars'), '--tag', 'wide,final')[0]['seeds'] == '1'
    assert 'with the tag other' in refused(plot_results.main,
                                           [*base(folder, 'mine', 'bars'), '--tag', 'other'])
    assert 'with the tag final' in refused(plot_results.main,
                                           [*base(folder, 'random', 'bars'), '--tag', 'final'])
    assert '--tag' in refused(plot_results.main, ['--figure', 'masks', '--logs', 'x.pkz', '--tag', 'a'])
    assert '--measure' in refused(plot_results.main,
                                  [*base(folder, 'mine', 'bars'), '--measure', 'valid_loss'])


@pytest.mark.parametrize('name', ['approach-%d', '%d'])
def test_a_long_legend_fits_on_the_page(name):
    import matplotlib
    from matplotlib import pyplot
    with matplotlib.rc_context(layout.settings('paper')):
        fig = pyplot.figure(FigureClass=layout.Page, style='paper', layout='constrained').size(4)
        ax = fig.subplots()
        for i in range(12):
            ax.plot([0, 1], [i, i], label=name % i, **drawing.style(i))
        before = fig.get_figheight()
        fig.key()
        fig.note('experiment x', '3 seeds', 'text ' * 40)
        fig.canvas.draw()
        box = fig.legends[0].get_window_extent()
        assert box.x0 >= 0 and box.x1 <= fig.bbox.width and fig.get_figheight() > before
        assert box.y0 >= ax.get_window_extent().y1 and ax.get_window_extent().height > 0.3 * before * fig.dpi
        text = fig._supxlabel.get_window_extent()
        assert text.x0 >= 0 and text.x1 <= fig.bbox.width and text.y1 <= ax.get_tightbbox().y0
        pyplot.close(fig)
