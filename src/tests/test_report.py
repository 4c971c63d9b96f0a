"""The page of a folder's results."""
import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

import compare
import plot_results
import report
from results import overview, records
from runs import checkpoint

VOID = {'meta', 'br', 'img', 'line', 'rect', 'polyline', 'hr'}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects tags, texts and addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.addresses = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        """Notes an element."""
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ('src', 'href')]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Closes it."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        """Notes an element that has nothing within."""
        self.tags.append(tag)

    def handle_data(self, data):
        """Notes a text."""
        self.texts.append(data)


def result(folder, label, approach, seed, experiment='glyphs', tags=(), **more):
    """A finished result of three tasks, with what a run leaves beside it."""
    rs = np.random.RandomState(seed)
    acc = np.tril(rs.uniform(.5, .9, (3, 3)))
    config = {'experiment': experiment, 'approach': approach, 'seed': seed, 'nepochs': 3, 'network': 'mlp', **more}
    output = folder / ('%s_%s_%d.txt' % (label, approach, seed))
    records.save(output, acc, {'status': 'finished', 'command': ['src/run.py', '--experiment', experiment, '--approach', approach],
                               'config': config, 'origin': {'nepochs': '--nepochs'}, 'tags': list(tags), 'seconds': 3.,
                               'tasks': ['a', 'b', '<c>'], 'accuracy': acc.round(6).tolist()})
    epochs = checkpoint.folder(output)
    epochs.mkdir(parents=True, exist_ok=True)
    (epochs / 'epochs.csv').write_text('task,name,epoch,lr,train_loss,train_accuracy,valid_loss,valid_accuracy,seconds\n' + ''.join(
        '%d,%s,%d,0.05,1,0.5,1,%.3f,1\n' % (t, 'ab'[t % 2], e + 1, rs.uniform(.5, 1)) for t in range(3) for e in range(3)))
    return output


@pytest.fixture
def folder(tmp_path):
    """A folder of results of two experiments."""
    for seed in range(2):
        for approach in ('sgd', 'ewc', 'joint', 'random'):
            result(tmp_path, 'glyphs', approach, seed, tags=['one'] if approach == 'sgd' else [])
        result(tmp_path, 'smnist-class', 'sgd', seed, experiment='smnist', scenario='class')
    return tmp_path


def test_the_page_has_all_runs_and_figures_and_needs_nothing_else(folder, capsys):
    assert report.main([str(folder)]) == 0 and 'Report of 10 runs' in capsys.readouterr().out
    text = (folder / 'report.html').read_text()
    page = Page(text)
    assert page.tags.count('details') == 10 and page.tags.count('polyline') == 10 and not {'script', 'link', 'iframe'} & set(page.tags)
    assert all(a.startswith(('data:image/svg+xml;base64,', '#')) for a in page.addresses) and 'url(' not in text and '@import' not in text
    assert {a[1:] for a in page.addresses if a.startswith('#')} <= {'runs', *re.findall(r'id="([^"]+)"', text)}
    assert page.tags.count('img') == 7 + 4  # of glyphs; of one approach on smnist: neither bars, paired nor ratio
    assert '<c>' in page.texts and '<c>' not in text and 'needs results of random and joint' in text and '--nepochs' in page.texts
    bold = re.findall('<strong>(.*?)</strong>', text)
    means = [100 * np.mean([records.read_record(folder / ('glyphs_%s_%d.txt' % (a, s)))['average_accuracy'] for s in (0, 1)]) for a in ('sgd', 'ewc')]
    assert any(b.startswith('%.2f +- ' % max(means)) for b in bold) and 6 <= len(bold) <= 12  # six measures, perhaps ties


def test_tags_choose_the_runs_of_a_page(folder, capsys):
    assert report.main([str(folder), '--tag', 'one', '--output', str(folder / 'one.html')]) == 0
    page = Page((folder / 'one.html').read_text())
    assert page.tags.count('details') == 2 and 'ewc' not in page.texts


def test_bad_input_is_refused_and_hostile_names_are_text(folder, tmp_path, capsys):
    for argv, said in ((['--output', 'a.txt'], 'ends in .html'), (['--tag', 'two'], 'with the tag two')):
        with pytest.raises(Exception, match=said):
            report.main([str(folder), *argv])
    with pytest.raises(Exception, match='no results'):
        report.main([str(tmp_path / 'none')])
    other = json.loads((folder / 'glyphs_sgd_0.json').read_text())
    other['config']['approach'] = other['config']['note'] = '"><script>alert(1)</script>'
    other['command'], other['tags'] = ['src/run.py', '\ud800'], ['\x1b[2J']
    (folder / 'odd.json').write_text(json.dumps(other))
    (checkpoint.folder(folder / 'glyphs_sgd_1.txt') / 'epochs.csv').write_text('task,na')
    assert report.main([str(folder)]) == 0
    page = Page((folder / 'report.html').read_text())
    assert any(r'\x1b[2J' in t for t in page.texts) and any(r'\ud800' in t for t in page.texts)
    assert 'script' not in page.tags and page.tags.count('details') == 11 and page.tags.count('polyline') == 9
    assert any('line 1' in t for t in page.texts)


@pytest.mark.skipif(not shutil.which('chromium'), reason='needs Chromium')
@pytest.mark.parametrize('width', [500, 1200])
def test_chromium_lays_the_page_out_within_its_width(folder, width, capsys):
    report.main([str(folder)])
    text = (folder / 'report.html').read_text().replace('<details ', '<details open ')
    (folder / 'wide.html').write_text(text.replace('</body>', '<script>document.title = document.documentElement.scrollWidth + " of " + '
                                                   'window.innerWidth + " with " + document.images.length</script></body>'))
    done = subprocess.run(['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--window-size=%d,900' % width, '--dump-dom',
                           'file://%s' % (folder / 'wide.html')], capture_output=True, text=True, timeout=120)
    needs, has, images = map(int, re.search(r'<title>(\d+) of (\d+) with (\d+)</title>', done.stdout).groups())
    assert needs <= has and images == 11


def test_all_commands_take_the_names_that_run_takes(tmp_path, capsys):
    for approach in ('sgd', 'ewc'):
        result(tmp_path, 'split-glyphs-6', approach, 0, experiment='split:glyphs:6')
        result(tmp_path, 'smnist', approach, 0, experiment='smnist')
    which = ['--experiment', 'split:glyphs:6', '--approaches', 'ewc,sgd', '--folders', str(tmp_path)]
    assert plot_results.main([*which, '--figure', 'bars', '--table', 'markdown']) == 0 and '| ewc |' in capsys.readouterr().out
    assert compare.main(which) == 0 and capsys.readouterr().out.splitlines()[0].split()[-2:] == ['ewc', 'sgd']
    assert report.main([str(tmp_path), '--experiment', 'split:glyphs:6']) == 0 and 'Report of 2 runs' in capsys.readouterr().out
    with pytest.raises(Exception, match='no results of split-glyphs-7'):
        report.main([str(tmp_path), '--experiment', 'split:glyphs:7'])
    for argv in ([], which[:2], ['a.txt', *which]):
        with pytest.raises(Exception, match='files of results, or --experiment'):
            compare.main(argv)


def test_rows_for_programs_have_every_setting_and_number(folder):
    rows = overview.rows([folder])
    found = list(csv.DictReader(io.StringIO(overview.plain_table(rows).text('csv'))))
    assert len(found) == len(rows) == 10 and {r['experiment'] for r in found} == {'glyphs', 'smnist'}
    for line, row in zip(found, rows):
        assert float(line['average_accuracy']) == row['record']['average_accuracy'] and line['nepochs'] == '3'
        assert line['scenario'] == row['config'].get('scenario', 'task') and float(line['accuracy on task 0']) == row['acc'][2, 0]
