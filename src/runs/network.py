"""The network of a run: which one, in which variant, with which settings."""
import difflib
import inspect

import utils
from approaches.hyper import Hyper
from utils import UserError

TYPES = int, float, str  # of a network's settings


def choose(dataloader, args, approach):
    """(name, class) of the experiment's network, or of args.network, in the variant that the approach needs: a file of its own
    or what follows from the plain network. A class with a loop of its own that says nothing gets <network>_<approach> if that
    exists, or else the plain network."""
    from networks import variants as derived
    there, name = utils.choices('networks'), args.approach
    plain = (args.network or getattr(dataloader, 'network', 'alexnet')).replace('-', '_')
    if not args.network and not hasattr(dataloader, 'network'):
        print('The experiment names no network: %s is taken (network = \'mlp\' in its file chooses another)' % plain)
    variants = getattr(approach, 'variants', ('_' + name.replace('-', '_'), ''))
    wanted = [plain + variant for variant in variants]
    for network in wanted:
        if network.replace('_', '-') in there:
            return network, utils.load('networks', network).Net
    for variant in variants:
        if variant in derived.KINDS and plain.replace('_', '-') in there:
            return plain + variant, derived.of(utils.load('networks', plain).Net, variant)
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in variants)]
    raise UserError('%s needs a network %s, which does not exist; it can use: %s' % (
        name, ' or '.join(wanted), ', '.join(fit) or 'none'))


def named(name):
    """The class of a network by the name that a run's record has."""
    from networks import variants as derived
    if name.replace('_', '-') in utils.choices('networks'):
        return utils.load('networks', name).Net
    suffix = next((s for s in sorted(derived.KINDS, key=len, reverse=True) if name.endswith(s)), '')
    plain = name[:len(name) - len(suffix)]
    if not suffix or plain.replace('_', '-') not in utils.choices('networks'):
        raise UserError('the network %s is not there any more' % name)
    return derived.of(utils.load('networks', plain).Net, suffix)


def settings(kind, text):
    """{name: value} of --net's 'nhid=400,pdrop=0' for a network's class, whose signature says what there is. Raises UserError."""
    declared = [declare(p, kind) for p in list(inspect.signature(kind).parameters.values())[2:] if type(p.default) in TYPES]
    there, out = {h.name: h for h in declared}, {}
    for part in text.split(',') if text else ():
        name, equals, value = part.partition('=')
        if not equals or name not in there or name in out:
            near = difflib.get_close_matches(name, there, 1)
            raise UserError('--net %s: %s; this network has: %s' % (part, 'it is given twice' if name in out else 'no %s%s' % (
                name, ' (perhaps %s)' % near[0] if near else '') if equals else 'expected name=value', ', '.join(
                    '%s (default %s)' % (h.name, h.default) for h in declared) or 'no settings'))
        out[name] = there[name].parse(value)
    return out


def all_settings(kind, given):
    """All of a network's settings, those given and the defaults."""
    return {n: given.get(n, p.default) for n, p in inspect.signature(kind).parameters.items() if type(p.default) in TYPES}


def fit(kind, found):
    """Raises ValueError unless values out of a file are all of a network's settings, each the default or one that can be given."""
    there = {p.name: p for p in inspect.signature(kind).parameters.values() if type(p.default) in TYPES}
    for name in {*there, *found}:
        if name not in there or name not in found or type(found[name]) is not type(there[name].default):
            raise ValueError('the setting %s of the network' % name)
        if found[name] != there[name].default:
            declare(there[name], kind).parse(found[name])


def declare(parameter, net):
    """A setting of a network as it is checked: numbers of layers and units from 1 on, shares as of dropout below
    1, texts among the network's choices."""
    if type(parameter.default) is str:
        return Hyper(parameter.name, str, parameter.default, choices=getattr(net, 'choices', {}).get(parameter.name, ()))
    kind, share = type(parameter.default), type(parameter.default) is float and 0 <= parameter.default < 1
    return Hyper(parameter.name, kind, parameter.default, least=0 if kind is float else 1, most=1 - 1e-6 if share else 10 ** 5)


def make(kind, inputsize, taskcla, settings):
    """A network. Raises UserError for images or settings that it cannot take."""
    try:
        return kind(inputsize, taskcla, **settings)
    except (RuntimeError, MemoryError) as e:
        if 'memory' in str(e) or isinstance(e, MemoryError):
            raise UserError('--net %s: there is not enough memory for this network' % settings)
        raise
