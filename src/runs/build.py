"""What a command line is made into: the data, the network and the approach."""
import inspect

import utils
from runs import foreign
from utils import ROOT, UserError


def load_data(dataloader, args):
    """dataloader.get() with as many of the run's options as it takes; a loader without them still gets --tasks."""
    from dataloaders import check, common
    takes = inspect.signature(dataloader.get).parameters
    if args.pc_valid is not None and 'pc_valid' not in takes:
        raise UserError('--pc-valid: the experiment %s has no such option' % args.experiment)
    given = {'seed': args.seed, 'pc_valid': args.pc_valid, 'tasks': args.tasks, 'data_dir': ROOT / args.data_dir}
    if args.pc_valid is None:
        del given['pc_valid']
    data, taskcla, size = dataloader.get(**{k: v for k, v in given.items() if k in takes})
    check.check(data, taskcla, size, dataloader.__name__)
    if args.tasks is not None and 'tasks' not in takes:
        chosen = common.numbers([data[t]['name'] for t, _ in taskcla], args.tasks)
        data, taskcla = {n: data[t] for n, t in enumerate(chosen)}, [(n, taskcla[t][1]) for n, t in enumerate(chosen)]
        data['ncla'] = sum(ncla for _, ncla in taskcla)
    return data, taskcla, size


def held_out(dataloader, args):
    """The share of the training data that is held out: what was asked for or the experiment's default; None if unknown."""
    takes = inspect.signature(dataloader.get).parameters
    default = takes['pc_valid'].default if 'pc_valid' in takes else None
    return args.pc_valid if args.pc_valid is not None else default if isinstance(default, (int, float)) else None


def number(what, name):
    """An attribute, if it is there and a number; or None."""
    value = getattr(what, name, None)
    return value if isinstance(value, (int, float)) else None


def choose_network(dataloader, name, approach):
    """The module of the experiment's network in the variant that the approach needs. A class with a loop of its own that says
    nothing gets <network>_<approach> if that exists, or else the plain network."""
    plain, there = getattr(dataloader, 'network', 'alexnet'), utils.choices('networks')
    if not hasattr(dataloader, 'network'):
        print('The experiment names no network: %s is taken (network = \'mlp\' in its file chooses another)' % plain)
    variants = getattr(approach, 'variants', ('_' + name.replace('-', '_'), ''))
    wanted = [plain + variant for variant in variants]
    for network in wanted:
        if network.replace('_', '-') in there:
            return utils.load('networks', network)
    fit = [n.replace('-', '_') for n in there if any(n.endswith(v.replace('_', '-')) for v in variants)]
    raise UserError('%s needs a network %s, which does not exist; it can use: %s' % (
        name, ' or '.join(wanted), ', '.join(fit) or 'none'))


def make(approach, net, args, there):
    """An instance of the approach's class; says what is special about one with a loop of its own."""
    if foreign.is_foreign(approach):
        appr, lines = foreign.make(approach, net, args, there)
        print('\n'.join([*lines, '%s has a training loop of its own, so it keeps no checkpoint: if it is stopped, it starts '
                         'anew' % args.approach]))
        return appr
    settings = {n: getattr(args, n) for n in ('nepochs', 'sbatch', 'lr', 'lr_min', 'lr_factor', 'lr_patience')}
    return approach(net, args=args, **settings, **getattr(args, 'named', {}))
