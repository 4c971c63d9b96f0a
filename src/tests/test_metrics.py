"""Measures of an accuracy matrix: worked by hand, and as public code computes them (methods.json)."""
import json
from pathlib import Path

import numpy as np
import pytest

import run
from results import measures, metrics, records
from results.tables import Mean, Table

ACC = [[.9, 0, 0], [.95, .8, 0], [.7, .6, .5]]
CASES = [c for c in json.loads((Path(__file__).parent / 'methods.json').read_text())['cases'] if c['kind'] == 'metrics']


def test_worked_by_hand():
    s = measures.summary(ACC, before=[.1, .4, .3], untrained=[.1, .2, .25])
    assert s == {k: pytest.approx(v) for k, v in {
        'average_accuracy': .6, 'average_incremental_accuracy': (.9 + .875 + .6) / 3, 'learning_accuracy': (.9 + .8 + .5) / 3,
        'forgetting': (.25 + .2) / 2,  # from the best, not from the first
        'backward_transfer': (-.2 - .2) / 2, 'forward_transfer': (.2 + .05) / 2}.items()}
    assert measures.summary([[.9]]) == {'average_accuracy': .9, 'average_incremental_accuracy': .9, 'learning_accuracy': .9,
                                        'forgetting': None, 'backward_transfer': None}
    a, joint = np.array(ACC), np.array([[.95, 0, 0], [.9, .9, 0], [.9, .9, .8]])
    assert measures.intransigence(a, joint) == pytest.approx((.05 + .1 + .3) / 3)
    assert measures.forgetting(np.array([[.5, 0], [.7, .5]])) == pytest.approx(-.2)  # of what has grown


@pytest.mark.parametrize('case', CASES, ids=[c['id'] for c in CASES])
def test_as_public_code_computes_them(case):
    """The last row is left out of the maximum, as in the paper and in A-GEM's code; Mammoth's keeps it, so that it is never negative."""
    a, b, out = np.array(case['inputs']['A']), case['inputs']['init'], case['outputs']
    n, near = len(a), dict(abs=case['tolerance'])
    before = [b[0], *(a[t - 1, t] for t in range(1, n))]
    assert measures.average_accuracy(a) == pytest.approx(out['gem_authors']['gem_code_acc'], **near)
    assert measures.backward_transfer(a) == pytest.approx(out['mammoth']['mammoth_bwt'], **near)
    assert measures.backward_transfer(a) * (n - 1) / n == pytest.approx(out['gem_authors']['gem_code_bwt_divided_by_T'], **near)
    assert measures.forward_transfer(before, b) == pytest.approx(out['mammoth']['mammoth_fwt'], **near)
    lower = np.tril(a)
    assert measures.forgetting(a) == pytest.approx(out['facil']['facil_mean_forgetting_last_row'], **near)
    assert measures.forgetting(lower) == measures.forgetting(a)
    steps = out['facil']['facil_avg_accuracy_per_step']
    assert measures.average_incremental_accuracy(a) == pytest.approx(np.mean(steps), **near)
    assert measures.learning_accuracy(a) == pytest.approx(np.mean([a[t, t] for t in range(n)]), **near)


def test_a_run_ends_with_its_measures_and_the_record_has_them(tmp_path, capsys):
    short = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--net', 'nhid=30', '--forward-transfer']
    for approach in ('random', 'joint', 'sgd'):
        run.main([*(short[:-1] if approach == 'random' else short), '--approach', approach, '--output', str(tmp_path / ('g_%s_0.txt' % approach))])
    printed = capsys.readouterr().out.split('Done!')[-1]
    record = records.read_record(tmp_path / 'g_sgd_0.txt')
    for name in ('Average accuracy', 'Average incremental accuracy', 'Learning accuracy', 'Forgetting', 'Backward transfer',
                 'Forward transfer', 'Intransigence', 'Rho, the forgetting ratio'):
        assert name in printed
    acc = np.array(record['accuracy'])
    assert record['learning_accuracy'] == pytest.approx(np.diag(acc).mean()) and len(record['untrained']) == 2
    assert record['forward_transfer'] == pytest.approx(record['before_learning'][1] - record['untrained'][1], abs=1e-6)
    assert metrics.report(tmp_path / 'g_sgd_0.txt')['intransigence'] == pytest.approx(
        np.mean(np.diag(records.read_record(tmp_path / 'g_joint_0.txt')['accuracy']) - np.diag(acc)))
    assert record['before_learning'][0] == record['untrained'][0] and (np.loadtxt(tmp_path / 'g_sgd_0.txt')[0, 1] == 0)


def test_texts_mean_nothing_to_what_reads_a_table_and_numbers_stay_numbers():
    texts = ['=1+1', '+x', '-x', '@x', '\x1b[2J', 'a|b`<i>', 'a\nb', r'\input{x}', '&%$#_{}~^', '[1pt]', '*']
    table = Table(['=head', 'n'], [[t, -.5] for t in texts] + [['-0.5', None], ['-1.20 +- 0.30', 3], ['-', 'task'], ['+-95% 2', 1], ['-1e-5', 1]])
    rows = [line.rsplit(',', 1) for line in table.text('csv').splitlines()]
    assert [r[0] for r in rows] == ["'=head", "'=1+1", "'+x", "'-x", "'@x", r'\x1b[2J', 'a|b`<i>', r'a\nb', r'\input{x}', '&%$#_{}~^', '[1pt]',
                                    '*', '-0.5', '-1.20 +- 0.30', '-', '+-95% 2', '-1e-5']
    assert rows[1][1] == '-0.5' and rows[13][1] == '3' and rows[12][1] == ''
    markdown = table.text('markdown').splitlines()
    assert markdown[7] == r'| a\|b\`\<i> | -0.50 |' and markdown[8] == r'| a\nb | -0.50 |' and len(markdown) == 18
    latex = table.text('latex')
    assert r'\textbackslash{}input\{x\} & -0.50' in latex and r'\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}' in latex and '{[}1pt]' in latex
    assert not any('\x1b' in table.text(kind) for kind in ('csv', 'latex', 'markdown'))


def test_a_table_for_a_paper_has_means_with_a_spread_the_best_in_bold_and_seeds_in_the_caption():
    a, b = Mean.of([1., 2., 3.]), Mean.of([2.5])
    table = Table(['approach', 'seeds', 'accuracy %', 'p'], [['sgd', 3, a, .0911], ['hat', 1, b, 3.55], ['joint', 1, Mean.of([9.]), .00004]],
                  '3 seeds', {'accuracy %': max}, apart=('joint',))
    assert a.mean == 2 and a.std == 1 and a.ci == pytest.approx(4.302653 / 3 ** .5) and b.ci is None
    latex = table.text('latex', 'std').splitlines()
    assert r'\caption{3 seeds; $\pm$: standard deviation}' in latex and {r'\toprule', r'\midrule', r'\bottomrule'} <= set(latex)
    assert r'sgd & 2.00 $\pm$ 1.00 & 0.09 \\' in latex and r'hat & \textbf{2.50} & 3.55 \\' in latex
    markdown = table.text('markdown').splitlines()
    assert markdown[2] == '| sgd | 2.00 +- 2.48 | 0.09 |' and markdown[4] == r'| joint | 9.00 | \<0.01 |' and 'interval' in markdown[-1]
    empty = Table(['approach', 'lost'], [['sgd', None], ['hat', None]], 'said')
    assert empty.cells()[0] == ['approach'] and 'lost' not in empty.text('latex') and empty.text('csv').startswith('approach,lost')
    assert table.text('csv').splitlines()[:3:2] == ['approach,seeds,accuracy %,ci95 accuracy %,std accuracy %,p', 'hat,1,2.5,,,3.55']


@pytest.mark.parametrize('values, texts', [((.0911, 3.55), ['0.09', '3.55']), ((.0911, .02), ['0.0911', '0.0200']), ((0., -.004), ['0.00000', '-0.00400'])])
def test_all_cells_of_a_column_have_as_many_digits(values, texts):
    assert [row[0][0] for row in Table(['x'], [[v] for v in values]).cells()[1]] == texts
