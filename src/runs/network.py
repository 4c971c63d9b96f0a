"""The network of a run: which one, in which variant, with which settings."""
import difflib
import inspect

import original
import discovery
from approaches.hyper import Hyper
from runs.foreign import NAMED, scalar
from utils import UserError


def choose(dataloader, args, approach):
    """(name, class) of the experiment's network, or of args.network, in the variant that the approach needs: a file of its own
    or what follows from the plain network. A class with a loop of its own that says nothing gets <network>_<approach> if that
    exists, or else the plain network."""
    from networks import variants as derived
    there, name = discovery.choices('networks'), args.approach
    plain = (args.network or getattr(dataloader, 'network', 'alexnet')).replace('-', '_')
    if not args.network and not hasattr(dataloader, 'network'):
        print('The experiment names no network: %s is taken (network = \'mlp\' in its file chooses another)' % plain)
    if not args.network and getattr(dataloader, 'too_small', ''):
        print(dataloader.too_small)
    variants = getattr(approach, 'variants', ('_' + name.replace('-', '_'), ''))
    wanted = [plain + variant for variant in variants]
    for network in wanted:
        if network.replace('_', '-') in there:
            return network, discovery.load('networks', network).Net
    for variant in variants:
        if variant in derived.KINDS and plain.replace('_', '-') in there:
            return plain + variant, derived.of(discovery.load('networks', plain).Net, variant)
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in variants)]
    near = difflib.get_close_matches(wanted[0].replace('_', '-'), there, 1)
    raise UserError('%s needs a network %s, which does not exist%s; it can use: %s' % (
        name, ' or '.join(wanted), ' (the nearest is --network %s)' % near[0] if near else '', ', '.join(fit) or 'none'))


def named(name):
    """The class of a network by the name that a run's record has."""
    from networks import variants as derived
    if name.replace('_', '-') in discovery.choices('networks'):
        return discovery.load('networks', name).Net
    suffix = next((s for s in sorted(derived.KINDS, key=len, reverse=True) if name.endswith(s)), '')
    plain = name[:len(name) - len(suffix)]
    if not suffix or plain.replace('_', '-') not in discovery.choices('networks'):
        raise UserError('the network %s is not there any more' % name)
    return derived.of(discovery.load('networks', plain).Net, suffix)


def inputs(kind):
    """Return the names by which a network takes the size of its inputs and the tasks: their own, in whatever order they
    stand, or those of its first two arguments."""
    names = list(inspect.signature(kind).parameters)
    size = [name for name in names if name in ('inputsize', 'input_size')]
    return [size[0], 'taskcla'] if size and 'taskcla' in names else names[:2]


def declared(kind):
    """Return {name: its parameter} of a network's settings: the numbers and switches that its __init__ takes, and what
    has no default there."""
    there = {n: p for n, p in inspect.signature(kind).parameters.items() if n not in inputs(kind) and n != 'args'}
    return {n: p for n, p in there.items() if p.kind in NAMED and (required(p) or type(p.default) in (int, float, bool) or n in getattr(kind, 'choices', {}))}


def required(parameter):
    """Whether a parameter has no default."""
    return parameter.default is parameter.empty


def settings(kind, text, given=()):
    """Return {name: value} of --net's 'nhid=400,pdrop=0' for a network's class, whose signature says what there is;
    given: {name: value} of --set, which says what the network requires, too. Raises UserError."""
    there, out = declared(kind), {}
    for part in text.split(',') if text else ():
        name, equals, value = part.partition('=')
        if not equals or name not in there or name in out:
            near = difflib.get_close_matches(name, there, 1)
            raise UserError('--net %s: %s; this network has: %s' % (part, 'it is given twice' if name in out else 'no %s%s' % (
                name, ' (perhaps %s)' % near[0] if near else '') if equals else 'expected name=value', ', '.join(
                    '%s (%s)' % (n, 'required' if required(p) else 'default %s' % p.default) for n, p in there.items())
                    or 'no settings'))
        out[name] = parse(there[name], value, kind)
    out.update({n: given[n] for n, p in there.items() if required(p) and n in given and n not in out})
    missing = [n for n, p in there.items() if required(p) and n not in out]
    if missing:
        raise UserError('the __init__ of %s.Net needs %s: give --net %s' % (
            kind.__module__, ', '.join(missing), ','.join('%s=VALUE' % n for n in missing)))
    return out


def parse(parameter, text, net=None):
    """Return the value of a setting's text. Raises UserError for what it cannot be."""
    if type(parameter.default) in (int, float, str):
        return declare(parameter, net).parse(text)
    value = scalar(text)
    if type(parameter.default) is bool and not isinstance(value, bool):
        raise UserError('--net %s=%s: expected true or false' % (parameter.name, text))
    return value


def all_settings(kind, given):
    """All of a network's settings, those given and the defaults."""
    return {n: given.get(n, p.default) for n, p in declared(kind).items()}


def remarks(kind, given):
    """Return what there is to say of a network's settings: whether its tasks share one head."""
    if all_settings(kind, given).get('split', True):
        return []
    return ['%s.Net: split=False: all tasks share one head; --net split=true gives each its own, which an approach that '
            'takes split is told' % kind.__module__]


def fit(kind, found):
    """Raise ValueError unless values out of a file are a network's settings, each the default or one that can be
    given; one that the file lacks has its default."""
    there = declared(kind)
    for name in {*there, *found}:
        known = name in there and (fits(there[name], found[name], kind) if name in found else not required(there[name]))
        if not known:
            raise ValueError('the setting %s of the network' % name)


def fits(parameter, value, net=None):
    """Whether a value out of a file can be that of a setting. Raises UserError for a number outside its range."""
    if required(parameter):
        return type(value) in (int, float, bool, str)
    if type(value) is not type(parameter.default):
        return False
    return value == parameter.default or type(value) is bool or declare(parameter, net).parse(value) == value


def declare(parameter, net=None):
    """A setting of a network as it is checked: numbers of layers and units from 1 on, shares as of dropout below
    1, texts among the network's choices."""
    if type(parameter.default) is str:
        return Hyper(parameter.name, str, parameter.default, choices=getattr(net, 'choices', {}).get(parameter.name, ()))
    kind, share = type(parameter.default), type(parameter.default) is float and 0 <= parameter.default < 1
    return Hyper(parameter.name, kind, parameter.default, least=0 if kind is float else 1, most=1 - 1e-6 if share else 10 ** 5)


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
