"""What cannot go together: options with one another, and options with what an approach is."""
from runs import foreign
from runs.advice import flag, flags
from runs.commandline import ALL, DESCENT
from utils import UserError


class Unfit(UserError):
    """Options, whose names it has, that an approach cannot take, as others may."""

    def __init__(self, message, names):
        super().__init__(message)
        self.names = names


def own_loop(kind):
    """Return whether an approach's class has a training loop of its own."""
    return foreign.is_foreign(kind)


def cannot(kind, what):
    """Return why an approach's class cannot have something, None if it can."""
    return getattr(kind, 'cannot', {}).get(what)


def isolated(kind):
    """Return whether every task has a network or a mask of its own."""
    return getattr(kind, 'isolated', False)


def scenarios(kind):
    """Return the scenarios that an approach supports."""
    return getattr(kind, 'scenarios', ('task',))


def descent(a):
    """Return the options given of how weights descend."""
    return [name for name in DESCENT if getattr(a, name) != ALL[name].default]


def own_optimizer(kind):
    """Return why an approach descends in a way of its own, None if it does not."""
    from approaches.base import Appr
    if not own_loop(kind) and not cannot(kind, 'optimizer') and kind._get_optimizer is not Appr._get_optimizer:
        return 'its class has an optimizer of its own'
    return cannot(kind, 'optimizer')


def own_patience(kind):
    """Return whether an approach decides by itself when a task ends."""
    from learning.fitting import Fitting
    return not own_loop(kind) and kind.fitting is not Fitting


def optimizing(a):
    """Return the options given of the optimizer itself."""
    return [name for name in descent(a) if name not in ('no_patience', 'iterations')]


def listed(names):
    """Return '--save, --infer' for their names."""
    return ', '.join(map(flag, names))


# (condition on settings and class, message, names of the options, if others' approaches may well take them)
TABLE = (
    (lambda a, k: a.pc_valid is not None and a.pc_valid >= 1, lambda a, k: '--pc-valid must be in [0,1), not %g' % a.pc_valid, ()),
    (lambda a, k: not a.data_dir, '--data-dir must not be empty', ()),
    (lambda a, k: not a.device, '--device must not be empty', ()),
    (lambda a, k: a.iterations and a.origin['nepochs'] != 'default',
     '--iterations and --nepochs both say how long a task is trained: give one of them', ()),
    (lambda a, k: a.lr < a.lr_min and not a.no_patience,
     lambda a, k: '--lr %g is below --lr-min %g, at which a task ends: give a larger --lr or a smaller --lr-min' % (
         a.lr, a.lr_min), ()),
    (lambda a, k: a.set and not own_loop(k),
     lambda a, k: '--set: the hyper-parameters of %s are options of their own: %s' % (
         a.approach, ', '.join(flags(a.approach)) or 'it has none'), ()),
    (lambda a, k: a.scenario not in scenarios(k) and own_loop(k),
     '--scenario {a.scenario}: {a.approach} has a training loop of its own, which knows only tasks that are told; it can: '
     'task', ()),
    (lambda a, k: a.scenario not in scenarios(k),
     lambda a, k: '--scenario %s: the class of %s does not say that it supports it (scenarios = (...)); it can: %s' % (
         a.scenario, a.approach, ', '.join(scenarios(k))), ()),
    (lambda a, k: a.active_classes and a.scenario != 'class',
     '--active-classes is for --scenario class: otherwise only one head competes', ()),
    (lambda a, k: a.infer and a.scenario == 'task', '--infer: under --scenario task the task is known', ()),
    (lambda a, k: a.infer and not isolated(k),
     '--infer: {a.approach} has one network for all tasks, whose logits compete: there is no task to infer', ('infer',)),
    (lambda a, k: a.active_classes and isolated(k), '--active-classes: {a.approach} trains every task with its own head alone, '
     'and infers the task at test', ('active_classes',)),
    (lambda a, k: cannot(k, a.active_classes),
     lambda a, k: '--active-classes %s: not for %s: %s' % (a.active_classes, a.approach, cannot(k, a.active_classes)),
     ('active_classes',)),
    (lambda a, k: a.joined_heads and (a.scenario == 'domain' or a.active_classes == 'all'),
     lambda a, k: '--joined-heads: with %s every batch uses all there is of heads' % (
         '--scenario domain' if a.scenario == 'domain' else '--active-classes all'), ()),
    (lambda a, k: a.optimizer == 'adam' and a.momentum, '--momentum is for --optimizer sgd: Adam has its own', ()),
    (lambda a, k: own_loop(k) and (a.dry_run or a.profile or a.overfit),
     '--dry-run, --profile, --overfit: not for {a.approach}, which has a training loop of its own; --debug is', ()),
    (lambda a, k: a.approach == 'random' and (a.profile or a.overfit),
     '--profile and --overfit: not for random, which trains nothing', ()),
    (lambda a, k: own_loop(k) and a.resume,
     '--resume: {a.approach} has a training loop of its own and keeps no checkpoint', ('resume',)),
    (lambda a, k: own_loop(k) and a.keep_checkpoint,
     '--keep-checkpoint: {a.approach} has a training loop of its own and keeps no checkpoint', ('keep_checkpoint',)),
    (lambda a, k: own_loop(k) and a.save, '--save: {a.approach} has a training loop of its own and keeps no model', ('save',)),
    (lambda a, k: own_loop(k) and a.forward_transfer,
     '--forward-transfer: not for {a.approach}: it has a loop of its own', ('forward_transfer',)),
    (lambda a, k: own_loop(k) and descent(a),
     lambda a, k: '%s: not for %s, which has a training loop of its own' % (listed(descent(a)), a.approach), DESCENT),
    (lambda a, k: own_loop(k) and (a.amp or a.compile or a.plain),
     '--amp, --compile and --plain need an approach that is derived from approaches.base.Appr', ('amp', 'compile', 'plain')),
    (lambda a, k: a.save and cannot(k, 'save'),
     lambda a, k: '--save: not for %s: %s' % (a.approach, cannot(k, 'save')), ('save',)),
    (lambda a, k: a.forward_transfer and cannot(k, 'untrained'),
     lambda a, k: '--forward-transfer: not for %s: %s' % (a.approach, cannot(k, 'untrained')), ('forward_transfer',)),
    (lambda a, k: (a.no_patience or a.iterations) and own_patience(k),
     lambda a, k: '%s: not for %s, which has a patience of its own' % (
         '--no-patience' if a.no_patience else '--iterations', a.approach), ('no_patience', 'iterations')),
    (lambda a, k: optimizing(a) and own_optimizer(k),
     lambda a, k: '%s: not for %s: %s' % (listed(optimizing(a)), a.approach, own_optimizer(k)),
     tuple(n for n in DESCENT if n not in ('no_patience', 'iterations'))),
    (lambda a, k: a.joined_heads and isolated(k),
     '--joined-heads: not for {a.approach}: its tasks share no network', ('joined_heads',)),
    (lambda a, k: a.joined_heads and not (a.optimizer == 'adam' or a.momentum or a.weight_decay
                                          or getattr(k, 'family', '') == 'projection'),
     '--joined-heads makes no difference to plain SGD: it is for --optimizer adam, --momentum or --weight-decay', ()),
    (lambda a, k: a.compile and not a.plain and hasattr(k, 'attention'),
     '--compile: the network that {a.approach} runs changes its shape within every epoch; add --plain', ('compile',)),
)


def check(a, kind):
    """Raise UserError, or Unfit, if settings do not go together, or with an approach's class."""
    for condition, message, names in TABLE:
        if condition(a, kind):
            text = message(a, kind) if callable(message) else message.format(a=a)
            raise Unfit(text, names) if names else UserError(text)
