"""What a run runs on: devices, versions, commit, and how strictly the same numbers are asked for."""
import os
import platform
import subprocess

from utils import ROOT, UserError


def choose_device(name):
    """The torch.device of a name, 'auto' being the first of cuda, mps and cpu that is there."""
    import torch
    there = ['cuda:%d' % i for i in range(torch.cuda.device_count())]
    there += ['mps'] * torch.backends.mps.is_available() + ['cpu']
    if name == 'auto':
        return torch.device(there[0])
    if (name + ':0' if name == 'cuda' else name) not in there:
        raise UserError('--device %s is not there; this machine has: %s' % (name, ', '.join(['auto'] + there)))
    return torch.device(name)


def be_deterministic():
    """Makes CUDA compute the same numbers every time, where it can, and fail where it cannot."""
    import torch
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def apply(appr, args):
    """Applies the options that trade exact numbers for speed, as far as args has them, to an approach."""
    from networks import dropout
    dropout.fast = getattr(args, 'fast_dropout', False)
    if getattr(args, 'dense', False):
        appr.dense = True


def processor():
    """The CPU's name."""
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':')[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe(device):
    """Device, versions and commit, for a run's record."""
    import torch
    from importlib.metadata import version
    if device.type == 'cuda':
        name = '%s (%s)' % (device, torch.cuda.get_device_name(device))
    else:
        name = '%s (%s, %d threads)' % (device, platform.processor() or platform.machine(), torch.get_num_threads())
    return {'device': name, 'git_commit': git_commit(), 'versions': {
        'python': platform.python_version(), **{p: version(p) for p in ('torch', 'torchvision', 'numpy')}}}


def git_commit():
    """The project's commit, with '+' if files differ from it; None outside a repository."""
    def git(*command):
        return subprocess.run(['git', '-C', str(ROOT), *command], capture_output=True, text=True, check=True).stdout
    try:
        return git('rev-parse', 'HEAD').strip() + '+' * bool(git('status', '--porcelain', '-uno').strip())
    except (OSError, subprocess.CalledProcessError):
        return None
