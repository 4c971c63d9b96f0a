"""Settings from a file, TOML or the record of a run, made into words of a command line."""
import difflib
import importlib.util
import json

import discovery
from results import records
from runs import advice, commandline, options
from runs.advice import flag, unflag
from runs.option import ONCE
from utils import ROOT, UserError

APART = {'nepochs': 'iterations', 'iterations': 'nepochs'}  # of which only one can be given
NEVER = 'help', 'config', 'rerun'  # what no file can say


def expand(argv):
    """Return (the command line without --config, {option: the file it comes from}): what the file says comes
    first, without what the command line says itself. Raises UserError for a file that cannot be read or has a
    key that is no option."""
    said = options.given(argv)
    if '--config' not in said:
        return list(argv), {}
    if said['--config'] is None or sum(word.split('=')[0] == '--config' for word in argv) > 1:
        raise UserError('--config: give one file')
    rest, name = options.without(argv, '--config'), said['--config']
    path = ROOT / name
    found = of_record(path) if path.suffix == '.json' else of_toml(path)
    return line(name, found, rest, said.get('--approach'))


def line(name, found, rest, approach=None):
    """Return (a command line, {option: name}) of what a file says, {key: value}, before the words `rest`,
    which win over it; of another approach than the command line's the hyper-parameters are left out."""
    same = {key.replace('-', '_'): value for key, value in found.items()}
    if len(same) < len(found):
        raise UserError('%s: an option is given twice, with - and with _' % name)
    theirs, known = same.get('approach', approach), commandline.ALL
    approach = approach or theirs
    if approach:
        plain = {key: value for key, value in same.items() if key in known and key not in NEVER}
        said = [w for key, value in plain.items() for w in word(name, key, value, known[key].is_flag(value))]
        options.prepare([*said, *rest])
    kind = options.approach(approach)
    found = positional(name, same, options.approach(theirs))
    known = commandline.declared(kind)
    owners = [theirs] if theirs else discovery.choices('approaches')
    others = {n for owner in owners for n in advice.hyper_names(owner)}
    mine = set(map(unflag, options.given(rest)))
    if 'parameter' in mine:  # it gives all that has a position
        mine |= {h.name for h in getattr(kind, 'hyperparameters', ()) if h.positional}
    out, sources = [], {}
    for key, value in found.items():
        if key in NEVER:
            raise UserError('%s: %s cannot come from a file' % (name, key))
        if key not in known and key not in others:
            near = difflib.get_close_matches(key, [*known, *others], 1)
            perhaps = '; perhaps %s' % near[0] if near else ''
            raise UserError('%s: there is no option %s%s' % (name, key, perhaps))
        if (key in known or not approach) and key not in mine and APART.get(key) not in mine:
            out += word(name, key, value, key in known and known[key].is_flag(value))
            sources[flag(key)] = name
    return out + rest, sources


def positional(name, found, kind):
    """Return what a file says with the values of `parameter` by name, so that the command line can change
    one."""
    if 'parameter' not in found or not getattr(kind, 'hyperparameters', ()):
        return found
    text = found['parameter']
    more = kind.positional(','.join(map(str, text)) if isinstance(text, list) else str(text))
    both = sorted(more.keys() & found.keys())
    if both:
        raise UserError('%s: give either parameter or %s, not both' % (name, ', '.join(both)))
    return {**{key: value for key, value in found.items() if key != 'parameter'}, **more}


def word(name, key, value, switch):
    """Return [the word] of an option with a value from a file; a switch has true or false."""
    if isinstance(value, bool) != switch:
        raise UserError('%s: %s is %s, expected %s' % (
            name, key, json.dumps(value, default=str), 'true or false' if switch else 'a value'))
    if switch:
        return [flag(key)] * value
    if isinstance(value, dict):
        value = ['%s=%s' % item for item in value.items()]
    return ['%s=%s' % (flag(key), ','.join(map(str, value)) if isinstance(value, list) else value)]


def toml(option):
    """Return the module that reads TOML. Raises UserError if there is none."""
    for name in ('tomllib', 'tomli'):  # Python 3.10 has not the first
        if importlib.util.find_spec(name):
            return importlib.import_module(name)
    raise UserError('%s: this Python cannot read TOML: pip install tomli, or use 3.11' % option)


def of_toml(path, option='--config'):
    """Return {key: value} of a TOML file. Raises UserError."""
    tomllib = toml(option)
    try:
        return tomllib.loads(path.read_text('utf-8'))
    except tomllib.TOMLDecodeError as e:
        raise UserError('%s is not TOML: %s' % (path, e))
    except (OSError, UnicodeError, ValueError, RecursionError) as e:
        expected = ' or the .json record of a run' if option == '--config' else ''
        raise UserError('%s %s cannot be read (%s): expected a .toml file%s' % (
            option, path, getattr(e, 'strerror', None) or type(e).__name__, expected))


def of_record(path):
    """Return {key: value} of the command that a record has, but for what concerns that one run."""
    argv = advice.still(records.read_record(path)['command'][1:])
    args, _ = options.parse(argv)
    out = {}
    once = [name for name, option in commandline.ALL.items() if option.record == ONCE]
    for name in map(unflag, options.given(argv)):
        if getattr(args, name, None) is not None and name not in ('parameter', *once):
            out[name] = getattr(args, name)
    if args.parameter:
        out.update(args.hyper or {'parameter': args.parameter})
    return out
