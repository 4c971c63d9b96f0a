"""Kills runs at random moments with SIGKILL, resumes them, and compares the final matrix and weights with those of an
undisturbed run, bit for bit.

    bash scripts/kill_test.sh [--kills 4] [--nproc 2] [--approaches a,b,...]
    bash scripts/kill_test.sh --every [--cases sgd,overwrite-same]

The second kills short runs before every single thing that they do to files, and lets the disk be full from there on
(file_events.py). --kills is the number per approach, of which a third hits between the end of the last task and the end of the run; prints a
line per approach and the totals; exit status 1 if anything differs.
"""
import argparse
import csv
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / 'src'
sys.path.insert(0, str(SRC))


MORE = {'pathnet': ['--generations', '3'], 'packnet': ['--retrain', '2'], 'icarl': ['--scenario', 'class'],
        'online-meta': ['--net', 'nhid=50,nlayers=1']}


def start(approach, output, log, *options):
    """run.py as a process on two tasks of glyphs, once its training has begun; and the time of that."""
    command = [sys.executable, str(SRC / 'run.py'), '--experiment', 'glyphs', '--tasks', '0,1', '--nepochs', '3',
               '--approach', approach, '--output', str(output), '--device', 'cpu', '--checkpoint-every', '0',
               '--keep-checkpoint', *MORE.get(approach, []), *options]
    with open(log, 'w') as f:
        process = subprocess.Popen(command, stdout=f, stderr=f, env={**os.environ, 'OMP_NUM_THREADS': '1',
                                                                     'PYTHONUNBUFFERED': '1'})
    while process.poll() is None and not re.search(r'^Task +\d+ \(', Path(log).read_text(), re.MULTILINE):
        time.sleep(0.02)
    return process, time.monotonic()


def complete(*args):
    """Lets a run go to its end; returns the seconds since training began."""
    process, tick = start(*args)
    if process.wait():
        raise RuntimeError(Path(args[2]).read_text()[-500:])
    return time.monotonic() - tick


def final(output):
    """(matrix as text, weights, lines of its epochs but for their seconds) that a run left."""
    import torch
    from runs.checkpoint import folder
    state = torch.load(folder(output) / 'checkpoint.pt', weights_only=True)
    with open(folder(output) / 'epochs.csv', newline='') as f:
        epochs = [{k: v for k, v in row.items() if k != 'seconds'} for row in csv.DictReader(f)]
    return Path(output).read_text(), state['model'], epochs


def same(one, other):
    """Whether two runs left the same, bit for bit."""
    import torch
    return one[0] == other[0] and one[2] == other[2] and one[1].keys() == other[1].keys() and all(
        torch.equal(w, other[1][n]) for n, w in one[1].items())


def trial(approach, kills, folder, seed=0):
    """Kills an approach's runs until it was hit so often; returns (kills, of them resumed within a run, differences)."""
    folder = Path(folder)
    draw, log = random.Random('%s %d' % (approach, seed)), folder / (approach + '.log')
    length = complete(approach, folder / ('%s_whole.txt' % approach), log)
    whole = final(folder / ('%s_whole.txt' % approach))
    done = resumed = differences = round = 0
    while done < kills:
        output = folder / ('%s_%d.txt' % (approach, round))
        round += 1
        while done < kills:
            process, _ = start(approach, output, log, '--resume')
            resumed += 'Resuming' in log.read_text()
            late = done % 3 == 2
            while late and process.poll() is None and '>>> Test on task  1' not in log.read_text():
                time.sleep(0.005)
            try:
                process.wait(draw.uniform(0, 0.3 if late else 0.9 * length))
                break  # it was faster
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                done += 1
        complete(approach, output, log, '--resume')
        resumed += 'Resuming' in log.read_text()
        differences += not same(whole, final(output))
    return done, resumed, differences


def main():
    """Runs the trials of a command line; returns the exit status."""
    import file_events
    import utils
    from runs.place import folder as logs
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=4, help='kills per approach (default %(default)s)')
    parser.add_argument('--nproc', type=int, default=2, help='approaches at a time (default %(default)s)')
    parser.add_argument('--approaches', default=','.join(utils.choices('approaches')))
    parser.add_argument('--every', nargs='?', type=int, const=1, metavar='N', help='every (N-th) event of files instead')
    parser.add_argument('--cases', default=','.join(file_events.CASES), help='of --every (default %(default)s)')
    parser.add_argument('--folder', default='kill_test', help='in res/ (default %(default)s)')
    args = parser.parse_args()
    folder = utils.ROOT / 'res' / args.folder
    shutil.rmtree(folder, ignore_errors=True), shutil.rmtree(logs(folder), ignore_errors=True)
    if args.every:
        status = file_events.main(folder, args.cases.split(','), args.every)
        shutil.rmtree(folder), shutil.rmtree(logs(folder), ignore_errors=True)
        return status
    folder.mkdir(parents=True)
    approaches = args.approaches.split(',')
    with ThreadPoolExecutor(args.nproc) as pool:
        found = []
        for a, result in zip(approaches, pool.map(lambda a: trial(a, args.kills, folder), approaches)):
            found.append(result)
            print('%-12s %2d kills, %2d starts resumed, %d runs differ' % (a, *result), flush=True)
    kills, resumed, differences = map(sum, zip(*found))
    print('%d kills, %d starts resumed from a checkpoint, %d differences' % (kills, resumed, differences))
    shutil.rmtree(folder), shutil.rmtree(logs(folder))
    return 1 if differences else 0


if __name__ == '__main__':
    sys.exit(main())
