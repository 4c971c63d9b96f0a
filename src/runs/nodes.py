"""Values as plain data and back: containers, tensors, arrays, generators of random numbers, objects.

torch.load(weights_only=True) admits what is written here: None, bool, int, float, str, and nodes, tuples
(kind, number, ...) of such values, lists and tensors. What is met again is written as ('again', number), so
that shared objects stay shared. What has a name in the run, such as the network's parts, is written as
('known', name). Functions, classes and open files cannot be written: their place is ('made', what), which
stands for what __init__ makes there. Reading runs no code but the containers' and arrays' own.
"""
import collections
import random

import numpy as np
import torch

from runs.kinds import ABSENT, allowed, attributes, class_of, found, same

PLAIN = type(None), bool, int, float, str
SEQUENCES = {kind.__name__: kind for kind in (list, tuple, set, frozenset, torch.Size)}
MAPPINGS = {kind.__name__: kind for kind in (dict, collections.OrderedDict, collections.Counter,
                                             collections.defaultdict)}
FACTORIES = {kind.__name__: kind for kind in (dict, list, set, int, float, str)}
DRAWS = 'PCG64', 'PCG64DXSM', 'MT19937', 'Philox', 'SFC64'  # numpy's own bit generators


class Writer:
    """Turns values into nodes. known: {id(value): name} of what is found again by name. unwritten: {place:
    what} of what could not be written and is nobody's declaration."""

    def __init__(self, known=None):
        self.known, self.numbers, self.alive, self.unwritten = known or {}, {}, [], {}

    def node(self, value, place):
        """The node of a value; place: where it is, 'self.memory.x[3]'."""
        if type(value) in PLAIN:
            return value
        if id(value) in self.known:
            return 'known', self.known[id(value)]
        if id(value) in self.numbers:
            return 'again', self.numbers[id(value)]
        number = self.numbers[id(value)] = len(self.numbers)
        self.alive.append(value)  # so that no other value gets its id
        kind, *content = self.content(value, place)
        return kind, number, *content

    def content(self, value, place):
        """(kind, ...) of a value met for the first time."""
        kind = type(value).__name__
        if isinstance(value, torch.Tensor):
            trains, away = value.is_leaf and value.requires_grad, value.device.type != 'cpu'
            return 'tensor', value.detach().clone(), trains, type(value) is torch.nn.Parameter, away
        if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in 'biufcSU':
            return 'array', value.dtype.str, list(value.shape), bytes_of(value), isinstance(value, np.ndarray)
        if SEQUENCES.get(kind) is type(value):
            return kind, self.items(value, place)
        if type(value) is collections.deque:
            return kind, self.items(value, place), value.maxlen
        if MAPPINGS.get(kind) is type(value):
            factory = getattr(value, 'default_factory', None)
            return kind, self.pairs(value, place, '%s[%r]'), getattr(factory, '__name__', None)
        if isinstance(value, torch.Generator):
            return 'generator', str(value.device), value.get_state()
        if isinstance(value, random.Random):
            return 'random', self.node(value.getstate(), place)
        if isinstance(value, np.random.RandomState):
            return 'randomstate', self.node(value.get_state(legacy=False), place)
        if isinstance(value, np.random.Generator):
            return 'bitgenerator', self.node(value.bit_generator.state, place)
        if isinstance(value, (torch.device, torch.dtype)):
            return kind, str(value)  # 'device' or 'dtype'
        if isinstance(value, tuple) and hasattr(value, '_fields') and allowed(type(value)):
            return 'named', *class_of(value), self.items(value, place)
        if hasattr(value, '__dict__') and allowed(type(value)):
            return 'object', *class_of(value), self.pairs(attributes(value), place, '%s.%s')
        return self.made(value, place)

    def items(self, values, place):
        """[value] as nodes."""
        return [self.node(v, '%s[%d]' % (place, i)) for i, v in enumerate(values)]

    def pairs(self, mapping, place, how):
        """[[key, value]] as nodes."""
        return [[self.node(k, place), self.node(v, how % (place, k))] for k, v in mapping.items()]

    def made(self, value, place):
        """('made', what) for what cannot be written."""
        name = getattr(value, '__qualname__', None)
        if name is None or '<' in name:
            self.unwritten[place] = name or 'a %s' % type(value).__name__
        return 'made', '%s.%s' % (getattr(value, '__module__', None), name or type(value).__qualname__)


class Reader:
    """Turns nodes back into values. known: {name: value}; device: where tensors go that were not on the CPU;
    kinds: classes that are there, by whatever name. Raises ValueError, saying where, for nodes that nobody
    has written."""

    def __init__(self, known=None, device='cpu', kinds=()):
        self.known, self.device, self.values = known or {}, device, {}
        self.kinds = {(kind.__module__, kind.__qualname__): kind for kind in kinds}

    def value(self, node, place, made=ABSENT):
        """The value of a node; made: what __init__ has made in its place."""
        if type(node) in PLAIN:
            return node
        try:
            kind, first, *content = node
            if kind == 'known':
                return self.known[first]
            if kind == 'again':
                return self.values[first]
            return self.content(kind, first, content, place, made)
        except (AttributeError, KeyError, LookupError, TypeError, RuntimeError, OverflowError) as e:
            raise ValueError('%s (%s)' % (place, type(e).__name__)) from e

    def content(self, kind, number, content, place, made):
        """The value of a node with a number; what may hold itself is kept before it is filled."""
        if kind == 'object':
            return self.object(number, *content, place, made)
        if kind in MAPPINGS:
            return self.mapping(number, kind, *content, place, made)
        if kind in ('list', 'deque'):
            out = self.keep(number, collections.deque(maxlen=content[1]) if kind == 'deque' else [])
            out.extend(self.items(content[0], place, made))
            return out
        return self.keep(number, self.plain(kind, content, place, made))

    def plain(self, kind, content, place, made):
        """The value of a node that cannot hold itself."""
        if kind == 'tensor':
            return self.tensor(*content, place)
        if kind == 'array':
            return array(*content)
        if kind in SEQUENCES:
            return SEQUENCES[kind](self.items(content[0], place, made))
        if kind == 'named':
            module, name, items = content
            return tuple.__new__(found(module, name), self.items(items, place, made))
        if kind == 'made':
            return same(content[0], made, place)
        if kind == 'device':
            return torch.device(content[0])
        if kind == 'dtype':
            return torch.empty(0, dtype=getattr(torch, content[0].split('.')[1])).dtype
        return self.generator(kind, content, place)

    def keep(self, number, value):
        """The value, which may be met again."""
        self.values[number] = value
        return value

    def tensor(self, value, trains, parameter, away, place):
        """A tensor of the file, all of whose numbers are there."""
        if type(value) is not torch.Tensor or value.layout != torch.strided:
            raise ValueError('%s: no plain tensor' % place)
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError('%s: a tensor without its numbers' % place)
        value = value.to(self.device if away else 'cpu', copy=True)
        return torch.nn.Parameter(value, trains) if parameter else value.requires_grad_(trains)

    def items(self, nodes, place, made):
        """The values of a list of nodes."""
        before = list(made) if isinstance(made, (list, tuple)) else []
        before += [ABSENT] * (len(nodes) - len(before))
        return [self.value(node, '%s[%d]' % (place, i), before[i]) for i, node in enumerate(nodes)]

    def mapping(self, number, kind, pairs, factory, place, made):
        """A dictionary."""
        out = self.keep(number, MAPPINGS[kind](FACTORIES[factory]) if factory else MAPPINGS[kind]())
        before = made if isinstance(made, dict) else {}
        for k, v in pairs:
            key = self.value(k, place)
            out[key] = self.value(v, '%s[%r]' % (place, key), before.get(key, ABSENT))
        return out

    def object(self, number, module, name, pairs, place, made):
        """An object by its attributes; that which __init__ has made, where it is of the same class."""
        here = class_of(made) == (module, name)
        out = made if here else object.__new__(self.kinds.get((module, name)) or found(module, name))
        self.keep(number, out)
        before, now = dict(vars(out)), {}
        for k, v in pairs:
            now[k] = self.value(v, '%s.%s' % (place, k), before.get(k, ABSENT))
        vars(out).update(now)
        return out

    def generator(self, kind, content, place):
        """A generator of random numbers in its state."""
        if kind == 'generator':
            return torch.Generator(content[0]).set_state(content[1])
        state = self.value(content[0], place)
        if kind == 'random':
            out = random.Random()
            out.setstate(state)
        elif kind == 'randomstate':
            out = np.random.RandomState()
            out.set_state(state)
        elif kind == 'bitgenerator' and state['bit_generator'] in DRAWS:
            out = np.random.Generator(getattr(np.random, state['bit_generator'])())
            out.bit_generator.state = state
        else:
            raise ValueError('%s: an unknown kind of value' % place)
        return out


def bytes_of(value):
    """The bytes of an array or a number of numpy, a tensor uint8."""
    return torch.from_numpy(np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8).copy())


def array(dtype, shape, content, is_array):
    """The array, or the number, of some bytes."""
    dtype = np.dtype(dtype)
    if dtype.kind not in 'biufcSU':
        raise ValueError('an array of %s' % dtype)
    out = np.frombuffer(content.numpy().tobytes(), dtype).reshape(shape).copy()
    return out if is_array else out[()]
