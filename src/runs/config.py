"""Settings from a file: a TOML file with options of run.py, or the record of a run; made into words of a command line."""
import difflib
import json

import utils
from results import records
from runs import advice, commandline, options
from utils import ROOT, UserError

ONCE = ('output', 'resume', 'overwrite', 'keep_checkpoint', 'save', 'tag', 'dry_run', 'debug', 'profile', 'overfit')  # of one run alone
APART = {'nepochs': 'iterations', 'iterations': 'nepochs'}  # of which only one can be given


def expand(argv):
    """(command line without --config, {flag: the file it comes from}): what the file says comes first, without what the command line says
    itself. Raises UserError for a file that cannot be read, or has a key that is no option."""
    first = commandline.Parser(add_help=False, allow_abbrev=False)
    first.add_argument('--config')
    first.add_argument('--approach')
    args, _ = first.parse_known_args(argv)
    if args.config is None:
        return list(argv), {}
    if sum(word.split('=')[0] == '--config' for word in argv) > 1:
        raise UserError('--config: give one file')
    rest = options.without(argv, '--config')
    name, path = args.config, ROOT / args.config
    there = named(of_record(path) if path.suffix == '.json' else of_toml(path), args.approach, name)
    parser = commandline.build(options.approach(args.approach or there.get('approach')))
    given = {parser._option_string_actions[w.split('=')[0]].dest for w in rest if w.split('=')[0] in parser._option_string_actions}
    mine = there.get('approach')
    known, other = flags(parser, args.approach or mine), flags(parser, mine) if mine and args.approach not in (None, mine) else ()
    if 'parameter' in given:  # it gives all that has a position
        given |= {h.name for h in options.hyperparameters(args.approach or mine) if h.positional}
    words, sources = [], {}
    for key, value in there.items():
        option = advice.flag(key)
        if option not in known and option not in other:
            if option in ('--help', '--config', '--rerun'):
                raise UserError('%s: %s cannot come from a file' % (name, key))
            near = difflib.get_close_matches(option, known, 1)
            raise UserError('%s: there is no option %s%s' % (name, key, '; perhaps %s' % near[0][2:].replace('-', '_') if near else ''))
        if option in known and key not in given and APART.get(key) not in given:
            words += word(option, value, parser._option_string_actions.get(option), name)
            sources[option] = name
    return words + rest, sources


def named(found, approach, name):
    """What a file says, {key: value}, with --parameter's values by name, so that the command line can change one of them."""
    there = {key.replace('-', '_'): value for key, value in found.items()}
    if len(there) < len(found):
        raise UserError('%s: an option is given twice, with - and with _' % name)
    kind = options.approach(there.get('approach', approach))
    if 'parameter' in there and getattr(kind, 'hyperparameters', ()):
        text = there.pop('parameter')
        more = kind.positional(','.join(map(str, text)) if isinstance(text, list) else str(text))
        if more.keys() & there.keys():
            raise UserError('%s: give either parameter or %s, not both' % (name, ', '.join(sorted(more.keys() & there.keys()))))
        there.update(more)
    return there


def flags(parser, approach):
    """The options that a file may give: those of a parser and, where no approach is named, of every approach."""
    more = [f for a in ([approach] if approach else utils.choices('approaches')) for f in advice.flags(a)]
    return {*(o for o in parser._option_string_actions if o.startswith('--')), *more} - {'--help', '--config', '--rerun'}


def word(option, value, action, name):
    """[the word] of an option with a value from a file; a switch has true or false."""
    if isinstance(value, bool) or action is not None and action.nargs == 0:
        if not isinstance(value, bool) or action is None or action.nargs != 0:
            raise UserError('%s: %s is %s, expected %s' % (name, option[2:], json.dumps(value, default=str), 'a value'
                                                           if isinstance(value, bool) else 'true or false'))
        return [option] * value
    if isinstance(value, dict):
        value = ['%s=%s' % item for item in value.items()]
    return ['%s=%s' % (option, ','.join(map(str, value)) if isinstance(value, list) else value)]


def of_toml(path):
    """{key: value} of a TOML file."""
    try:
        import tomllib
    except ImportError:  # Python 3.10
        try:
            import tomli as tomllib
        except ImportError:
            raise UserError('--config: this Python cannot read TOML: pip install tomli, or use 3.11')
    try:
        return tomllib.loads(path.read_text('utf-8'))
    except tomllib.TOMLDecodeError as e:
        raise UserError('%s is not TOML: %s' % (path, e))
    except (OSError, UnicodeError, ValueError, RecursionError) as e:
        raise UserError('--config %s cannot be read (%s): expected a .toml file or the .json record of a run' % (
            path, getattr(e, 'strerror', None) or type(e).__name__))


def of_record(path):
    """{key: value} of the command that a record has, but for what concerns that one run."""
    argv = advice.still(records.read_record(path)['command'][1:])
    args, kind = options.parse(argv)
    given = {w.split('=')[0] for w in argv if w.startswith('--')}
    out = {n: v for n, v in vars(args).items() if advice.flag(n) in given and n not in ONCE}
    if args.parameter:
        out.pop('parameter')
        out.update(args.hyper if args.hyper else {'parameter': args.parameter})
    return {n: ','.join('%s=%s' % item for item in v.items()) if isinstance(v, dict) else v for n, v in out.items() if v is not None}
