"""What becomes of training that diverges: one line where a loss is not finite, a warning and a mark where it only grows."""
import json

import numpy as np
import pytest
import torch

import run
import discovery
from learning import projection
from results import measures, overview, records
from test_saved import MORE
from utils import UserError

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--samples', '300', '--nepochs', '2', '--net', 'nhid=8,nlayers=1', '--device', 'cpu']


def argv(folder, approach, *options):
    """A short run's command line."""
    more = [str(folder / 'log.pkz') if o == 'LOG' else o for o in MORE.get(approach, [])]
    return [*SHORT, '--approach', approach, '--output', str(folder / ('glyphs_%s_0.txt' % approach)), *more, *options]


@pytest.mark.parametrize('approach', [a for a in discovery.choices('approaches') if a != 'random'])
def test_a_rate_far_too_large_ends_in_one_line_or_a_mark(approach, tmp_path, capsys):
    try:
        run.main(argv(tmp_path, approach, '--lr', '1e30'))
        assert approach == 'online-meta'  # which clips its gradients, and has rates of its own
    except SystemExit as e:
        err = capsys.readouterr().err
        line = err.splitlines()[-1]  # before it perhaps the warning of an earlier task
        assert e.code == 2 and 'Traceback' not in err and 'the loss became' in line and 'a lower --lr may help' in line


def test_a_generator_that_diverges_is_refused_by_its_own_rate(tmp_path, refused):
    line = refused(run.main, argv(tmp_path, 'dgr', '--generator-lr', '1', '--width', '400', '--nepochs', '20'))
    assert 'in the generator (learning rate 1): a lower --generator-lr may help' in line


@pytest.mark.parametrize('size', [float('nan'), float('inf'), 1e30, 1e18])
def test_gradients_too_large_to_be_projected_become_nan(size):
    g, memory = torch.tensor([-1., 1.]) * size, torch.tensor([[1., 0.], [1., 0.], [1., 1e-7]]) * size
    found = projection.gem(g, memory)
    assert found.isnan().all() or (memory.double() @ found.double() >= -1e-3 * size ** 2).all()


def test_a_loss_that_grows_is_warned_of_marked_and_listed_also_by_a_run_that_goes_on(tmp_path, capsys):
    line = argv(tmp_path, 'ewc', '--lr', '1e6', '--keep-checkpoint')
    run.main(line)
    err = capsys.readouterr().err.splitlines()
    assert [e.split(' has')[0] for e in err if 'diverged' in e] == ['warning: task 0', 'warning: task 1']
    output = tmp_path / 'glyphs_ewc_0.txt'
    assert records.read_record(output)['diverged'] == [0, 1]
    print(overview.table(overview.rows([tmp_path])).text('markdown'))
    assert 'finished, diverged in task 0,1 |' in capsys.readouterr().out
    output.unlink(), output.with_suffix('.json').unlink()
    run.main([*line, '--resume'])
    assert records.read_record(output)['diverged'] == [0, 1]
    for wrong in ([2], [-1], ['0'], 0, None):
        output.with_suffix('.json').write_text(json.dumps({**json.loads(output.with_suffix('.json').read_text()), 'diverged': wrong}))
        with pytest.raises(UserError, match='diverged'):
            records.read_record(output)


def test_where_the_first_task_s_norms_are_held_others_own_ones_are_advised(tmp_path, capsys):
    run.main(argv(tmp_path, 'packnet', '--network', 'resnet18', '--net', 'maps=2', '--lr', '1e4', '--retrain', '1', '--pad', '4'))
    err = [e for e in capsys.readouterr().err.splitlines() if 'warning: task' in e]
    assert [e.rpartition('; ')[2] for e in err][-1] == 'a lower --lr or --net norm=task may help'


def test_icarl_is_tested_by_the_loss_on_labels(tmp_path, capsys):
    run.main(argv(tmp_path, 'icarl', '--lr', '1e6'))
    assert records.read_record(tmp_path / 'glyphs_icarl_0.txt')['diverged'] == [0, 1]


@pytest.mark.parametrize('approach, options', [('ewc', ['--lamb', '50000']), ('ewc', ['--lamb', '1e10', '--scenario', 'class']), (
    'lwf', ['--lamb', '10', '--T', '4']), ('mas', ['--lamb', '1000']), ('hat', ['--lamb', '4']), ('si', ['--c', '5000']), ('sgd', ['--lr', '1'])])
def test_large_weights_of_penalties_are_no_divergence(approach, options, tmp_path, capsys):
    run.main(argv(tmp_path, approach, *options))
    assert records.read_record(tmp_path / ('glyphs_%s_0.txt' % approach))['diverged'] == []
    assert 'diverged' not in capsys.readouterr().err


def test_a_task_counts_by_its_own_loss_just_after_it():
    assert measures.diverged(np.array([[5., 0, 0], [1e9, 2, 0], [1, np.nan, 1001]])) == [2]
    assert measures.diverged([[float('nan')]]) == [0] and measures.diverged([[float('inf')]]) == [0] and measures.diverged([[1000.]]) == []
