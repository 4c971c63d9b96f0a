"""Runs one experiment: an approach learns a sequence of tasks; its accuracy on all of them is saved after each.

    python src/run.py --experiment pmnist --approach hat --parameter 0.75,400
"""
import inspect
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import options
import results
import utils
from utils import ROOT, UserError


def main(argv=None):
    """Runs a command line; returns the accuracy matrix, float32 [T,T], row t after task t, column u on task u."""
    try:
        return run(*options.parse(sys.argv[1:] if argv is None else argv), argv)
    except UserError as e:
        print('run.py: ' + str(e), file=sys.stderr)
        sys.exit(2)


def run(args, approach, argv=None):
    """Runs what parse() returned. Raises UserError for what cannot be run."""
    tstart = time.time()
    device = choose_device(args.device)
    dataloader = utils.load('dataloaders', args.experiment)
    network = choose_network(dataloader, args.approach, approach)
    args.output = ROOT / (args.output or 'res/%s_%s_%d.txt' % (args.experiment, args.approach, args.seed))

    utils.seed_everything(args.seed)
    data, taskcla, inputsize = load_data(dataloader, args)
    config = {**options.settings(args), 'network': network.__name__.split('.')[-1],
              'tasks': [data[t]['name'] for t, _ in taskcla]}
    results.check_output(args.output, config, args.overwrite)
    print('=' * 100)
    print('Arguments =')
    for name, value in {**config, 'device': device, 'output': args.output}.items():
        print('\t%s: %s' % (name, value))
    print('=' * 100)
    print('Input size =', inputsize, '\nTask info =', taskcla)

    net = network.Net(inputsize, taskcla).to(device)
    utils.print_model_report(net)
    settings = {n: getattr(args, n) for n in ('nepochs', 'sbatch', 'lr', 'lr_min', 'lr_factor', 'lr_patience')}
    appr = approach(net, args=args, **settings, **getattr(args, 'named', {}))
    for path in ([appr.logpath] if getattr(appr, 'logs', None) is not None else []) + [args.output]:
        results.check_writable(path)
    utils.print_optimizer_config(appr.optimizer)
    print('-' * 100)

    record = {'status': 'running', 'command': ['src/run.py', *(sys.argv[1:] if argv is None else argv)],
              'config': config, 'origin': args.origin, 'device': device_name(device), 'versions': versions(),
              'git_commit': git_commit(), 'date': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
              'parameters': sum(p.numel() for p in net.parameters()), 'tasks': config['tasks']}
    acc, lss = loop(appr, data, taskcla, device, args, record, tstart)
    print_matrix(acc)
    print('[Elapsed time = {:.1f} h]'.format((time.time() - tstart) / 3600))
    return acc


def loop(appr, data, taskcla, device, args, record, tstart):
    """Learns the tasks in turn, testing on all so far after each; returns the accuracy and loss matrices."""
    output = args.output
    acc, lss = np.zeros((2, len(taskcla), len(taskcla)), dtype=np.float32)
    record['seconds_per_task'] = []
    t = 0

    def save(status):
        n = len(record['seconds_per_task'])
        if n:
            record.update(results.summary(acc[:n, :n]), status=status, seconds=round(time.time() - tstart, 2),
                          accuracy=acc[:n, :n].round(6).tolist(), loss=lss[:n, :n].round(6).tolist())
            results.save(output, acc, record)
            if getattr(appr, 'logs', None) is not None:
                results.save_logs(appr.logpath, appr.logs, record['tasks'][:n], acc[:n], lss[:n],
                                  layers=appr.model.connections())

    try:
        for t, _ in taskcla:
            tick = time.time()
            print('*' * 100)
            print('Task {:2d} ({:s})'.format(t, data[t]['name']))
            print('*' * 100)
            appr.train(*training_data(appr, data, t, device))
            print('-' * 100)
            for u in range(t + 1):
                x, y = (data[u]['test'][k].to(device) for k in 'xy')
                lss[t, u], acc[t, u] = appr.eval(u, x, y)
                print('>>> Test on task {:2d} - {:15s}: loss={:.3f}, acc={:5.1f}% <<<'.format(
                    u, data[u]['name'], lss[t, u], 100 * acc[t, u]))
            record['seconds_per_task'].append(round(time.time() - tick, 2))
            print('Save at %s' % output, flush=True)
            if args.final_valid and t == taskcla[-1][0]:
                record['valid_accuracy'] = [round(appr.eval(u, *(data[u]['valid'][k].to(device) for k in 'xy'))[1], 6)
                                            for u in range(t + 1)]
            save('finished' if t == taskcla[-1][0] else 'running')
    except UserError as e:
        save('stopped: %s' % e)
        raise UserError('task %d (%s): %s; %s' % (t, data[t]['name'], e, kept(t, output)))
    except KeyboardInterrupt:
        save('interrupted')
        print('run.py: interrupted in task %d; %s' % (t, kept(t, output)), file=sys.stderr)
        sys.exit(130)
    return acc, lss


def kept(ntasks, output):
    """Where the results of a stopped run are."""
    return 'the results of %d finished task%s are in %s' % (
        ntasks, 's' * (ntasks != 1), output) if ntasks else 'no task was finished'


def training_data(appr, data, t, device):
    """What train() takes for task t: (t, xtrain, ytrain, xvalid, yvalid) on the device; for an approach that trains
    on all tasks so far ([tasks of training, of validation samples], ...) on the CPU. A validation set that is the
    training set stays the same tensor."""
    if getattr(appr, 'cumulative', False):
        import torch
        out = [[], []]
        for k, s in enumerate(('train', 'valid')):
            ys = [data[u][s]['y'] for u in range(t + 1)]
            out[0].append(torch.cat([torch.full_like(y, u) for u, y in enumerate(ys)]))
            out[1] += [torch.cat([data[u][s]['x'] for u in range(t + 1)]), torch.cat(ys)]
        return out[0], *out[1]
    train = [data[t]['train'][k].to(device) for k in 'xy']
    same = data[t]['valid'] is data[t]['train']
    return t, *train, *(train if same else [data[t]['valid'][k].to(device) for k in 'xy'])


def load_data(dataloader, args):
    """dataloader.get() with as many of the run's options as it takes; a loader without them still gets --tasks."""
    takes = inspect.signature(dataloader.get).parameters
    if args.pc_valid is not None and 'pc_valid' not in takes:
        raise UserError('--pc-valid: the experiment %s has no such option' % args.experiment)
    if args.pc_valid is None and 'pc_valid' in takes:
        args.pc_valid = takes['pc_valid'].default
    given = {'seed': args.seed, 'pc_valid': args.pc_valid, 'tasks': args.tasks, 'data_dir': ROOT / args.data_dir}
    data, taskcla, size = dataloader.get(**{k: v for k, v in given.items() if k in takes})
    if args.tasks is not None and 'tasks' not in takes:
        from dataloaders import common
        chosen = common.numbers([data[t]['name'] for t, _ in taskcla], args.tasks)
        data, taskcla = {n: data[t] for n, t in enumerate(chosen)}, [(n, taskcla[t][1]) for n, t in enumerate(chosen)]
        data['ncla'] = sum(ncla for _, ncla in taskcla)
    return data, taskcla, size


def choose_network(dataloader, name, approach):
    """The module of the experiment's network in the variant that the approach needs."""
    plain, there = getattr(dataloader, 'network', 'alexnet'), utils.choices('networks')
    wanted = [plain + variant for variant in getattr(approach, 'variants', ('',))]
    for network in wanted:
        if network.replace('_', '-') in there:
            return utils.load('networks', network)
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in getattr(approach, 'variants', ('',)))]
    raise UserError('%s needs a network %s, which does not exist; it can use: %s' % (
        name, ' or '.join(wanted), ', '.join(fit) or 'none'))


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


def device_name(device):
    """What the record says of the device."""
    import torch
    if device.type == 'cuda':
        return '%s (%s)' % (device, torch.cuda.get_device_name(device))
    return '%s (%s, %d threads)' % (device, platform.processor() or platform.machine(), torch.get_num_threads())


def versions():
    """Versions of what computes."""
    from importlib.metadata import version
    return {'python': platform.python_version(), **{p: version(p) for p in ('torch', 'torchvision', 'numpy')}}


def git_commit():
    """The project's commit, with '+' if files differ from it; None outside a repository."""
    def git(*command):
        return subprocess.run(['git', '-C', str(ROOT), *command], capture_output=True, text=True, check=True).stdout
    try:
        return git('rev-parse', 'HEAD').strip() + '+' * bool(git('status', '--porcelain', '-uno').strip())
    except (OSError, subprocess.CalledProcessError):
        return None


def print_matrix(acc):
    """Prints the accuracy matrix in per cent."""
    print('*' * 100)
    print('Accuracies =')
    for row in acc:
        print('\t' + ''.join('{:5.1f}% '.format(100 * a) for a in row))
    print('*' * 100)
    print('Done!')


if __name__ == '__main__':
    main()
