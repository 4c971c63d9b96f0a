"""Settings: one declaration, one parse, a file; tags, and the list of a folder's runs."""
import re
import sys

import pytest

import approaches
import dataloaders
import networks
import plot_results
import results as package
import run
import run_multi
import discovery
from results import overview, records
from runs import advice, commandline, conflicts, locking, options, place
from utils import ROOT, UserError

SHORT = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--device', 'cpu', '--net', 'nhid=30']
TOML = 'experiment = "glyphs"\napproach = "hat"\ntasks = [0, 1]\nnepochs = 1\nlamb = 0.5\nno_patience = true\nfinal-valid = false\n'


def expanded(argv, *more):
    """What a command line comes to."""
    from runs import config
    return options.parse(*config.expand([str(a) for a in argv]), *more)[0]


@pytest.fixture
def toml(tmp_path):
    """A function that writes a file of settings."""
    def write(text):
        (tmp_path / 'a.toml').write_text(text)
        return tmp_path / 'a.toml'
    return write


def test_a_file_gives_options_and_the_command_line_wins(toml):
    path = toml(TOML)
    args = expanded(['--config', path, '--lamb', '0.7', '--seed', '3'])
    assert (args.experiment, args.approach, args.tasks, args.nepochs, args.hyper['lamb'], args.seed) == ('glyphs', 'hat', '0,1', 1, .7, 3)
    assert args.no_patience and not args.final_valid
    assert args.origin['lamb'] == '--lamb' and args.origin['nepochs'] == args.origin['tasks'] == str(path) and args.origin['lr'] == 'default'
    assert expanded(['--config', path, '--iterations', '5']).iterations == 5  # instead of the file's epochs
    assert expanded(['--config', path, '--parameter', '0.3,100']).hyper.items() >= {'lamb': .3, 'smax': 100}.items()
    assert expanded(['--config', path, '--approach', 'sgd']).hyper == {}
    positional = toml(TOML.replace('lamb = 0.5', 'parameter = "0.5,50"'))
    assert expanded(['--config', positional, '--lamb', '0.7']).hyper.items() >= {'lamb': .7, 'smax': 50}.items()
    assert expanded(['--config', toml(TOML + 'net = {nhid = 50, nlayers = 1}\n')]).net == 'nhid=50,nlayers=1'


def test_files_that_are_no_settings_are_refused(toml, tmp_path, refused):
    for text, said in ((TOML + 'nepoch = 2\n', 'no option nepoch; perhaps nepochs'), ('a = 1\nb = = 2\n', 'line 2, column 5'),
                       ('resume = 3\n', 'expected true or false'), ('lr = true\n', 'expected a value'), (TOML + 'gamma = 1\n', 'gamma'),
                       (TOML.replace('= 1\n', '= "x"\n'), 'nepochs'), ('help = true\n', 'cannot come from a file'),
                       (TOML + 'parameter = [1, 2]\n', 'not both'), (TOML + 'final_valid = true\n', 'given twice'),
                       ('a = ' + '[' * 3000, 'cannot be read')):
        assert said in refused(run.main, ['--config', toml(text), '--experiment', 'glyphs', '--approach', 'hat'])
    assert 'cannot be read' in refused(run.main, ['--config', tmp_path / 'none.toml'])
    assert 'no record' in refused(run.main, ['--config', tmp_path / 'none.json'])


def test_a_plan_takes_a_file_too(toml, tmp_path, capsys):
    plan = ['--experiments', 'glyphs', '--approaches', 'sgd,hat', '--seeds', '0', '--res_folder', str(tmp_path), '--', '--config']
    assert run_multi.main([*plan, str(toml('nepochs = 2\ntag = "a,b"\n'))]) == 0
    out = capsys.readouterr().out
    assert out.count('--nepochs=2 --tag=a,b') == 2
    with pytest.raises(Exception, match='--lamb is an option of'):  # of a file the experiment and the approach are the plan's
        run_multi.main([*plan, str(toml(TOML))])
    assert run_multi.main([*plan, str(toml(TOML.replace('lamb = 0.5', '')))]) == 0
    assert '--tasks=0,1 --nepochs=1' in capsys.readouterr().out
    with pytest.raises(Exception, match='for a single run.py'):
        run_multi.main([*plan[:-1], '--debug'])


def test_a_plan_marks_its_runs_those_that_are_there_too(tmp_path, capsys):
    plan = ['--experiments', 'glyphs', '--approaches', 'random', '--seeds', '0', '--res_folder', str(tmp_path), '--execute']
    run.main(['--experiment', 'glyphs', '--approach', 'random', '--output', str(tmp_path / 'glyphs_random_0.txt'), '--tag', 'c'])
    capsys.readouterr()
    assert run_multi.main([a for a in plan if a != '--execute'] + ['--tag', 'b,a']) == 0 and '--tag a,b' in capsys.readouterr().out
    assert records.read_record(tmp_path / 'glyphs_random_0.txt')['tags'] == ['c']  # a plan changes nothing
    assert run_multi.main([*plan, '--tag', 'b,a']) == 0 and '1 finished' in capsys.readouterr().out
    assert records.read_record(tmp_path / 'glyphs_random_0.txt')['tags'] == ['a', 'b', 'c']


def test_a_record_is_a_config_and_results_are_listed(tmp_path, capsys, refused):
    short = [*SHORT, '--output', str(tmp_path / 'a.txt'), '--tag', 'one,two']
    run.main([*short, '--approach', 'hat', '--parameter', '0.5,50', '--seed', '4', '--save'])
    run.main(['--config', str(tmp_path / 'a.json'), '--lamb', '0.7', '--output', str(tmp_path / 'b.txt'), '--tag', 'two'])
    one, two = (records.read_record(tmp_path / f) for f in ('a.txt', 'b.txt'))
    assert {k for k in one['config'] if one['config'][k] != two['config'][k]} == {'lamb'}
    assert two['config']['smax'] == 50 and two['config']['seed'] == 4 and not list(tmp_path.glob('**/b/task*.pt'))
    run.main(['--rerun', str(tmp_path / 'b.json')])
    capsys.readouterr()
    (tmp_path / 'c.json').write_text('{}')
    there = overview.rows([tmp_path], ['two'])
    assert [r['path'].name for r in there] == ['a.json', 'b.json', 'b_rerun.json'] and 'c.json is not a record' in capsys.readouterr().err
    rows = overview.table(there).rows
    assert [r[4] for r in rows] == ['lamb=0.5', 'lamb=0.7', 'lamb=0.7'] and rows[0][:4] == ['glyphs', 'hat', 4, 'one,two']
    assert [r['path'].name for r in overview.rows([tmp_path], ['one', 'two'])] == ['a.json']
    main, a, killed = script('results.py'), tmp_path / 'a.txt', 'killed: nobody is writing it'
    records.mark(a, status='running')
    for state, said in (([], killed + ' |'), (['checkpoint.pt'], killed + ', --resume goes on |')):
        for name in state:
            (place.folder(a) / name).write_text('')
        assert main([str(tmp_path), '--tag', 'one']) == 0 and said in capsys.readouterr().out
    with locking.lock(a):
        assert main([str(tmp_path), '--tag', 'one']) == 0 and 'running |' in capsys.readouterr().out
    assert main([str(tmp_path), '--tag', 'one']) == 0 and capsys.readouterr().out.count('glyphs') == 1
    for argv, said in (([str(tmp_path), '--tag', 'three'], 'with the tag three'), ([str(tmp_path / 'no')], 'no results in')):
        with pytest.raises(Exception, match=said):
            main(argv)
    capsys.readouterr()
    assert 'expected words' in refused(run.main, [*short, '--approach', 'sgd', '--tag', 'a b'])


def script(name):
    """main() of a command whose name a package has, too."""
    import importlib.util
    spec = importlib.util.spec_from_file_location('command', ROOT / 'src' / name)
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    assert package.__file__.endswith('__init__.py')
    return command.main


def test_settings_that_differ_are_those_within_an_approach_or_an_experiment():
    def config(approach, **more):
        return {'experiment': 'e', 'approach': approach, 'seed': 0, 'nepochs': 5, **more}
    configs = [config('sgd'), config('sgd', scenario='class'), config('hat', lamb=.5), config('hat', lamb=.5, nepochs=7)]
    assert overview.differing(configs) == [
        'nepochs=5, scenario=task', 'nepochs=5, scenario=class', 'nepochs=5, scenario=task', 'nepochs=7, scenario=task']
    assert overview.differing(configs[:1] + configs[2:3]) == ['', '']
    assert overview.differing([config('sgd', pc_valid=None), config('sgd', pc_valid=.1)]) == ['pc_valid=-', 'pc_valid=0.1']


def test_a_run_ends_with_a_paragraph_whose_command_works(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.show', lambda: None)
    for name, ends in (('glyphs_sgd_0.txt', '.png'), ('other.txt', str(tmp_path))):
        run.main([*SHORT, '--approach', 'sgd', '--output', str(tmp_path / name)])
        said = capsys.readouterr().out.split('Elapsed time')[1]
        assert 'average accuracy' in said and 'forgetting' in said and str(tmp_path / name) in said.replace('\n', ' ') and 'epochs.csv' in said
        command = said.splitlines()[-1].split()
        assert command[0] == 'python' and said.rstrip().endswith(ends)
        path = ROOT / command[1]
        assert (script(path.name) if path.name == 'results.py' else plot_results.main)(command[2:]) == 0
    assert (tmp_path / 'glyphs_sgd_0.png').exists()


@pytest.fixture
def more(tmp_path, monkeypatch):
    """A folder of further approaches, dataloaders and networks."""
    for package in (approaches, dataloaders, networks):
        monkeypatch.setattr(package, '__path__', [*package.__path__, str(tmp_path)])
    return tmp_path


OWN = """import torch
from approaches import base
class Appr(%s):
    def __init__(self, model, nepochs=100, sbatch=64, lr=0.05, %sargs=None):
        %s
        args.started = args.started + 1 if hasattr(args, 'started') else args.seed
    def train(self, t, xtrain, ytrain, xvalid, yvalid, args=None):
        args.started += 1
        print('started', args.started, args.device)
    def eval(self, t, x, y):
        return 0., 1.
"""
BASED = OWN % ('base.Appr', 'lr_min=1, lr_factor=1, lr_patience=1, ', 'super().__init__(model, args=args)')


@pytest.mark.parametrize('text', [OWN % ('object', '', 'self.model = model'), BASED], ids=['object', 'base'])
def test_a_class_may_set_and_read_attributes_of_its_args(text, more, tmp_path, capsys):
    (more / 'starting.py').write_text(text)
    run.main([*SHORT, '--approach', 'starting', '--seed', '5', '--output', str(tmp_path / 'o.txt')])
    printed = capsys.readouterr().out
    assert 'started 6 cpu' in printed and 'started 7 cpu' in printed


def test_broken_files_stop_no_run_and_none_is_imported_unless_chosen(more, refused, capsys, tmp_path):
    for name, text in (('exits', 'import sys\nsys.exit(3)\nclass Appr: pass\nclass Net: pass\ndef get(): pass\n'),
                       ('torn', 'class Appr:\n    def (\n'), ('nul', 'class Net: pass\n\0'), ('deep', 'x = ' + '(' * 5000)):
        (more / (name + '.py')).write_text(text)
    (more / 'bytes.py').write_bytes(b'class Appr: pass\n"\xff\xfe"\n')
    (more / 'gone.py').symlink_to(more / 'nowhere')
    names = [discovery.choices(folder) for folder in ('approaches', 'dataloaders', 'networks')]
    assert all('exits' in there and not {'torn', 'nul', 'deep', 'bytes', 'gone'} & set(there) for there in names)
    assert run.main([*SHORT, '--approach', 'random', '--output', str(tmp_path / 'o.txt')]).shape == (2, 2)
    assert '--smax is an option of adahat, hat, hat-test; sgd has none' in refused(run.main, [*SHORT, '--approach', 'sgd', '--smax', '4'])
    with pytest.raises(SystemExit):
        run.main(['--help'])
    assert '\n  exits' in capsys.readouterr().out and 'approaches.exits' not in sys.modules
    assert re.search(r'/torn.py cannot be read: line 2: ', refused(run.main, [*SHORT, '--approach', 'torn']))
    for option, name in (('--network', 'nul'), ('--network', 'deep'), ('--approach', 'bytes')):
        assert name + '.py cannot be read' in refused(run.main, [*SHORT, '--approach', 'sgd', option, name])


@pytest.mark.parametrize('name', discovery.choices('approaches'))
def test_the_hyper_parameters_read_from_a_file_are_those_of_its_class(name):
    assert set(advice.hyper_names(name)) == {h.name for h in discovery.load('approaches', name).Appr.hyperparameters}


def test_every_option_that_a_result_depends_on_is_in_the_record_with_its_origin():
    args, _ = options.parse([*SHORT, '--approach', 'er', '--momentum', '0.9', '--scenario', 'class', '--amp', 'bf16', '--buffer', 'ring'])
    found, changed = options.settings(args), {'momentum': .9, 'scenario': 'class', 'amp': 'bf16'}
    always = [n for n, option in commandline.ALL.items() if option.record == commandline.ALWAYS]
    assert set(found) == {*always, *changed, 'net', 'buffer', 'buffer_size', 'weighting'} and changed.items() <= found.items()
    assert args.origin.keys() == found.keys() and args.origin['momentum'] == '--momentum' and args.origin['sbatch'] == 'default'


CLASHING = [
    'sgd --pc-valid 1', 'sgd --data-dir=', 'sgd --device=', 'sgd --nepochs 1 --iterations 5', 'sgd --lr 1e-5', 'sgd --set a=1',
    'ours --scenario class', 'plain --scenario class', 'er --active-classes all', 'hat --infer max-logit',
    'er --scenario class --infer max-logit', 'hat --scenario class --active-classes all',
    'icarl --scenario class --active-classes current', 'er --scenario domain --joined-heads', 'sgd --optimizer adam --momentum .5',
    'ours --dry-run', 'random --profile', 'ours --resume', 'ours --keep-checkpoint', 'ours --save', 'ours --forward-transfer',
    'ours --optimizer adam', 'ours --plain', 'random --save', 'random --forward-transfer', 'pathnet --no-patience',
    'gdumb --momentum .5', 'independent --joined-heads', 'sgd --joined-heads', 'hat --compile',
    'sgd --no-patience --schedule cosine', 'sgd --warmup 201', 'batches --augment flip', 'ours --eval-every 5',
    'batches --eval-every 5', 'random --eval-every 5', 'icarl --scenario class --eval-every 5', 'sgd --eval-samples 5', 'sgd --valid-samples 5 --pc-valid .1']


def test_every_row_of_what_cannot_go_together_is_met_by_a_command_line(more, monkeypatch):
    (more / 'ours.py').write_text(OWN % ('object', '', 'pass'))
    (more / 'plain.py').write_text(BASED)
    (more / 'batches.py').write_text(BASED + '    def train_epoch(self, t, x, y):\n        pass\n')
    rows = conflicts.TABLE
    for i, words in enumerate(CLASHING):
        monkeypatch.setattr(conflicts, 'TABLE', rows[:i] + rows[i + 1:])
        argv = ['--experiment', 'glyphs', '--approach', *words.split()]
        others = None
        try:
            options.parse(argv)
        except UserError as e:  # a later row says something, too
            others = str(e)
        monkeypatch.setattr(conflicts, 'TABLE', rows)
        with pytest.raises(UserError) as e:
            options.parse(argv), pytest.fail(words)
        assert str(e.value) != others and str(e.value).count('--')
        assert isinstance(e.value, conflicts.Unfit) == bool(rows[i][2]) and set(rows[i][2]) <= set(commandline.ALL)
    assert len(CLASHING) == len(rows)


def test_help_of_a_hyper_parameter_may_have_any_sign(more, capsys):
    (more / 'signs.py').write_text('from approaches import base\nfrom approaches.hyper import Hyper\nclass Appr(base.Appr):\n'
                                   '    hyperparameters = (Hyper("share", float, .5, help="50%, %(x)s {y}"),)\n')
    with pytest.raises(SystemExit):
        run.main(['--approach', 'signs', '--help'])
    assert '50%, %(x)s {y}: a number (default 0.5)' in ' '.join(capsys.readouterr().out.split())


def test_help_has_an_approach_s_own_options_first_choices_and_whole_words(capsys, monkeypatch):
    for columns in (80, 120):
        monkeypatch.setenv('COLUMNS', str(columns))
        for argv in (['--approach', 'er'], []):
            with pytest.raises(SystemExit) as e:
                run.main([*argv, '--help'])
            text = capsys.readouterr().out
            lines = text.splitlines()
            assert e.value.code == 0 and '{task,class,domain}' in text and max(map(len, lines)) <= columns
            shown = [line.split()[0] for line in lines if line.startswith('  --')]
            assert shown[:3] == (['--weighting', '--buffer-size', '--buffer'] if argv else ['--experiment', '--approach', '--config'])
            assert ('{reservoir,balanced,' in text) == bool(argv)
            assert not [line for line in lines if re.search(r'\w-$', line)]
    for families in advice.by_family().values():
        for title in families.values():
            assert title in ' '.join(text.split())
