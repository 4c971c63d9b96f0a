"""Kills runs at random moments with SIGKILL, resumes them, and compares the final matrix and weights with those of an
undisturbed run, bit for bit.

    bash scripts/kill_test.sh [--kills 4] [--nproc 2] [--approaches a,b,...]
    bash scripts/kill_test.sh --every [--cases sgd,overwrite-same]
    bash scripts/kill_test.sh --plans 5

The third kills run_multi.py and work.py, every other time with their workers, and starts them again. The second kills short runs before every single thing that they do to files, and lets the disk be full from there on
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


PLANS = {'run_multi.py': ['run_multi.py', '--experiments', 'glyphs', '--approaches', 'sgd,hat', '--seeds', '0-1', '--res_folder'],
         'work.py': ['work.py', 'cpu', 'glyphs', 'ewc', '--grid', 'lamb=1,10,100,1000']}  # the folder of the results comes next
PASSED = ['--nproc', '2', '--execute', '--', '--tasks', '0,1', '--nepochs', '6', '--net', 'nhid=50', '--checkpoint-every', '0']


def plan(script, folder):
    """A script that carries out four runs, as a command."""
    words = PLANS[script]
    at = 4 if script == 'work.py' else len(words)
    return [sys.executable, str(SRC / words[0]), *words[1:at], str(folder), *words[at:], *PASSED]


def plans(script, kills, folder):
    """Kills a script so often, starts it until all runs have finished; returns a line on what came out, and whether it is right."""
    from results import records
    from runs import checkpoint, locking
    environment, draw = {**os.environ, 'OMP_NUM_THREADS': '1'}, random.Random(script)
    quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL, 'env': environment}
    tick = time.monotonic()
    subprocess.run(plan(script, folder / 'whole'), check=True, **quiet)
    length = time.monotonic() - tick
    for k in range(kills):
        process = subprocess.Popen(plan(script, folder / 'killed'), start_new_session=True, **quiet)
        time.sleep(draw.uniform(0.3, 0.9) * length)
        process.kill()
        process.wait()
        if k % 2:
            subprocess.run(['pkill', '-KILL', '-f', str(folder / 'killed')])
    outputs, starts = sorted((folder / 'whole').glob('*.txt')), 0
    again = [folder / 'killed' / output.name for output in outputs]
    while not all(map(records.finished, again)) and starts < 5:
        subprocess.run(plan(script, folder / 'killed'), **quiet)
        starts += 1
        while any(map(locking.busy, again)):
            time.sleep(0.2)
    right = [records.finished(b) and a.read_text() == b.read_text() for a, b in zip(outputs, again)]
    once = [(checkpoint.folder(b) / 'run.log').read_text().count('Done!') == 1 for b in again]
    return '%s: %d kills, %d further starts, %d of %d runs finished as undisturbed, %d of them once' % (
        script, kills, starts, sum(right), len(again), sum(once)), all(right) and all(once) and len(again) == 4


def main():
    """Runs the trials of a command line; returns the exit status."""
    import file_events
    import discovery
    import utils
    from runs.place import folder as logs
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--kills', type=int, default=4, help='kills per approach (default %(default)s)')
    parser.add_argument('--nproc', type=int, default=2, help='approaches at a time (default %(default)s)')
    parser.add_argument('--approaches', default=','.join(discovery.choices('approaches')))
    parser.add_argument('--every', nargs='?', type=int, const=1, metavar='N', help='every (N-th) event of files instead')
    parser.add_argument('--cases', default=','.join(file_events.CASES), help='of --every (default %(default)s)')
    parser.add_argument('--plans', type=int, metavar='N', help='kill run_multi.py and work.py so often instead')
    parser.add_argument('--folder', default='kill_test', help='in res/ (default %(default)s)')
    args = parser.parse_args()
    folder = utils.ROOT / 'res' / args.folder
    shutil.rmtree(folder, ignore_errors=True), shutil.rmtree(logs(folder), ignore_errors=True)
    if args.every:
        status = file_events.main(folder, args.cases.split(','), args.every)
        shutil.rmtree(folder), shutil.rmtree(logs(folder), ignore_errors=True)
        return status
    folder.mkdir(parents=True)
    if args.plans:
        found = [plans(script, args.plans, folder / script) for script in PLANS]
        print('\n'.join(line for line, _ in found))
        shutil.rmtree(folder), shutil.rmtree(logs(folder))
        return int(not all(right for _, right in found))
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
