"""What a run runs on: devices, versions, commit, and how strictly the same numbers are asked for."""
import os
import platform
import shutil
import subprocess
import warnings

from utils import ROOT, UserError


def choose_device(name):
    """Return the torch.device of a name, 'auto' being the first of cuda, mps and cpu that is there."""
    import torch
    devices = ['cuda:%d' % i for i in range(torch.cuda.device_count())]
    devices += ['mps'] * torch.backends.mps.is_available() + ['cpu']
    if name == 'auto':
        return torch.device(devices[0])
    if (name + ':0' if name == 'cuda' else name) not in devices:
        raise UserError('--device %s is not there; this machine has: %s' % (
            name, ', '.join(['auto', *devices])))
    device = torch.device(name)
    if device.index:
        torch.cuda.set_device(device)  # for what takes the current one: streams, graphs
    return device


def be_deterministic():
    """Make CUDA compute the same numbers every time, where it can, and fail where it cannot."""
    import torch
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def prepare():
    """Make settings of the process that cost nothing in accuracy; to be called before the first computation.

    Numbers below 1e-38 count as 0: HAT's gates make many, on which some CPUs take a hundred times as long,
    and no weight is large enough to lose a bit by it. And freed memory stays with the process, where the C
    library lets one say so: to get it back for every batch costs more than many an operation on it.
    """
    import ctypes
    import torch
    torch.set_flush_denormal(True)
    # of heads of tasks without a new class
    warnings.filterwarnings('ignore', 'Initializing zero-element tensors')
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if os.name == 'posix' else None
    if mallopt:
        for option, value in ((-3, 32 << 20), (-1, 1 << 30)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            mallopt(option, value)


def apply(appr, args):
    """Apply the options for speed, as far as args has them, to an approach that is about to train or be
    used, and let fast/ compute what it can. Raises UserError for an option that cannot be had here."""
    import torch
    import fast
    from approaches.base import Appr
    # PyTorch's default: convolutions alone
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    if hasattr(appr, 'model') and is_channels_last(args.channels_last, appr.model):
        appr.model.to(memory_format=torch.channels_last)
    if not isinstance(appr, Appr):
        return
    if args.amp:
        appr.recipe.amp = {'bf16': torch.bfloat16}[args.amp]
    if args.compile:
        if appr.device.type == 'cpu' and not any(map(shutil.which, ('g++', 'c++', 'clang++'))):
            raise UserError('--compile needs a C++ compiler, which is not there: install g++, or leave '
                            '--compile out')
        appr.model.compile(mode='reduce-overhead' if appr.device.type == 'cuda' else None)
    elif not args.plain:
        appr.configure(wing=fast.of(appr))


def is_channels_last(choice, model):
    """Return whether a model's convolutions are to be computed in channels-last memory format: as it is
    chosen, 'on' or 'off', or else where layers have norms or shortcuts, on the CPU (scripts/bench.sh resnet).
    Others stay as they are, to the bit."""
    from networks import parts
    from networks.layers import Layered
    if choice or not isinstance(model, Layered):
        return choice == 'on'
    maps = any(layer.kernel for layer in model.layers)
    return maps and not parts.plain(model.layers) and next(model.parameters()).device.type == 'cpu'


def memory_format(model):
    """Return {'memory_format': 'channels_last'} of a model with such weights, for a run's record, else {}."""
    import torch
    for p in model.parameters():
        if p.dim() == 4 and p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous():
            return {'memory_format': 'channels_last'}
    return {}


def processor():
    """Return the CPU's name."""
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':')[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe(device):
    """Return device, versions and commit, for a run's record."""
    import torch
    from importlib.metadata import version
    if device.type == 'cuda':
        name = '%s (%s)' % (device, torch.cuda.get_device_name(device))
    else:
        name = '%s (%s, %d threads)' % (device, processor(), torch.get_num_threads())
    return {'device': name, 'git_commit': git_commit(), 'versions': {
        'python': platform.python_version(), **{p: version(p) for p in ('torch', 'torchvision', 'numpy')}}}


def git_commit():
    """Return the project's commit, with '+' if files differ from it, or there are new ones in src/; None
    outside a repository."""
    def git(*command):
        return subprocess.run(['git', '-C', str(ROOT), *command], capture_output=True, text=True,
                              check=True).stdout
    try:
        changed = git('status', '--porcelain', '-uno') + git('status', '--porcelain', '-uall', '--', 'src')
        return git('rev-parse', 'HEAD').strip() + '+' * bool(changed.strip())
    except (OSError, subprocess.CalledProcessError):
        return None
