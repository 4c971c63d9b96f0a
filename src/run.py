"""Runs one experiment: an approach learns a sequence of tasks; its accuracy on all of them is saved after each.

    python src/run.py --experiment pmnist --approach hat --parameter 0.75,400
"""
import inspect
import os
import sys
import time

import options
import results
import utils
from utils import ROOT, UserError


def main(argv=None):
    """Runs a command line; returns the accuracy matrix, float32 [T,T], row t after task t, column u on task u."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        record, rest = options.rerun(argv)
        if record:
            return rerun(record, rest)
        return run(*options.parse(argv), argv)
    except UserError as e:
        print('run.py: ' + ' '.join(str(e).split()), file=sys.stderr)
    except KeyboardInterrupt:
        print('run.py: interrupted before training', file=sys.stderr)
        sys.exit(130)
    except UnicodeError as e:
        print('run.py: a name cannot be used on this system (%s)' % type(e).__name__, file=sys.stderr)
    except OSError as e:  # a full disk, or nobody reads the output any more
        print('run.py: %s: %s; finished tasks and the last checkpoint are kept' % (
            e.filename or 'writing failed', e.strerror or e), file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(2)


def run(args, approach, argv):
    """Runs what parse() returned. Raises UserError for what cannot be run."""
    import checkpoint
    import machine
    tstart = time.time()
    machine.prepare()
    device = machine.choose_device(args.device)
    if args.deterministic:
        machine.be_deterministic()
    dataloader = utils.load('dataloaders', args.experiment)
    network = choose_network(dataloader, args.approach, approach)
    args.output = ROOT / (args.output or 'res/%s_%s_%d.txt' % (args.experiment, args.approach, args.seed))

    utils.seed_everything(args.seed)
    data, taskcla, inputsize = load_data(dataloader, args)
    config = {**options.settings(args), 'network': network.__name__.split('.')[-1],
              'tasks': [data[t]['name'] for t, _ in taskcla], 'data': data.get('sha256', {})}
    results.check_output(args.output, config, args.overwrite)
    with checkpoint.lock(args.output):
        saved = checkpoint.Checkpoint(args.output, config, args.checkpoint_every)
        if args.resume and not args.overwrite and results.finished(args.output):
            print('Finished already: %s' % args.output)
            return results.matrix(args.output)
        if args.overwrite:
            saved.remove()
        elif saved.path.exists() and not args.resume:
            raise UserError('%s is of a run that was interrupted: --resume goes on from it, --overwrite starts anew' % (
                saved.path))
        state = saved.read()

        print('=' * 100)
        print('Arguments =')
        for name, value in {**config, 'device': device, 'output': args.output}.items():
            print('\t%s: %s' % (name, value))
        print('=' * 100)
        print('Input size =', inputsize, '\nTask info =', taskcla)
        net = network.Net(inputsize, taskcla).to(device)
        settings = {n: getattr(args, n) for n in ('nepochs', 'sbatch', 'lr', 'lr_min', 'lr_factor', 'lr_patience')}
        appr = approach(net, args=args, **settings, **getattr(args, 'named', {}))
        machine.apply(appr, args)
        if getattr(appr, 'logs', None) is not None:
            results.check_log(appr.logpath, args.output)
        for path in (args.output, saved.path):
            results.check_writable(path)
        utils.print_model_report(net)
        utils.print_optimizer_config(appr.optimizer)
        print('-' * 100)

        record = {'status': 'running', 'command': ['src/run.py', *argv], 'config': config, 'origin': args.origin,
                  **machine.describe(device), 'date': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
                  'parameters': sum(p.numel() for p in net.parameters()), 'tasks': config['tasks']}
        from approaches import base
        from sequence import Sequence
        resumable = isinstance(appr, base.Appr)  # others do not say what their state is
        acc = Sequence(appr, data, taskcla, device, args, record, saved if resumable else None).run(state)
    print_matrix(acc)
    print('[Elapsed time = {:.1f} h]'.format((time.time() - tstart) / 3600))
    return acc


def load_data(dataloader, args):
    """dataloader.get() with as many of the run's options as it takes; a loader without them still gets --tasks."""
    takes = inspect.signature(dataloader.get).parameters
    if args.pc_valid is not None and 'pc_valid' not in takes:
        raise UserError('--pc-valid: the experiment %s has no such option' % args.experiment)
    given = {'seed': args.seed, 'pc_valid': args.pc_valid, 'tasks': args.tasks, 'data_dir': ROOT / args.data_dir}
    if args.pc_valid is None:
        del given['pc_valid']
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
    variants = getattr(approach, 'variants', ('',))
    wanted = [plain + variant for variant in variants]
    for network in wanted:
        if network.replace('_', '-') in there:
            return utils.load('networks', network)
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in variants)]
    raise UserError('%s needs a network %s, which does not exist; it can use: %s' % (
        name, ' or '.join(wanted), ', '.join(fit) or 'none'))


def rerun(path, rest):
    """Repeats the run of a record, with further options if given, into <name>_rerun.txt beside it, and says whether the
    accuracy matrix is the same. Returns the new matrix; SystemExit(1) if it differs."""
    old = results.read_record(ROOT / path)
    output = results.record_path(ROOT / path).with_name(results.record_path(path).stem + '_rerun.txt')
    acc = main([*options.without(old['command'][1:], '--output', '--resume', '--overwrite', '--keep-checkpoint'), *rest,
                '--output', str(output), '--overwrite'])
    new = results.read_record(output)
    for what in ('device', 'versions', 'git_commit'):
        if old.get(what) != new.get(what):
            print('%s was %s, is %s' % (what, old.get(what), new.get(what)))
    if old['config'].get('data') != new['config'].get('data'):
        print('the data are others: their SHA-256 differ')
    if old.get('accuracy') == new['accuracy']:
        print('The accuracy matrix is the same')
        return acc
    print('The accuracy matrix differs: %s' % results.compare(old.get('accuracy'), new['accuracy']))
    sys.exit(1)


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
