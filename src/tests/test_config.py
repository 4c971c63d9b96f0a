"""Settings from a file, tags, and the list of a folder's runs."""
import pytest

import plot_results
import results as package
import run
import run_multi
from results import overview, records
from runs import options
from utils import ROOT

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
    assert expanded(['--config', path, '--parameter', '0.3,100']).hyper == {'lamb': .3, 'smax': 100}
    assert expanded(['--config', path, '--approach', 'sgd']).hyper == {}
    positional = toml(TOML.replace('lamb = 0.5', 'parameter = "0.5,50"'))
    assert expanded(['--config', positional, '--lamb', '0.7']).hyper == {'lamb': .7, 'smax': 50}
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
    short = ['--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '1', '--output', str(tmp_path / 'a.txt'), '--tag', 'one,two']
    run.main([*short, '--approach', 'hat', '--parameter', '0.5,50', '--seed', '4', '--save'])
    run.main(['--config', str(tmp_path / 'a.json'), '--lamb', '0.7', '--output', str(tmp_path / 'b.txt'), '--tag', 'two'])
    one, two = (records.read_record(tmp_path / f) for f in ('a.txt', 'b.txt'))
    assert {k for k in one['config'] if one['config'][k] != two['config'][k]} == {'lamb'}
    assert two['config']['smax'] == 50 and two['config']['seed'] == 4 and not list(tmp_path.glob('**/b/task*.pt'))
    run.main(['--rerun', str(tmp_path / 'b.json')])
    capsys.readouterr()
    (tmp_path / 'c.json').write_text('{}')
    there = overview.found([tmp_path], ['two'])
    assert [p.name for p, _ in there] == ['a.json', 'b.json', 'b_rerun.json'] and 'c.json is not a record' in capsys.readouterr().err
    rows = overview.table(there).rows
    assert [r[4] for r in rows] == ['lamb=0.5', 'lamb=0.7', 'lamb=0.7'] and rows[0][:4] == ['glyphs', 'hat', 4, 'one,two']
    assert [p.name for p, _ in overview.found([tmp_path], ['one', 'two'])] == ['a.json']
    main = script('results.py')
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


def test_a_run_ends_with_a_paragraph_whose_command_works(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.show', lambda: None)
    for name, ends in (('glyphs_sgd_0.txt', '.png'), ('other.txt', str(tmp_path))):
        run.main(['--experiment', 'glyphs', '--approach', 'sgd', '--tasks', '0,1', '--nepochs', '1', '--output', str(tmp_path / name)])
        said = capsys.readouterr().out.split('Elapsed time')[1]
        assert 'average accuracy' in said and 'forgetting' in said and str(tmp_path / name) in said.replace('\n', ' ') and 'epochs.csv' in said
        command = said.splitlines()[-1].split()
        assert command[0] == 'python' and said.rstrip().endswith(ends)
        path = ROOT / command[1]
        assert (script(path.name) if path.name == 'results.py' else plot_results.main)(command[2:]) == 0
    assert (tmp_path / 'glyphs_sgd_0.png').exists()
