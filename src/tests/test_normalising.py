"""Networks of one's own whose layers normalise by running statistics: what old tasks keep of them, and what is said of it."""
import warnings
from types import SimpleNamespace

import pytest
import torch

import evaluate
import run
import discovery
import utils
from approaches import agem, ewc, gem, hat, imm_mean, imm_mode, mas, packnet, sgd_frozen, wsn
from learning import normalising
from results import records
from runs import certificate
from synthetic import goes_on, said
from test_foreign import THEIRS, dropped  # noqa: F401 a fixture
from test_saved import check, tidy  # noqa: F401 a fixture

NAMES = ['bn1.running_mean', 'bn1.running_var', 'bn2.running_mean', 'bn2.running_var']
SMALL = {'nepochs': 3, 'sbatch': 16, 'lr': .1}


def data():
    """(data, taskcla, size) of three tasks."""
    return discovery.load('dataloaders', 'their_data').get()


def made(kind, network='normed', **kwargs):
    """An approach on a network with batch normalisation, from one seed, and its data."""
    utils.seed_everything(0)
    found, taskcla, size = data()
    return kind(discovery.load('networks', network).Net(size, taskcla), **{**SMALL, **kwargs}), found


def train(appr, found, t):
    """One task's training."""
    appr.train(t, *(found[t][s][k] for s in ('train', 'valid') for k in 'xy'))


def buffers(net):
    """Copies of all buffers."""
    return {n: b.clone() for n, b in net.named_buffers()}


def run_of(approach, output, *options):
    """The record of a run on these networks."""
    network = [] if '--network' in options else ['--network', 'normed']
    run.main([*THEIRS, '--lr', '.1', '--sbatch', '16', '--approach', approach, *network, '--output', str(output), *options])
    return records.read_record(output)


@pytest.mark.parametrize('kind, more', [(sgd_frozen.Appr, {}), (packnet.Appr, {'retrain': 2}), (wsn.Appr, {})])
def test_old_tasks_keep_the_statistics_that_the_first_one_left(kind, more, dropped, capsys):
    appr, found = made(kind, **more)
    moved, train_epoch = [], appr.train_epoch

    def watched(t, *batch):
        before = buffers(appr.model)
        train_epoch(t, *batch)
        moved.append((t, any(not torch.equal(b, before[n]) for n, b in buffers(appr.model).items())))
        assert appr.model.drop.training  # dropout goes on
    appr.train_epoch, kept, normed = watched, [], []
    for t in range(3):
        train(appr, found, t)
        kept.append(said(appr, t, found[t]['test']['x']))
        normed.append([p.clone() for m in normalising.layers(appr.model).values() for p in m.parameters()])
    assert {m for t, m in moved if t == 0} == {True} and {m for t, m in moved if t > 0} == {False}  # every epoch of either phase
    assert all(torch.equal(said(appr, u, found[u]['test']['x']), z) for u, z in enumerate(kept))
    assert all(torch.equal(p, q) for later in normed[1:] for p, q in zip(later, normed[0]))


@pytest.mark.parametrize('kind', [imm_mean.Appr, imm_mode.Appr])
def test_imm_merges_statistics_in_equal_parts(kind, dropped, capsys):
    appr, found = made(kind)
    end, there = appr.end_task, []

    def watched(t, x, y):
        there.append(buffers(appr.model))
        end(t, x, y)
    appr.end_task = watched
    for t in range(3):
        train(appr, found, t)
        now = buffers(appr.model)
        for n in ('bn1', 'bn2'):
            means, variances = (torch.stack([b['%s.running_%s' % (n, k)] for b in there]) for k in ('mean', 'var'))
            mean = means.mean(0)
            assert torch.allclose(now[n + '.running_mean'], mean, atol=1e-6)
            assert torch.allclose(now[n + '.running_var'], (variances + means.square()).mean(0) - mean.square(), atol=1e-5)
            assert now[n + '.num_batches_tracked'] == there[-1][n + '.num_batches_tracked']
        assert {*NAMES, 'bn1.weight'} <= set(appr.old)


def test_what_is_estimated_leaves_the_statistics_alone(dropped, capsys):
    for kind, more in ((ewc.Appr, {}), (ewc.Appr, {'fisher': 'sample'}), (ewc.Appr, {'fisher': 'exact'}), (mas.Appr, {})):
        appr, found = made(kind, **more)
        train(appr, found, 0)
        before, (x, y) = buffers(appr.model), (found[0]['train'][k] for k in 'xy')
        appr.end_task(0, x, y)
        assert all(torch.equal(b, before[n]) for n, b in buffers(appr.model).items()), (kind, more)
        assert len({m.training for m in appr.model.modules()}) == 1
    for kind in (gem.Appr, agem.Appr):
        appr, found = made(kind, buffer_size=40)
        train(appr, found, 0)
        appr.configure(seen=2)
        appr.model.train()
        before = buffers(appr.model)
        first = appr.gradients(torch.arange(len(appr.memory)))
        assert all(torch.equal(b, before[n]) for n, b in buffers(appr.model).items())
        again = appr.gradients(torch.arange(len(appr.memory)))
        assert any(g is not None and not torch.equal(g, h) for g, h in zip(first, again))  # dropout as it was
        assert all(m.training for m in appr.model.modules())


def test_the_fisher_of_batches_still_has_dropout(dropped, capsys):
    appr, found = made(ewc.Appr)
    train(appr, found, 0)
    with torch.random.fork_rng():
        first, second = (appr.fisher_diagonal(0, *(found[0]['train'][k] for k in 'xy')) for _ in range(2))
    assert not torch.equal(first['fc1.weight'], second['fc1.weight'])


def test_hat_says_before_it_trains_which_statistics_its_tasks_share(dropped, capsys):
    appr, found = made(hat.Appr, 'normed_hat')
    seen = []
    appr.fitting.on_epoch = lambda: seen.append(len(caught))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for t in range(2):
            train(appr, found, t)
    texts = [str(w.message) for w in caught]
    assert [t for t in texts if 'running statistics of bn1, which no gate protects' in t] == texts and len(texts) == 1
    assert seen[0] == 1 and appr.account(2)['shared_statistics'] == ['bn1']  # bn2 has one layer for each task
    appr, found = made(hat.Appr, 'residual_hat')
    train(appr, found, 0)
    assert 'shared_statistics' not in appr.account(1)


def test_the_certificate_names_the_buffer_that_has_moved_most(dropped, tmp_path, capsys):
    for approach in ('sgd', 'sgd-frozen', 'packnet', 'independent', 'imm-mean'):
        record = run_of(approach, tmp_path / (approach + '.txt'), *(['--retrain', '1'] if approach == 'packnet' else []))
        printed, found = capsys.readouterr().out, record['largest_change']
        if approach in ('sgd', 'imm-mean'):
            assert found['buffer'] > 1e-2 and found['buffer_name'] in NAMES
            assert '; of a buffer: %.1g (%s)' % (found['buffer'], found['buffer_name']) in printed
        else:
            assert found['buffer'] == 0 and max(found['logits']) < 1e-6 and printed.count('; of a buffer: 0\n') == 1
    with pytest.warns(UserWarning, match='running statistics of bn1'):
        record = run_of('hat', tmp_path / 'hat.txt', '--network', 'normed')
    found = record['largest_change']
    assert record['shared_statistics'] == ['bn1'] and found['buffer'] > 1e-2 and found['buffer_name'].startswith('bn1.')
    assert 'buffer' not in run_of('sgd', tmp_path / 'plain.txt', '--network', 'residual')['largest_change']


def test_the_certificate_catches_a_buffer_that_is_changed_by_hand(dropped, capsys):
    appr, found = made(sgd_frozen.Appr)
    there = certificate.Certificate(SimpleNamespace(appr=appr, data=found))
    train(appr, found, 0)
    there.task(0)
    appr.model.bn2.running_mean[3] += .25
    appr.configure(seen=2)
    there.task(1)
    there.task(2)
    assert there.state['buffer'] == [pytest.approx(.25, abs=1e-6), 'bn2.running_mean']
    appr, found = made(hat.Appr, 'normed_hat')
    gated = certificate.Certificate(SimpleNamespace(appr=appr, data=found))
    with pytest.warns(UserWarning):
        train(appr, found, 0)
    gated.task(0)
    assert sorted(gated.state['buffers'][0]) == [*NAMES[:2], 'bn2.0.running_mean', 'bn2.0.running_var']  # what task 0 passes
    appr.model.compile(backend='eager')
    gated.task(0)
    assert len(gated.state['buffers'][0]) == 2 + 3 * 2
    appr, _ = made(sgd_frozen.Appr)


@pytest.mark.parametrize('approach, scenario', [
    ('sgd-frozen', 'class'), ('packnet', 'task'), ('packnet', 'domain'), ('imm-mean', 'domain'),
    ('imm-mode', 'class'),
    ('independent', 'class'), ('hat', 'task'), ('hat', 'class'), ('wsn', 'domain'), ('gpm', 'class')])
@pytest.mark.filterwarnings('ignore:HAT')
def test_a_saved_model_computes_its_row(approach, scenario, dropped, tmp_path, capsys, one_thread):
    output = tmp_path / 'o.txt'
    run_of(approach, output, '--scenario', scenario, '--save', *(['--retrain', '1'] if approach == 'packnet' else []))
    check(output, 'dat')
    assert evaluate.main([str(output), '--after', '1']) == 0 and 'The row of the record is the same' in capsys.readouterr().out


@pytest.mark.parametrize('approach', ['sgd', 'sgd-frozen', 'packnet', 'imm-mean', 'imm-mode', 'ewc', 'gem', 'independent', 'hat', 'wsn', 'gpm'])
@pytest.mark.filterwarnings('ignore:HAT')
def test_training_goes_on_bit_for_bit_from_every_epoch(approach, dropped, capsys):
    kind, network = discovery.load('approaches', approach).Appr, 'normed_hat' if approach == 'hat' else 'normed'
    more = {'retrain': 1} if approach == 'packnet' else {}
    # within tasks and between them
    goes_on(lambda: made(kind, network, nepochs=2, **more)[0], data()[0], lambda n: range(1, n, 3))
