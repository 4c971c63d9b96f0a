"""A CUDA device that is not there: real numbers are computed on the CPU, but tensors say 'cuda:0', and what CUDA refuses is
refused. It runs src/run.py of the HAT scripts in this process, and counts what would make the host wait for the device.

    python fakecuda.py [--src CHECKOUT/src] [--kill-at STEP | --raise-at STEP] -- --experiment glyphs --approach hat \
        --tasks 0,1 --nepochs 2 --device cuda --output /tmp/x.txt --overwrite
    --src        folder of run.py (default ./src)
    --kill-at    sends SIGTERM to itself in that training step;  --raise-at  raises RuntimeError there
    It prints to stderr: how many steps, and every place that waits for the device, as 'kind file:line count per-step'.
    In a program: import fakecuda; fakecuda.start('src'); import run; fakecuda.hook(); run.main([...]); print(fakecuda.report())

Refused: operations on tensors of both devices (0-dim CPU operands are allowed, but not in cat, stack, mm, as destination),
CPU tensors indexed by CUDA indices, .numpy() and np.asarray of CUDA tensors, waiting or host copies within a captured graph.
Kept apart: the CUDA generator's state. Recorded and replayed: torch.cuda.graph (a step's inputs must be static, as on CUDA).
Not seen: CUDA's own kernels, numbers, memory, streams, determinism alerts; C++ code that branches on the device sees 'cpu'.
"""
import argparse
import collections
import contextlib
import os
import signal
import sys
import traceback
import types

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
DEVICE = torch.device('cuda:0')
WAITS = {aten._local_scalar_dense.default: 'item', aten.nonzero.default: 'nonzero', aten.masked_select.default: 'nonzero',
         aten._unique2.default: 'unique', aten.unique_dim.default: 'unique', aten.equal.default: 'equal',
         aten.repeat_interleave.Tensor: 'repeat'}
INDEX = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
COPY = {aten.copy_.default, aten._foreach_copy_.default}
STRICT = {aten.cat.default, aten.stack.default, aten.mm.default, aten.addmm.default, aten.bmm.default}  # no CPU scalars
events, ops = collections.Counter(), collections.Counter()
src, steps, capturing, random = None, 0, None, {}

def note(kind):
    """Counts an event at the project's innermost line. Raises what CUDA raises if a graph is being captured."""
    if capturing is not None:
        raise RuntimeError('CUDA error: operation not permitted when stream is capturing (%s)' % kind)
    where = [f for f in traceback.extract_stack(limit=40) if src and f.filename.startswith(src) and f.filename != __file__]
    events[kind, '%s:%d' % (os.path.relpath(where[-1].filename, src), where[-1].lineno) if where else '?'] += 1

class Cuda(torch.Tensor):
    """A tensor that says cuda:0; host holds its numbers on the CPU."""
    __torch_function__ = torch._C._disabled_torch_function_impl
    device, is_cuda, is_cpu = property(lambda self: DEVICE), property(lambda self: True), property(lambda self: False)
    @staticmethod
    def __new__(cls, t):
        assert type(t) is not Cuda
        t = t.detach() if t.requires_grad or type(t) is not torch.Tensor else t
        out = torch.Tensor._make_wrapper_subclass(cls, t.size(), strides=t.stride(), storage_offset=t.storage_offset(),
                                                  dtype=t.dtype, layout=t.layout, device='cpu')
        out.host = t
        return out
    def __init__(self, t): pass
    def __repr__(self, **_):
        return 'Cuda(%r)' % (self.host,)
    def __deepcopy__(self, memo):
        if id(self) not in memo:
            out = memo[id(self)] = Cuda(self.host.clone())
            out.requires_grad_(self.requires_grad)
            if getattr(self, '_is_param', False):
                out._is_param = True
        return memo[id(self)]
    def __reduce_ex__(self, protocol):  # as torch.load(map_location='cpu') brings it back
        note('d2h')
        return self.host.clone().__reduce_ex__(protocol)
    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")
    numpy = __array__
    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        flat = [a for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
        mine = {id(a.host): a for a in flat if isinstance(a, Cuda)}
        check(func, args, flat)
        ops[func] += 1
        if func in WAITS:
            note(WAITS[func])
        if func in INDEX and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1]):
            note('mask index')
        if func in COPY and any(not isinstance(a, Cuda) for a in flat):
            note('h2d' if isinstance(tree_leaves(args[0])[0], Cuda) else 'd2h')
        inner = tree_map(lambda a: a.host if isinstance(a, Cuda) else a, (args, kwargs))
        if capturing is not None:
            capturing.keep(func, inner[0])
        with generator() if torch.Tag.nondeterministic_seeded in func.tags else contextlib.nullcontext():
            out = func(*inner[0], **inner[1])
        if capturing is not None:
            capturing.ops.append((func, *inner, out))
        if func in COPY and not isinstance(tree_leaves(args[0])[0], Cuda):
            return args[0]
        view = any(r.alias_info is not None for r in func._schema.returns) and not flat[0].is_inference()
        with torch.inference_mode(torch.is_inference_mode_enabled() and not view):  # as views of tensors made outside of it are
            return tree_map(lambda o: (mine.get(id(o)) if id(o) in mine else Cuda(o)) if isinstance(o, torch.Tensor) else o, out)

def check(func, args, flat):
    """Raises what CUDA raises for tensors of both devices."""
    others = [a for a in flat if not isinstance(a, Cuda)]
    if not others or func in COPY:
        return
    if func in INDEX:
        if not isinstance(args[0], Cuda):
            raise RuntimeError('indices should be either on cpu or on the same device as the indexed tensor (cpu)')
        others = [a for a in args[2:3] if isinstance(a, torch.Tensor) and not isinstance(a, Cuda)]
    written = [a for a, s in zip(args, func._schema.arguments) if s.alias_info is not None and s.alias_info.is_write]
    if any(a.dim() for a in others) or func in STRICT and others or any(
            isinstance(a, torch.Tensor) and not isinstance(a, Cuda) for a in tree_leaves(written)):
        raise RuntimeError('Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! '
                           '(%s of %s)' % (func, ', '.join('%s%s' % (a.device, list(a.shape)) for a in flat)))

@contextlib.contextmanager
def generator():
    """Lets the CPU's generator stand for CUDA's."""
    before = torch.get_rng_state()
    torch.set_rng_state(random['state'])
    try:
        yield
    finally:
        random['state'] = torch.get_rng_state()
        torch.set_rng_state(before)

def seed(number):
    random['state'] = torch.Generator().manual_seed(number % 2 ** 63).get_state()

def is_cuda(device):
    return isinstance(device, (str, torch.device)) and torch.device(device).type == 'cuda'

class Mode(TorchFunctionMode):
    """Makes and moves tensors."""
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, '__name__', '')
        if func in (torch.Tensor.to, torch.Tensor.cpu, torch.Tensor.cuda):
            return self.move(name, *args, **kwargs)
        if args and isinstance(args[0], Cuda):
            if func is torch.Tensor.tolist:
                note('tolist')
                return args[0].host.tolist()
            if func is torch.Tensor.data_ptr:
                return args[0].host.data_ptr()
            if func in (torch.Tensor.numpy, torch.Tensor.__array__):
                return args[0].__array__()
        if is_cuda(kwargs.get('device')):
            kwargs['device'] = 'cpu'
            if func in (torch.tensor, torch.as_tensor):
                note('h2d')
            with generator() if name in ('rand', 'randn', 'randint', 'randperm') else contextlib.nullcontext():
                out = func(*args, **kwargs)
            return out if isinstance(out, Cuda) else Cuda(out)
        return func(*args, **kwargs)
    def move(self, name, x, *args, **kwargs):
        device, rest = {'cpu': 'cpu', 'cuda': 'cuda'}.get(name), []
        for a in args if name == 'to' else ():
            if isinstance(a, torch.Tensor):
                device, a = a.device, a.dtype
            if isinstance(a, (str, torch.device)):
                device = a
            elif isinstance(a, torch.dtype):
                rest.append(a)
        device = kwargs.pop('device', None) or device
        kwargs.pop('non_blocking', None)
        if device is None or is_cuda(device) == isinstance(x, Cuda):
            return torch.Tensor.to(x, *rest, **kwargs) if rest or kwargs else x
        if is_cuda(device):
            note('h2d')
            out = x.detach().to(*rest, **kwargs) if rest or kwargs else x.detach()
            return Cuda(out.clone())
        assert not (x.requires_grad and torch.is_grad_enabled()), 'the fake does not differentiate through .cpu()'
        note('d2h')
        return x.host.to(*rest, **kwargs).clone() if rest or kwargs else x.host.clone()

class CUDAGraph:
    """Operations recorded, with what they wrote undone, and replayed into the tensors that they had made."""
    def __init__(self):
        self.ops, self.saved, self.made = [], {}, set()
    def keep(self, func, args):
        for a, s in zip(args, func._schema.arguments):
            if s.alias_info is not None and s.alias_info.is_write:
                for x in tree_leaves(a):
                    base = x if x._base is None else x._base
                    self.saved.setdefault(x.untyped_storage().data_ptr(), (base, base.clone()))
    def replay(self):
        for func, args, kwargs, out in self.ops:
            there = {a.untyped_storage().data_ptr() for a in tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)}
            new = [o for o in tree_leaves(out) if isinstance(o, torch.Tensor) and o.untyped_storage().data_ptr() not in there]
            written = any(s.alias_info is not None and s.alias_info.is_write for s in func._schema.arguments)
            if not new and not written:
                continue  # a view
            with generator() if torch.Tag.nondeterministic_seeded in func.tags else contextlib.nullcontext():
                again = func(*args, **kwargs)
            for o, a in zip(tree_leaves(out), tree_leaves(again)) if new else ():
                o.copy_(a)

@contextlib.contextmanager
def graph(g, **_):
    """torch.cuda.graph."""
    global capturing
    capturing, before = g, random['state']
    try:
        yield
    finally:
        capturing, random['state'] = None, before
        for base, copy in g.saved.values():
            base.copy_(copy)

def install():
    """Puts the fake in the place of torch.cuda."""
    seed(0)
    stream = types.SimpleNamespace(wait_stream=lambda other: None, synchronize=lambda: None)
    for name, value in dict(
            is_available=lambda: True, device_count=lambda: 1, get_device_name=lambda d=None: 'Fake', is_initialized=lambda: True,
            get_rng_state_all=lambda: [random['state'].clone()], get_rng_state=lambda d=0: random['state'].clone(),
            set_rng_state_all=lambda states: random.update(state=plain(states[0])), current_device=lambda: 0,
            set_rng_state=lambda s, d=0: random.update(state=plain(s)), manual_seed_all=seed, manual_seed=seed,
            is_bf16_supported=lambda *a: True, synchronize=lambda d=None: note('synchronize'), set_device=lambda d: None,
            CUDAGraph=CUDAGraph, graph=graph, Stream=lambda *a, **k: stream, current_stream=lambda *a: stream,
            stream=lambda s: contextlib.nullcontext(), empty_cache=lambda: None).items():
        setattr(torch.cuda, name, value)
    autocast = torch.autocast
    torch.autocast = lambda kind, *a, **k: autocast('cpu' if kind == 'cuda' else kind, *a, **k)
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # not .data, which would keep the CPU's Parameter
    Mode().__enter__()

def plain(state):
    assert type(state) is torch.Tensor and state.dtype == torch.uint8, 'RNG state must be a torch.ByteTensor'
    return state.clone()

def hook(kill_at=None, raise_at=None):
    """Counts the training steps of approaches.base, and stops the run in one of them."""
    from approaches import base
    from fast import general, hat
    def counted(true):
        def step(*args):
            global steps
            steps += 1
            if kill_at and steps == kill_at:
                os.kill(os.getpid(), signal.SIGTERM)
            if raise_at and steps == raise_at:
                raise RuntimeError('raised by fakecuda in step %d' % steps)
            return true(*args)
        step.__wrapped__ = true
        step.__module__ = true.__module__
        return step
    for kind in (base.Appr, general.General, hat.Hat):
        kind.step = counted(getattr(kind.step, '__wrapped__', kind.step))

def report():
    """What waits for the device, the most frequent first."""
    return '\n'.join(['%d steps, %d operations on the device' % (steps, sum(ops.values()))] + [
        '%-11s %-32s %7d %8.3f per step' % (kind, where, n, n / max(1, steps)) for (kind, where), n in events.most_common()])

def start(folder):
    """Makes a checkout's src importable and installs the fake."""
    global src
    src = os.path.abspath(folder)
    sys.path.insert(0, src)
    install()

if __name__ == '__main__':
    sys.modules['fakecuda'] = sys.modules['__main__']
    cut = sys.argv.index('--') if '--' in sys.argv else 0
    parser = argparse.ArgumentParser()
    parser.add_argument('--src', default='src')
    for option in ('--kill-at', '--raise-at'):
        parser.add_argument(option, type=int)
    own = parser.parse_args(sys.argv[1:cut] if cut else [])
    start(own.src)
    import run
    hook(own.kill_at, own.raise_at)
    try:
        run.main(sys.argv[cut + 1:])
    finally:
        print(report(), file=sys.stderr)
