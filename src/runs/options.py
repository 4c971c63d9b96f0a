"""A command line of run.py, read: what the run is told, where each number comes from, and what its result depends on."""
import re

import utils
from runs import advice, foreign
from runs.advice import flag
from runs.commandline import DATA, DESCENT, NUMBERS, SPEED, Parser, build
from utils import UserError


def approach(name):
    """The class of an approach; None for a name that there is not."""
    return utils.load('approaches', name).Appr if name in utils.choices('approaches') else None


def hyperparameters(name):
    """What an approach declares, if it is there."""
    return getattr(approach(name), 'hyperparameters', ())


def parse(argv, sources=None):
    """(args, approach class) of a command line. args has, besides its options, hyper ({name: value}, of the
    approach) and origin ({name: 'default' or where it came from}, of all numbers); sources: {flag: file} of those that a file gave.
    Raises UserError."""
    argv, words = [], list(argv)
    while words:  # a value may begin with a minus, which argparse would take for an option's
        word = words.pop(0)
        if word.startswith('--') and '=' not in word and words and re.match(r'-[\d.i,n]', words[0]):
            word += '=' + words.pop(0)
        argv.append(word)
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument('--approach')
    kind = approach(first.parse_known_args(argv)[0].approach)
    args, unknown = build(kind).parse_known_args(argv)
    if unknown:
        raise UserError(advice.explain(unknown[0], args.approach, [s for a in build()._actions for s in a.option_strings]))
    if args.pc_valid is not None and args.pc_valid >= 1:
        raise UserError('--pc-valid must be in [0,1), not %g' % args.pc_valid)
    for name in ('data_dir', 'device'):
        if not getattr(args, name):
            raise UserError('%s must not be empty' % flag(name))
    args.origin = {}
    for h in NUMBERS:
        args.origin[h.name] = 'default' if getattr(args, h.name) is None else flag(h.name)
        if getattr(args, h.name) is None:
            setattr(args, h.name, h.default)
    if args.optimizer == 'adam' and args.origin['lr'] == 'default':
        args.lr = 1e-3
    if args.iterations and args.origin['nepochs'] != 'default':
        raise UserError('--iterations and --nepochs both say how long a task is trained: give one of them')
    if args.lr < args.lr_min and not args.no_patience:
        raise UserError('--lr %g is below --lr-min %g, at which a task ends: give a larger --lr or a smaller --lr-min' % (
            args.lr, args.lr_min))
    if foreign.is_foreign(kind):
        args.set = foreign.attributes(args.set, vars(args))
        vars(args).update(args.set)
        refused = [n for n in ('resume', 'keep_checkpoint', 'save') if getattr(args, n)]
        if refused:
            raise UserError('%s: %s has a training loop of its own and keeps no %s' % (
                advice.flag(refused[0]), args.approach, 'model' if refused == ['save'] else 'checkpoint'))
    elif args.set:
        raise UserError('--set: the hyper-parameters of %s are options of their own: %s' % (
            args.approach, ', '.join(advice.flags(args.approach)) or 'it has none'))
    args.hyper = {}
    if hasattr(kind, 'hyperparameters'):  # an approach that declares none reads args.parameter by itself
        args.named = {h.name: getattr(args, h.name) for h in kind.hyperparameters
                      if getattr(args, h.name) is not None}
        args.hyper, origin = kind.resolve(args.parameter, args.named)
        args.origin.update({n: flag(n) if n in args.named else o for n, o in origin.items()})
    given = {word.split('=')[0] for word in argv}
    args.origin.update({n: flag(n) if flag(n) in given else 'default' for n in settings(args) if n not in args.origin})
    args.origin.update({n: sources[flag(n)] for n in args.origin if flag(n) in (sources or ())})
    return args, kind


def rerun(argv):
    """(record's path or None, the other options) of a command line."""
    first = Parser(add_help=False, allow_abbrev=False)
    first.add_argument('--rerun')
    args, rest = first.parse_known_args(argv)
    return args.rerun, rest


def without(argv, *names):
    """A command line without some options, and their values where they take one."""
    parser = Parser(add_help=False, allow_abbrev=False)
    for a in build()._actions:
        if set(names) & set(a.option_strings):
            parser.add_argument(*a.option_strings, **({} if a.nargs is None else {'action': 'store_true'}))
    return parser.parse_known_args(argv)[1]


def settings(args):
    """What of a parsed command line determines its result, as a dictionary: not where it is run or saved."""
    out = {n: getattr(args, n) for n in ('experiment', 'approach', 'tasks', 'pc_valid', *(h.name for h in NUMBERS))}
    speed = {n: getattr(args, n) for n in SPEED if getattr(args, n)}  # named only if given
    speed.update({n: getattr(args, n) for n in ('active_classes', 'infer', 'network', 'net') if getattr(args, n)})
    speed.update({n: getattr(args, n) for n in (*DESCENT, *DATA, 'forward_transfer')
                  if getattr(args, n) != {**DESCENT, **DATA}.get(n, False)})
    speed.update({'scenario': args.scenario} if args.scenario != 'task' else {})
    speed.update({'set': args.set} if args.set else {})
    return {**out, **speed, **(args.hyper or {'parameter': args.parameter})}


def label(args):
    """What the names of results begin with: the experiment, with hyphens, and a scenario other than task."""
    return args.experiment.replace(':', '-') + ('-' + args.scenario if args.scenario != 'task' else '')
