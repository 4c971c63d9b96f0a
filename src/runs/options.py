"""A command line of run.py, read once: the settings of a run, where each comes from, and which its result
depends on."""
import argparse
import re

import discovery
from runs import advice, commandline, conflicts, foreign, source
from runs.advice import flag, unflag
from runs.option import ALWAYS, CHANGED
from utils import UserError


class Settings(argparse.Namespace):
    """What a command line says, an attribute for each option; none can be changed.

    hyper: {name: value} of the approach's hyper-parameters; named: those of them that were given by name;
    origin: {name: 'default' or where it came from} of all that a result depends on.
    """

    def __init__(self, **values):
        vars(self).update(values)

    def __setattr__(self, name, *value):
        raise AttributeError('settings cannot be changed: but(%s=...) returns others' % name)

    __delattr__ = __setattr__

    def but(self, **changes):
        """Return the same settings with some changes."""
        return Settings(**{**vars(self), **changes})


def approach(name):
    """Return the class of an approach; None for a name that there is not."""
    return discovery.load('approaches', name).Appr if name in discovery.choices('approaches') else None


def words(argv):
    """Return a command line as [[option, its value if it has one]]; a value may begin with a minus, as in
    -1."""
    out = []
    for word in argv:
        alone = bool(out) and len(out[-1]) == 1 and out[-1][0].startswith('--') and '=' not in out[-1][0]
        if alone and (not word.startswith('-') or re.match(r'-[\d.i,n]', word)):
            out[-1].append(word)
        else:
            out.append([word])
    return out


def given(argv):
    """Return {option: its value, or None} of a command line; the last counts."""
    parts = [part[0].split('=', 1) if len(part) == 1 else part for part in words(argv)]
    return {part[0]: part[1] if len(part) > 1 else None for part in parts}


def without(argv, *names):
    """Return a command line without some options, and their values where they take one."""
    out = []
    for part in words(argv):
        name = part[0].split('=')[0]
        if name not in names:
            out += part
        elif commandline.ALL[unflag(name)].switch:
            out += part[1:]
    return out


def read(argv, parser, theirs):
    """Return (argparse's namespace of a command line, the words that no option takes); theirs: the source of
    the approach's file, which may spell --optimizer in its own way."""
    own = given(argv).get('--optimizer')
    argv = without(argv, '--optimizer') if theirs.chooses else argv
    flat = []
    for part in words(argv):  # argparse would take a value that begins with a minus for an option
        flat += ['='.join(part)] if part[-1].startswith('-') else part
    args, unknown = parser.parse_known_args(flat)
    if theirs.chooses:
        args.optimizer = theirs.optimizer(own)
    return args, unknown


def further(args, said, theirs):
    """Return {name: value} of --set for a class with a loop of its own, and put them on the namespace."""
    found = foreign.attributes(args.set, vars(args), said, theirs.chooses and theirs.optimizer)
    vars(args).update(found, set=found)
    return found


def prepare(argv):
    """Let arguments.get_args() say what a command line says, for an approach whose file asks when it is
    imported; return the source of that file."""
    said = given(argv)
    theirs = source.of('approaches', said.get('--approach'))
    if theirs.asks:
        args, _ = read(argv, commandline.build(), theirs)
        further(args, said, theirs)
        foreign.provide(args)
    return theirs


def parse(argv, sources=None):
    """Return (Settings, approach's class) of a command line; sources: {option: the file that gave it}. Raises
    UserError for what cannot be, or cannot go together."""
    said, theirs = given(argv), prepare(argv)
    kind = approach(said.get('--approach'))
    theirs = theirs if kind is not None and foreign.is_foreign(kind) else source.Source(None)
    parser = commandline.build(kind)
    args, unknown = read(argv, parser, theirs)
    if unknown:
        known = [name for action in parser._actions for name in action.option_strings]
        raise UserError(advice.explain(unknown[0], args.approach, known))
    values, origin = vars(args), {}
    values['hyper'] = {}
    if args.optimizer == 'adam' and '--lr' not in said:
        values['lr'] = 1e-3
    if foreign.is_foreign(kind):
        if (theirs.asks or theirs.chooses) and '--lr' not in said:
            values['lr'] = foreign.own_rate(kind) or values['lr']
        origin.update(dict.fromkeys(further(args, said, theirs), '--set'))
    if hasattr(kind, 'hyperparameters'):  # an approach that declares none reads args.parameter by itself
        names = [h.name for h in kind.hyperparameters]
        values['named'] = {n: values[n] for n in names if values[n] is not None}
        values['hyper'], found = kind.resolve(args.parameter, values['named'])
        origin.update({n: flag(n) if n in values['named'] else where for n, where in found.items()})
    origin.update({n: flag(n) if flag(n) in said else 'default' for n in settings(args) if n not in origin})
    origin.update({n: sources[flag(n)] for n in origin if flag(n) in (sources or ())})
    found = Settings(**values, origin=origin)
    conflicts.check(found, kind)
    return found, kind


def settings(args):
    """Return what of a command line determines its result, {name: value}: not where it is run or saved."""
    options = commandline.ALL.values()
    always = {o.name: getattr(args, o.name) for o in options if o.record == ALWAYS}
    changed = {o.name: getattr(args, o.name) for o in options if o.record == CHANGED}
    changed = {n: value for n, value in changed.items() if value not in (commandline.ALL[n].default, {})}
    kind = approach(args.approach) if args.hyper else None
    silent = {h.name: h.default for h in getattr(kind, 'hyperparameters', ()) if h.silent}
    hyper = {n: value for n, value in args.hyper.items() if n not in silent or value != silent[n]}
    return {**always, **changed, **(hyper or {'parameter': args.parameter})}


def label(args):
    """Return what the names of results begin with: the experiment, with hyphens, and a scenario other than
    task."""
    return args.experiment.replace(':', '-') + ('-' + args.scenario if args.scenario != 'task' else '')
