"""Mutates files of each kind that the project reads and gives them to what reads them, which is to accept a file or to refuse it
by a UserError, within 20 seconds and 4 GiB.

    python scripts/fuzz.py [--mutants 2000] [--kinds npz,own,zip,log,record,matrix,checkpoint,model] [--seed 0]

Prints a line per kind and one per distinct failure, with the folder of a file that causes it; exit status 1 if there is any, or
if a file of the checkout has changed.
"""
import argparse
import contextlib
import gzip
import io
import json
import multiprocessing
import pickle
import random
import re
import resource
import shutil
import sys
import tempfile
import traceback
import zipfile
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / 'src'
sys.path.insert(0, str(SRC))

import matplotlib.pyplot
import numpy as np
import torch
import torch._dynamo  # as matplotlib.pyplot, here and not anew in every process
from PIL import Image

import compare
import evaluate
import export
import plot_results
import predict
import run as script
import discovery
import utils
from dataloaders import raw, split
from networks import layers, mlp_hat, modular
from results import collect, records
from runs import checkpoint, options, place, plan, sequence

NUMBERS = [0, 1, -1, 2, 255, 2 ** 31, -2 ** 63, 2 ** 64, 10 ** 30, 10 ** 400, .5, -.5, 1e308, -1e308, 5e-324, float('nan'), float('inf')]
APPROACHES = 'sgd', 'hat', 'hat-test', 'ewc', 'imm-mode', 'lwf', 'sgd-restart', 'joint', 'random', 'pathnet'
MODELS = {'sgd': [], 'hat': [], 'packnet': [], 'pathnet': ['--generations', '1'], 'progressive': [], 'ewc': [], 'imm-mode': [],
          'er': ['--scenario', 'class'], 'icarl': ['--scenario', 'class'], 'hat-test': [], 'independent': ['--scenario', 'domain'],
          'dgr': ['--width', '4', '--z', '2']}
GLYPHS = ['--experiment', 'glyphs', '--approach', 'sgd', '--output']
FORK = multiprocessing.get_context('fork')
checkpoint.folder = place.folder = lambda output: Path(output).with_suffix('')  # instead of a place in logs


def odd(old, draw, kind):
    """What may stand in the place of a value."""
    out = [None, True, '', 'x', '\0', '\ud800', 'a\nb', 'x' * 5000, [], {}, [[]], [old], {'dict': 3}, {'numpy': 3}, {'a': old}]
    out += draw.choices(NUMBERS, k=12)
    if kind in ('npz', 'own', 'zip', 'log'):
        out += [b'', (), (1, 2), 1j, np.zeros(3), np.float32(2), np.array(['a']), np.zeros((2, 0))]
    if kind in ('checkpoint', 'model'):
        out += [b'', (1, 2), 1j, torch.tensor(0.), torch.zeros(3), torch.ones(3).to_sparse(), torch.ones(3, device='meta'), torch.float16]
    if isinstance(old, (np.ndarray, torch.Tensor)) and draw.random() < 0.7:
        out = [old[:1], old.reshape(-1), old[..., None], old * float('nan'), old * 1e38, old * -1]
        out += [old.astype(k) for k in ('f8', 'f2', 'i4', 'u1', '?', 'U4', '>f4')] if isinstance(old, np.ndarray) else [
            *(old.to(k) for k in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)),
            old.to_sparse(), old.to('meta'), torch.nn.Parameter(old, old.is_floating_point()), old[:1].expand(old.shape)]
    return draw.choice(out)


def changed(value, draw, kind):
    """A value with something in it replaced, removed or renamed."""
    if not (isinstance(value, (dict, list, tuple)) and value) or draw.random() < 0.1:
        return odd(value, draw, kind)
    items, act = list(value.items() if isinstance(value, dict) else enumerate(value)), draw.random()
    at = draw.randrange(len(items))
    key, old = items[at]
    items[at:at + 1] = [] if act < 0.1 else [(odd(key, draw, 'record'), old)] if act < 0.2 else [(key, changed(old, draw, kind))]
    return dict(items) if isinstance(value, dict) else type(value)(v for _, v in items)


def damaged(content, draw):
    """Bytes with some flipped, replaced, inserted, repeated, moved or cut, or with other numbers in them."""
    b = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 4, 8])):
        near = draw.randrange(400)  # the ends, where the headers are
        i, k = draw.choice([draw.randrange(len(b) + 1), min(near, len(b)), max(0, len(b) - near)]), draw.randrange(len(b) + 1)
        j, number = i + 2 ** draw.randrange(8), draw.choice(list(re.finditer(rb'-?\d+(\.\d+)?(e-?\d+)?', b[:20000])) or [None])
        first, last, new = draw.choice([
            (i, i + 1, bytes(c ^ 1 << draw.randrange(8) for c in b[i:i + 1])), (i, i + 1, bytes([draw.choice([0, 127, 128, 255, 46])])),
            (i, i + 4, draw.choice([0, 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]).to_bytes(4, 'little')), (i, i, b[i:j]),
            (i, i, draw.randbytes(1 + draw.randrange(16))), (i, j, b[k:k + j - i]), (i, j, b''), (i, draw.choice([len(b), j, j]), b''),
            (*(number.span() if number else (i, j)), json.dumps(draw.choice(NUMBERS)).encode())])
        b[first:last] = new
    return bytes(b)


def mutant(kind, content, draw):
    """One mutant of a file's content: of its bytes, of those within a gzip or a zip whose checksums hold, or of its values."""
    way, out = draw.choice(['bytes', 'within', 'values', 'values']), io.BytesIO()
    if way == 'bytes' or kind == 'matrix':
        return damaged(content, draw)
    if kind == 'record':
        return json.dumps(changed(json.loads(content), draw, kind)).encode()
    if way == 'values' and kind in ('npz', 'own', 'checkpoint', 'model'):
        tensors = kind in ('checkpoint', 'model')
        value = changed((torch.load if tensors else lambda f: dict(np.load(f)))(io.BytesIO(content)), draw, kind)
        torch.save(value, out) if tensors else np.savez(out, **value)
        return out.getvalue()

    def change(b):
        return damaged(b, draw) if way == 'within' else pickle.dumps(changed(pickle.loads(b), draw, kind), draw.randrange(6))
    if kind == 'log':
        return gzip.compress(change(gzip.decompress(content)), 1)
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, 'w') as new:
        chosen = draw.choice(old.infolist() + [i for i in old.infolist() if i.filename.endswith('.pkl')] * 3)
        for i in old.infolist():
            new.writestr(i, change(old.read(i)) if i is chosen else old.read(i), i.compress_type)
    return out.getvalue()


def run(name, folder, every):
    """An approach's run on two small tasks, with all of its files in a folder."""
    utils.seed_everything(0)
    size, taskcla, hidden = [1, 6, 6], [(0, 3), (1, 2)], [layers.Layer('fc%d' % i, 8, 0.5) for i in (1, 2)]
    data = {t: {'name': 'ab'[t], **{s: {'x': torch.randn(32, *size), 'y': torch.randint(n, (32,))} for s in ('train', 'valid', 'test')}}
            for t, n in taskcla}
    net = mlp_hat.Net(size, taskcla, 2, 8) if name.startswith('hat') else (
        modular.Modular if name == 'pathnet' else layers.Plain)(hidden, size, taskcla)
    more = {'pathnet': {'generations': 1}, 'hat-test': {'logpath': str(folder / 'o.pkz')}}
    saved = checkpoint.Checkpoint(folder / 'o.txt', {'approach': name, 'lr': 0.05}, every)
    saved.path = folder / 'checkpoint.pt'
    ahead = ['--forward-transfer'] * (name not in ('random', 'pathnet'))
    args, _ = options.parse(['--experiment', 'glyphs', '--approach', name, '--final-valid', *ahead])
    args = args.but(output=folder / 'o.txt')
    return sequence.Sequence(
        discovery.load('approaches', name).Appr(net, nepochs=3, sbatch=16, **more.get(name, {})),
        {'args': args, 'data': data, 'taskcla': taskcla, 'inputsize': size, 'device': torch.device('cpu')},
        {'device': 'cpu', 'tasks': ['a', 'b'], 'config': saved.config}, saved, place.Place(args.output))


def trained(approach, folder, x, y):
    """The files of a run with models: data, an image, result and record, the model after the last task."""
    images, net = np.resize(x, (12, 7, 7, 3) if approach == 'sgd' else (12, 6, 6)), ['--net', 'nhid=8,nlayers=1']
    np.savez(folder / 'shapes.npz', x_train=images, y_train=y % 4, x_test=images, y_test=y % 4, class_names=list('abcd'))
    Image.fromarray(images[0]).save(folder / 'x.png')
    script.main(['--experiment', 'split:shapes:2', '--data-dir', str(folder), '--output', str(folder / 'o.txt'), '--approach', approach,
                 '--nepochs', '1', '--pad', '1', '--pc-valid', '0', '--save', '--overwrite', '--device', 'cpu', *net, *MODELS[approach],
                 *(['--logpath', str(folder / 'o.pkz')] if approach == 'hat-test' else [])])
    return {f: (folder / f).read_bytes() for f in ('shapes.npz', 'x.png', 'o.txt', 'o.json', 'o/task1.pt')}


def originals(kind, folder):
    """Valid files: a list of ({name: content}, the name of the one to be changed)."""
    sys.stdout = open('/dev/null', 'w')
    x, y, out = np.random.RandomState(0).randint(0, 256, (12, 28, 28)).astype(np.uint8), np.arange(12) % 10, []
    if kind == 'npz':
        for save in (np.savez, np.savez_compressed):
            save(folder / 'mnist.npz', x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
            out.append(({'mnist.npz': (folder / 'mnist.npz').read_bytes()}, 'mnist.npz'))
    elif kind == 'own':
        for shape in ((12, 6, 6, 3), (12, 3, 6, 6), (12, 5, 7)):
            images = np.resize(x, shape)
            np.savez(folder / 'shapes.npz', x_train=images, y_train=y % 4, x_test=images, y_test=y % 4, class_names=list('abcd'))
            out.append(({'shapes.npz': (folder / 'shapes.npz').read_bytes()}, 'shapes.npz'))
    elif kind == 'zip':
        for protocol, dtype in enumerate((np.float32, np.uint8, np.float64) * 2):
            with zipfile.ZipFile(folder / 'z', 'w', (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[protocol % 2]) as z:
                for part, n in (('train', 12), ('test', 3)):
                    z.writestr('notmnist_%s.pkl' % part, pickle.dumps({'features': x[:n, None].astype(dtype), 'labels': y[:n]}, protocol))
            out.append(({'notmnist.zip': (folder / 'z').read_bytes()}, 'notmnist.zip'))
    elif kind == 'log':
        run('hat-test', folder, 1e9).run()
        out.append(({'o.pkz': (folder / 'o.pkz').read_bytes()}, 'o.pkz'))
    elif kind == 'checkpoint':
        for approach in APPROACHES:
            one, found = run(approach, folder, 0), []
            save = one.checkpoint.write
            one.checkpoint.write = lambda: (save(), found.append(one.checkpoint.path.read_bytes()))
            one.run()
            one.args.output.unlink()
            out += [({'approach': approach.encode(), 'checkpoint.pt': content}, 'checkpoint.pt') for content in found[::3]]
    elif kind == 'model':
        for approach in MODELS:
            files = trained(approach, folder, x, y)
            out += [(files, 'o/task1.pt')] * 4 + [(files, 'o.json')]
    else:
        for name, lr in (('_0', '0.05'), ('_1', '0.05'), ('-a_0', '0.05'), ('-b_0', '0.1')):
            command = [*GLYPHS, str(folder / ('glyphs_sgd%s.txt' % name)), '--lr', lr]
            config = {**options.settings(options.parse(command)[0]), 'network': 'mlp', 'tasks': ['a', 'b'], 'data': {'glyphs': 'x'}}
            records.save(command[5], np.array([[.5, 0], [.25, 1]]), {
                'status': 'finished', 'command': ['src/run.py', *command], 'config': config, 'tasks': ['a', 'b'], 'seconds': 1.5,
                'accuracy': [[.5, 0], [.25, 1]], 'loss': [[1, 0], [2, 3.5]], 'valid_accuracy': [.5, 1], 'seconds_per_task': [1, .5],
                'before_learning': [.25, .5], 'untrained': [.25, .25], 'task_inferred': [[1, 0], [.5, 1]]})
        files = {f.name: f.read_bytes() for f in folder.iterdir() if kind == 'record' or f.suffix == '.txt'}
        out += [(files, f) for f in ('glyphs_sgd_0.json', 'glyphs_sgd-a_0.json', 'glyphs_sgd_0.txt') if f in files]
    return out


def readers(kind, folder, draw):
    """What reads files of a kind: a list of calls, the first of which says whether a file is accepted."""
    def figures(*names):
        how = ['--table', draw.choice(['csv', 'latex', 'markdown'])] + ['--output', str(folder / 'x.png')] * (draw.random() < 0.3)
        of = ['--logs', str(folder / 'o.pkz')] if kind == 'log' else [*GLYPHS[:2], '--approaches', 'sgd', '--folders', str(folder)]
        return [lambda f=f: plot_results.main(['--figure', f, *of, *how]) for f in names]
    if kind in ('npz', 'zip'):
        return [lambda: raw.sha256(raw.load({'npz': 'mnist', 'zip': 'notmnist'}[kind], folder))]
    if kind == 'own':
        return [lambda: split.get(0, pc_valid=0., data_dir=folder, name='shapes', ntasks=2)[0][1]['train']['x'], lambda: raw.shape('shapes', folder)]
    if kind == 'checkpoint':
        one = run((folder / 'approach').read_text(), folder, 1e9)
        return [lambda: one.run(one.checkpoint.read())]
    if kind == 'model':
        result, data = str(folder / 'o.txt'), ['--data-dir', str(folder)]
        exported = [lambda: export.main([result, '--task', '0', '--output', str(folder / 'x.pt2'), *data])] * (draw.random() < 0.2)
        return [lambda: evaluate.main([result, '--matrix', '--table', 'latex', *data]), *exported, *(
            lambda more=more: predict.main([result, str(folder / 'x.png'), *more]) for more in ([], ['--task', '1', '--json']))]
    if kind == 'log':
        return [*figures('capacity', 'overlap', 'masks', 'compression'), lambda: records.check_log(folder / 'o.pkz', folder / 'o.txt', {})]
    one, grid = folder / 'glyphs_sgd_0.txt', folder / 'glyphs_sgd-a_0.txt'
    planned = plan.Run([*GLYPHS, str(one)])
    return [lambda: [collect.read(f) for f in (one, grid)], lambda: compare.main([str(one), str(folder / 'glyphs_sgd_1.json')]),
            lambda: compare.main([str(grid)]), planned.status, lambda: plan.show([planned], folder, 1),
            lambda: records.check_output(one, {'lr': 1}), *figures('bars', 'matrix', 'tasks', 'order', 'surface')]


def attempt(kind, whole, here, draw):
    """Makes a mutant and has it read, in a process of its own; leaves how that went: accepted, refused, or failed and where."""
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2 ** 30,) * 2)
    sys.stdout = sys.stderr = open('/dev/null', 'w', encoding='utf-8', errors='backslashreplace')
    files, name = draw.choice(whole)
    content, found = files[name], []
    while content == files[name]:
        with contextlib.suppress(Exception):  # what cannot be saved
            content = mutant('record' if name == 'o.json' else kind, files[name], draw)
    for f, c in {**files, name: content}.items():
        (here / f).parent.mkdir(exist_ok=True)
        (here / f).write_bytes(c)
    for read in readers(kind, here, draw):
        try:
            read()
            found.append('accepted')
        except utils.UserError:
            found.append('refused')
        except BaseException as e:
            at = ['%s:%d' % (Path(f.filename).name, f.lineno) for f in traceback.extract_tb(e.__traceback__)]
            found.insert(0, 'failed: %s at %s' % (type(e).__name__, ' < '.join(at[:-5:-1])))
    (here / 'outcome').write_text(found[0])


def fuzz(kind, count, folder, seed):
    """[(outcome, folder)] of so many mutants of a kind, each in a process, as a reader may kill it."""
    (folder / 'whole').mkdir(parents=True)
    with FORK.Pool(1) as pool:
        whole, out = pool.apply(originals, (kind, folder / 'whole')), []
    for i in range(count):
        here = folder / ('%05d' % i)
        here.mkdir()
        process = FORK.Process(target=attempt, args=(kind, whole, here, random.Random('%d %s %d' % (seed, kind, i))))
        process.start()
        process.join(20)
        process.kill(), process.join()
        told = here / 'outcome'
        out.append((told.read_text() if told.exists() else 'failed: it died or took too long, status %d' % process.exitcode, here))
        if not out[-1][0].startswith('failed'):
            shutil.rmtree(here)
    return out


def listing():
    """What is in the checkout: {file: time of its last change}."""
    return {f: f.stat().st_mtime_ns for d in ('dat', 'res', 'logs', 'src', 'scripts') for f in (SRC.parent / d).rglob('*')
            if '__pycache__' not in str(f)}


def main():
    """Runs a command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--mutants', type=int, default=2000, help='of all kinds together (default %(default)s)')
    parser.add_argument('--kinds', default='npz,own,zip,log,record,matrix,checkpoint,model', help='default %(default)s')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)  # more do not survive a fork
    before, failures, kinds, folder = listing(), {}, args.kinds.split(','), Path(tempfile.mkdtemp(prefix='fuzz_'))
    for kind in kinds:
        found = fuzz(kind, -(-args.mutants // len(kinds)), folder / kind, args.seed)
        counts = [sum(what.startswith(s) for what, _ in found) for s in ('refused', 'accepted', 'failed')]
        print('%-10s %5d mutants, %5d refused, %5d accepted, %3d failures' % (kind, len(found), *counts), flush=True)
        for what, here in found:
            if what.startswith('failed'):
                failures.setdefault((kind, what), []).append(here)
    for (kind, what), which in failures.items():
        print('%s %s: %d, such as %s' % (kind, what, len(which), which[0]))
    touched = ['changed: %s\n' % f for f in {f for f, _ in before.items() ^ listing().items()}]
    print(''.join(touched), end='')
    if not failures:
        shutil.rmtree(folder)
    return 1 if failures or touched else 0


if __name__ == '__main__':
    sys.exit(main())
