"""Carries out the commands of readmes in their order, as somebody who pastes them: on a copy of the project,
small networks and small stand-ins for the data, each in a fork of this process, which has imported everything.

    python pasted.py <folder of the copy> <readme> ...

Prints how many of each were carried out; of one that fails, the command and what it said, and the exit status
is 1. Skipped are those marked as needing what is not here, and scripts, which have to be there.
"""
import dataclasses
import importlib
import importlib.util
import os
import re
import runpy
import shlex
import sys
import tempfile
import traceback
from pathlib import Path
from types import SimpleNamespace

BLOCK = re.compile(r'^```\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^([^\n]*?)(?:<<'END'\n(.*?\n)END)?$\n?", re.MULTILINE | re.DOTALL)
SHELL, MISSES = ('python', 'bash', 'cat', 'pip', 'export', 'source'), ('src/paper.py',)
WARM = ('run', 'work', 'jinja2', 'matplotlib.pyplot', 'scipy.stats', 'torch._dynamo', 'torch.export',
        'torch.fx.experimental.symbolic_shapes')  # what forks would each import anew
SHORT = {'--nepochs': '1', '--seeds': '0,1'}
STAND_INS = 'mnist', 'notmnist', 'cifar10', 'cifar100'


def commands(text):
    """Yield (words, lines of a here-document or None, what it needs) of the commands in a readme's blocks; output
    that is shown is left out, Python by itself is a command."""
    for block in BLOCK.findall(text):
        first = block.split(maxsplit=1)[0]
        if first == 'import':
            yield ['python', '-'], block, ''
        elif first in SHELL:
            for line, document in COMMAND.findall(block):
                needs = line.partition('# needs ')[2]
                words = shlex.split(line, comments=True)
                if words:
                    yield words, document or None, needs


def here(needs):
    """Return whether a command can be tried of which a readme says what it needs."""
    return not needs or needs.split()[0] in ('MNIST', 'MNIST,') or importlib.util.find_spec(needs) is not None


def shortened(words):
    """Return a command with one epoch and two seeds."""
    found = [SHORT.get(before, word) for before, word in zip(['', *words], words)]
    told = {'--nepochs', '--overfit'} & set(words)
    long = words[1] == 'src/run.py' and '--experiment' in words and not told
    return found + ['--nepochs', '1'] * long


def shrink(root):
    """Make networks and data small."""
    import numpy as np
    from conftest import small
    from dataloaders import glyphset, raw
    from networks import mlp, mlp_hat
    arrays = glyphset.make()
    few = [np.concatenate([np.flatnonzero(y == c)[:n] for c in range(36)]) for y, n in ((arrays[1], 20), (arrays[3], 5))]
    found = tuple(a[few[i // 2]] for i, a in enumerate(arrays))
    row = raw.TABLE['glyphs']
    raw.TABLE['glyphs'] = dataclasses.replace(row, make=lambda: found, counts=(None, None))
    mlp.Net.__init__.__defaults__, mlp_hat.Net.__init__.__defaults__ = (3, 40, .5, 1., 'none'), (2, 40, .2, .5)
    for name in STAND_INS:
        np.savez(root / 'dat' / (name + '.npz'), **small(name))


class Fork:
    """What subprocess.Popen is, for a script of the project or a here-document: a fork that runs it."""

    def __init__(self, command, stdout=None, document=None, **_):
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stdout.fileno(), 2)
            sys.stdout, sys.stderr = open(1, 'w', closefd=False), open(2, 'w', closefd=False)
            status = carried_out(command[1:], document)
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)

    def wait(self, timeout=None):
        """Return the exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def carried_out(words, document):
    """Run a script, or a here-document, as Python does; return the exit status."""
    sys.argv = words
    try:
        if document:
            exec(compile(document, 'pasted', 'exec'), {'__name__': '__main__'})
        else:
            runpy.run_path(words[0], run_name='__main__')
    except SystemExit as e:
        return e.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def tried(root, words, document):
    """Carry out a command; return whether it went well. Print what one said that did not."""
    if words[0] == 'cat':
        (root / words[2]).write_text(document)
    elif words[0] == 'bash' or words[1].startswith('scripts/'):
        assert (root / words[1]).is_file(), words
    elif words[0] == 'python':
        with tempfile.TemporaryFile('w+') as said:
            status = Fork(shortened(words), said, document).wait()
            said.seek(0)
            if status and not (status == 1 and words[1] in MISSES):
                print(shlex.join(words), 'exit status %d' % status, said.read()[-3000:], sep='\n')
                return False
    return True


def main(root, *readmes):
    """Carry out the commands of readmes; return the exit status."""
    for name in WARM:
        importlib.import_module(name)
    from runs import local
    root = Path(root)
    os.chdir(root)
    shrink(root)
    local.subprocess = SimpleNamespace(Popen=Fork, DEVNULL=None)
    local.Workers.carry_out.__defaults__ = (Fork.wait,)
    for readme in readmes:
        there = [c for c in commands((root / readme).read_text('utf-8')) if here(c[2])]
        if not all(tried(root, words, document) for words, document, _ in there):
            return 1
        print(readme, sum(words[0] == 'python' for words, *_ in there))
    return 0


if __name__ == '__main__':
    sys.path[:0] = [str(Path(sys.argv[1]) / 'src'), str(Path(__file__).parent)]
    sys.exit(main(*sys.argv[1:]))
