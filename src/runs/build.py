"""What a command line is made into: the data, the network and the approach."""
import dataclasses
import functools
import inspect
import re
from argparse import Namespace
from types import SimpleNamespace

import torch

import discovery
from dataloaders import common
from dataloaders.augment import Augment
from dataloaders.images import Split
from learning.inference import Inferred
from learning.recipe import Recipe
from learning.scenario import KINDS
from learning.schedule import Schedule
from networks import layers
from runs import conflicts, foreign
from runs.advice import flag
from runs.commandline import DESCENT
from utils import ROOT, UserError

# Options that some dataloaders take, and what is said of the others.
OWN = {'pc_valid': 'has no such option', 'class_order': 'does not split the classes of one data set',
       'angles': 'rotates nothing', 'image_size': 'is not of a folder of images'}


def experiment(name, data_dir, image_size=None):
    """Return the dataloader of an experiment's name: its module, or what split:mnist:5 makes of the module
    split. image_size: side of the images of a folder."""
    module = discovery.load('dataloaders', name.split(':')[0])
    if not hasattr(module, 'form'):
        return module
    values = dict(zip(module.form, name.split(':')[1:]))
    values.update({k: int(v) for k, v in values.items() if k != 'name' and v.isdecimal()})
    network, too_small = module.network, ''
    if not isinstance(network, str):
        more = {'image_size': image_size} if image_size else {}
        if network is common.network:
            too_small = common.too_small(values['name'], ROOT / data_dir, **more)
        network = network(values['name'], ROOT / data_dir, **more)
    return SimpleNamespace(get=functools.partial(module.get, **values), network=network, too_small=too_small,
                           __name__='dataloaders.' + name)


def tasks(args):
    """Return the tasks of a command line, as --tasks names them."""
    return args.tasks.split(',') if args.tasks else list(map(str, range(count_tasks(args))))


def count_tasks(args):
    """Return how many tasks an experiment has, from what its file says or, if that says nothing, from its
    data."""
    if re.match(r'[^:]+:[^:]+:\d+(:|$)', args.experiment):
        return int(args.experiment.split(':')[2])
    module = experiment(args.experiment, args.data_dir, args.image_size)
    count = getattr(module, 'NTASKS', None) or len(getattr(module, 'TASKS', ()))
    return count or len(load_data(module, args)[1])


def load_data(dataloader, args):
    """Return dataloader.get() with as many of the run's options as it takes; a loader without them still gets
    --tasks."""
    from dataloaders import check, fewer
    takes = inspect.signature(dataloader.get).parameters
    given = {'seed': args.seed, 'tasks': args.tasks, 'data_dir': ROOT / args.data_dir}
    for name in conflicts.given(args, OWN):
        if name not in takes:
            raise UserError('%s: the experiment %s %s' % (flag(name), args.experiment, OWN[name]))
        given[name] = getattr(args, name)
    if args.valid_samples:
        given['pc_valid'] = 0.
    data, taskcla, size = dataloader.get(**{k: v for k, v in given.items() if k in takes})
    check.check(data, taskcla, size, dataloader.__name__)
    if args.tasks is not None and 'tasks' not in takes:
        chosen = common.numbers([data[t]['name'] for t, _ in taskcla], args.tasks)
        more = {k: data[k] for k in ('sha256', 'normalisation') if k in data}
        data = {**{n: data[t] for n, t in enumerate(chosen)}, **more}
        taskcla = [(n, taskcla[t][1]) for n, t in enumerate(chosen)]
        data['ncla'] = sum(ncla for _, ncla in taskcla)
    if args.samples or args.valid_samples:
        fewer.limit(data, taskcla, args.seed, args.samples, args.valid_samples)
    return data, taskcla, reshaped(data, taskcla, size, args)


def reshaped(data, taskcla, size, args):
    """Let the data's images be made as --pixels and --pad say; return their size."""
    if args.pixels == 'standard' and not args.pad:
        return size
    splits = {id(s): s for t, _ in taskcla for s in (data[t][k] for k in ('train', 'valid', 'test'))}.values()
    if not all(isinstance(s, Split) for s in splits):
        raise UserError('%s: the images of %s come as they are, not as bytes of a raw data set' % (
            '--pad' if args.pad else '--pixels', args.experiment))
    size = [size[0], *(n + 2 * args.pad for n in size[1:])]
    plain = {'mean': (0.,), 'std': (1.,)} if args.pixels == 'unit' else {}
    for s in splits:
        s.pixels = dataclasses.replace(s.pixels, size=tuple(size), **plain)
    if plain:
        data['normalisation'] = {name: plain for name in data['normalisation']}
    return size


def held_out(dataloader, args):
    """Return the share of the training data that is held out: what was asked for or the experiment's default;
    None if unknown, or a number of samples."""
    share = args.pc_valid
    if share is None:
        share = getattr(inspect.signature(dataloader.get).parameters.get('pc_valid'), 'default', None)
    return share if isinstance(share, (int, float)) and not args.valid_samples else None


def check_calibration(args, data, taskcla):
    """Raise UserError if --calibrate would fit to what was trained on: where a task validates on its training
    set, or on a copy of it, as dataloaders of the original's layout do."""
    for task in (data[t] for t, _ in taskcla) if args.calibrate else ():
        train, valid = task['train'], task['valid']
        if train is valid or all(torch.equal(train[k], valid[k]) for k in 'yx'):
            raise UserError('--calibrate: %s is validated on its training set, to which a calibration must '
                            'not be fitted: give --pc-valid, as in 0.1, or --valid-samples' % task['name'])


def scenario(args, approach, taskcla, classes=None):
    """Return the learning.scenario that the options ask for; classes: of each task what tells its classes
    apart (dataloaders.check.classes). Raises UserError for a task of one class where it would not compete
    with others."""
    one = [t for t, n in taskcla if n < 2]
    apart = args.active_classes == 'current' or getattr(approach, 'isolated', False)
    more = {'active': args.active_classes} if args.active_classes else {}
    if args.scenario == 'class':
        more['classes'] = classes
    found = KINDS[args.scenario](taskcla, **more)
    alone = args.scenario != 'class' or apart or sum(found.ncla) < 2
    if one and alone and not foreign.is_foreign(approach):
        more = ', or use --scenario class, where the classes of all tasks compete, for approaches that ' \
               'train one network with all of them'
        if args.scenario == 'class':
            how = ': %s trains every task with the classes of that task alone' % args.approach
            more = how if apart else ''
        raise UserError('task %d has a single class, which leaves nothing to tell apart: give its tasks two '
                        'classes or more%s' % (one[0], more))
    return found


def set_optimizer(appr, args):
    """Set how an approach descends, as the options say."""
    if args.joined_heads:
        layers.heads(appr.model)  # which a network has to tell
    if not conflicts.given(args, DESCENT):
        return
    appr.configure(recipe=Recipe(args.optimizer, args.momentum, args.weight_decay, keep=args.keep_optimizer,
                                 patience=args.schedule == 'patience' and not args.no_patience,
                                 schedule=Schedule.of(args.schedule, args.warmup), iterations=args.iterations,
                                 joined_heads=args.joined_heads,
                                 augment=Augment(args.augment, args.seed) if args.augment else None))
    appr.optimizer = appr._get_optimizer(args.lr) if appr.optimizer else None


def augmented(args, data, taskcla, size):
    """Return what there is to warn of --augment, a list of texts. Raises UserError for images too small."""
    if not args.augment:
        return []
    augment, out, floats, characters = Augment(args.augment), [], False, {}
    for task in (data[t] for t, _ in taskcla):
        split, name = task['train'], task.get('source', {}).get('name', '')
        raw = isinstance(split, Split) and not split.replaced
        augment.fit(split.source.shape[1:3] if raw else size[1:])
        floats = floats or not raw
        if is_characters(name, task.get('class_names', ())):
            characters[name or args.experiment] = True
    if floats:
        out.append('--augment: images of %s are no bytes, so black is not known: 0 stands for it'
                   % args.experiment)
    if characters and augment.flips:
        out.append('--augment flip: of %s: digits and letters that are mirrored are others, or none' % (
            ', '.join(characters)))
    return out


def is_characters(name, class_names):
    """Return whether the images of a raw data set are digits or letters."""
    known = name in ('svhn', 'usps', 'omniglot') or 'mnist' in name and 'fashion' not in name
    return known or len(class_names) > 0 and all(len(str(c)) == 1 for c in class_names)


def transforms(context):
    """Return {task: (Pixels, shape of raw images)}, if the images of all tasks are bytes; else nothing."""
    splits = {t: context['data'][t]['train'] for t, _ in context['taskcla']}
    whole = all(isinstance(s, Split) and not s.replaced for s in splits.values())
    return {t: (s.pixels, s.source.shape[1:]) for t, s in splits.items()} if whole else {}


def make(approach, net, args, context):
    """Return an instance of the approach's class; say what is special about one with a loop of its own."""
    if foreign.is_foreign(approach):
        appr, lines = foreign.make(approach, net, args, context)
        print('\n'.join([*lines, '%s has a training loop of its own, so it keeps no checkpoint: if it is '
                         'stopped, it starts anew' % args.approach]))
        return appr
    names = 'nepochs', 'sbatch', 'lr', 'lr_min', 'lr_factor', 'lr_patience'
    settings = {n: getattr(args, n) for n in names}
    own = context['args'] if 'args' in context else Namespace(**vars(args))  # which a class may add to
    appr, scenario = approach(net, args=own, **settings, **args.named), context['scenario']
    set_optimizer(appr, args)
    appr.transforms.update(transforms(context))
    if not approach.isolated:
        appr.configure(scenario=scenario)
        appr.returning.update(scenario.returning)
    elif not scenario.told:  # it learns every task as if it were told
        appr.configure(scenario=Inferred(args.infer or 'max-logit', scenario, args.calibrate))
    return appr
