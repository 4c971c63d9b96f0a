"""The network of a run: which one, in which variant, with which settings."""
import difflib
import inspect

import discovery
import original
from approaches.hyper import Hyper
from runs.foreign import NAMED, scalar
from utils import UserError


def choose(dataloader, args, approach):
    """Return (name, class) of the experiment's network, or of args.network, in the variant that the approach
    needs: a file of its own or what follows from the plain network. A class with a loop of its own that says
    nothing gets <network>_<approach> if that exists, or else the plain network."""
    there, name = discovery.choices('networks'), args.approach
    plain = (args.network or getattr(dataloader, 'network', 'alexnet')).replace('-', '_')
    if not args.network and not hasattr(dataloader, 'network'):
        print('The experiment names no network: %s is taken (network = \'mlp\' in its file chooses another)'
              % plain)
    if not args.network and getattr(dataloader, 'too_small', ''):
        print(dataloader.too_small)
    variants = getattr(approach, 'variants', ('_' + name.replace('-', '_'), ''))
    wanted = [plain + variant for variant in variants]
    for network in (*(n for n in wanted if n.replace('_', '-') in there), *wanted):
        kind = named(network)
        if kind:
            return network, kind
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in variants)]
    near = difflib.get_close_matches(wanted[0].replace('_', '-'), there, 1)
    perhaps = ' (the nearest is --network %s)' % near[0] if near else ''
    raise UserError('%s needs a network %s, which does not exist%s; it can use: %s' % (
        name, ' or '.join(wanted), perhaps, ', '.join(fit) or 'none'))


def named(name):
    """Return the class of a network by the name that a run's record has, None if there is none."""
    from networks import variants
    there = discovery.choices('networks')
    if name.replace('_', '-') in there:
        return discovery.load('networks', name).Net
    suffix = next((s for s in sorted(variants.KINDS, key=len, reverse=True) if name.endswith(s)), None)
    plain = name.removesuffix(suffix or '')
    if suffix is None or plain.replace('_', '-') not in there:
        return None
    return variants.of(discovery.load('networks', plain).Net, suffix)


def inputs(kind):
    """Return the names by which a network takes the size of its inputs and the tasks: their own, in whatever
    order they stand, or those of its first two arguments."""
    names = list(inspect.signature(kind).parameters)
    size = [name for name in names if name in ('inputsize', 'input_size')]
    return [size[0], 'taskcla'] if size and 'taskcla' in names else names[:2]


def declared(kind):
    """Return {name: its parameter} of a network's settings: the numbers and switches that its __init__ takes,
    and what has no default there."""
    apart, choices = (*inputs(kind), 'args'), getattr(kind, 'choices', {})

    def sets(p):
        plain = required(p) or type(p.default) in (int, float, bool) or p.name in choices
        return plain and p.kind in NAMED and p.name not in apart
    return {n: p for n, p in inspect.signature(kind).parameters.items() if sets(p)}


def required(parameter):
    """Whether a parameter has no default."""
    return parameter.default is parameter.empty


def settings(kind, text, given=()):
    """Return {name: value} of all settings of a network's class, whose signature says what there is, by
    --net's 'nhid=400,pdrop=0'; given: {name: value} of --set, which says what the network requires, too.
    Raises UserError."""
    there, out = declared(kind), {}
    for part in text.split(',') if text else ():
        name, equals, value = part.partition('=')
        if not equals or name not in there or name in out:
            raise UserError('--net %s: %s; this network has: %s' % (
                part, wrong(name, equals, there), ', '.join(map(default, there.values())) or 'no settings'))
        out[name] = parse(there[name], value, kind)
    out.update({n: given[n] for n, p in there.items() if required(p) and n in given and n not in out})
    missing = [n for n, p in there.items() if required(p) and n not in out]
    if missing:
        raise UserError('the __init__ of %s.Net needs %s: give --net %s' % (
            kind.__module__, ', '.join(missing), ','.join('%s=VALUE' % n for n in missing)))
    return {n: out.get(n, p.default) for n, p in there.items()}


def wrong(name, equals, there):
    """Return what is wrong with a setting of --net that cannot be taken."""
    if not equals:
        return 'expected name=value'
    near = difflib.get_close_matches(name, there, 1)
    perhaps = ' (perhaps %s)' % near[0] if near else ''
    return 'it is given twice' if name in there else 'no %s%s' % (name, perhaps)


def default(parameter):
    """Return a setting's name and default, 'nhid (default 800)'."""
    usual = 'required' if required(parameter) else 'default %s' % parameter.default
    return '%s (%s)' % (parameter.name, usual)


def parse(parameter, text, kind):
    """Return the value of a setting's text: numbers of layers and units from 1 on, shares as of dropout below
    1, texts among the network's choices. Raises UserError for what it cannot be."""
    name, usual, of = parameter.name, parameter.default, type(parameter.default)
    if of is str:
        return Hyper(name, str, usual, choices=getattr(kind, 'choices', {}).get(name, ())).parse(text)
    if of in (int, float):
        most = 1 - 1e-6 if of is float and 0 <= usual < 1 else 10 ** 5
        return Hyper(name, of, usual, least=0 if of is float else 1, most=most).parse(text)
    value = scalar(text)
    if of is bool and not isinstance(value, bool):
        raise UserError('--net %s=%s: expected true or false' % (name, text))
    return value


def fit(kind, found):
    """Raise ValueError or UserError unless values out of a file are a network's settings, each the default or
    one that can be given; one that the file lacks has its default."""
    usual = {n: p.default for n, p in declared(kind).items()}
    others = {n: v for n, v in found.items() if n not in usual or (type(v), v) != (type(usual[n]), usual[n])}
    said = settings(kind, ','.join('%s=%s' % item for item in others.items()))
    for n, v in others.items():
        if (type(v), v) != (type(said[n]), said[n]):
            raise ValueError('the setting %s of the network' % n)


def make(kind, inputsize, taskcla, settings):
    """A network. Raises UserError for images or settings that it cannot take."""
    given = dict(zip(inputs(kind), (inputsize, taskcla)))
    if 'args' in inspect.signature(kind).parameters:
        given['args'] = original.get_args()
    plain = list(given) == list(inspect.signature(kind).parameters)[:2]
    try:
        return kind(inputsize, taskcla, **settings) if plain else kind(**given, **settings)
    except (RuntimeError, MemoryError) as e:
        if 'memory' in str(e) or isinstance(e, MemoryError):
            raise UserError('--net %s: there is not enough memory for this network' % settings)
        raise
