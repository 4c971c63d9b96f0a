"""What cannot go together: options with one another, and options with what an approach is."""
from types import SimpleNamespace

from runs import foreign, source
from runs.advice import flag, flags
from runs.commandline import ALL, DESCENT
from utils import UserError

PATIENCE = 'no_patience', 'schedule', 'warmup', 'iterations'
INFERENCE = 'infer', 'calibrate'
OPTIMIZER = tuple(name for name in DESCENT if name not in (*PATIENCE, 'augment'))


class Unfit(UserError):
    """Options, whose names it has, that an approach cannot take, as others may."""

    def __init__(self, message, names=()):
        super().__init__(message)
        self.names = names


def listed(names):
    """Return '--save, --infer' for their names."""
    return ', '.join(map(flag, names))


def given(a, names):
    """Return those of some options that are not at their defaults."""
    return [name for name in names if getattr(a, name) != ALL[name].default and name not in a.set]


def facts(kind):
    """Return what the table asks of an approach's class. own_loop: whether it has a training loop of its own,
    own_patience: whether it decides by itself when a task ends, own_batches: whether it makes its batches by
    itself; cannot: {what: why it cannot have that}."""
    from approaches.base import Appr
    from learning.fitting import Fitting
    own_loop, cannot = foreign.is_foreign(kind), dict(getattr(kind, 'cannot', {}))
    chooses = source.of('approaches', kind.__module__.split('.')[-1].replace('_', '-')).chooses
    if not own_loop and kind._get_optimizer is not Appr._get_optimizer:
        cannot.setdefault('optimizer', 'its class has an optimizer of its own')
    return SimpleNamespace(
        own_loop=own_loop,
        descent=[name for name in DESCENT if not (own_loop and name == 'optimizer' and chooses)],
        own_patience=not own_loop and kind.fitting is not Fitting, cannot=cannot,
        own_batches=not own_loop and kind.train_epoch is not Appr.train_epoch,
        isolated=getattr(kind, 'isolated', False), scenarios=getattr(kind, 'scenarios', ('task',)),
        projects=getattr(kind, 'family', '') == 'projection', reshapes=hasattr(kind, 'attention'))


# (condition on settings a and facts k of the class; message; options that other approaches may well take)
TABLE = (
    (lambda a, k: (a.pc_valid or 0) >= 1,
     '--pc-valid must be in [0,1), not {a.pc_valid:g}', ()),
    (lambda a, k: not a.data_dir,
     '--data-dir must not be empty', ()),
    (lambda a, k: not a.device,
     '--device must not be empty', ()),
    (lambda a, k: a.iterations and a.origin['nepochs'] != 'default',
     '--iterations and --nepochs both say how long a task is trained: give one of them', ()),
    (lambda a, k: a.lr < a.lr_min and (not a.no_patience) and (a.schedule == 'patience')
     and (not (k.own_loop and a.origin['lr_min'] == 'default')),
     '--lr {a.lr:g} is below --lr-min {a.lr_min:g}, at which a task ends: give a larger --lr or a smaller '
     '--lr-min', ()),
    (lambda a, k: a.set and (not k.own_loop),
     '--set: the hyper-parameters of {a.approach} are options of their own: {own}', ()),
    (lambda a, k: a.scenario not in k.scenarios and k.own_loop,
     '--scenario {a.scenario}: {a.approach} has a training loop of its own, which has to '
     'know the task; it supports: task', ()),
    (lambda a, k: a.scenario not in k.scenarios,
     '--scenario {a.scenario}: {a.approach} does not support it (its class says what it does, scenarios = '
     '(...)); it supports: {scenarios}', ()),
    (lambda a, k: a.active_classes and a.scenario != 'class',
     '--active-classes is for --scenario class: otherwise only one head competes', ()),
    (lambda a, k: given(a, INFERENCE) and a.scenario == 'task',
     '{inference}: under --scenario task the task is known', ()),
    (lambda a, k: given(a, INFERENCE) and (not k.isolated),
     '{inference}: {a.approach} has one network for all tasks, whose logits compete: it infers no task',
     INFERENCE),
    (lambda a, k: a.active_classes and k.isolated,
     '--active-classes: {a.approach} trains every task with its own head alone, and infers the task at '
     'test', ('active_classes',)),
    (lambda a, k: a.active_classes in k.cannot,
     '--active-classes {a.active_classes}: not for {a.approach}: {active}', ('active_classes',)),
    (lambda a, k: a.joined_heads and (a.scenario == 'domain' or a.active_classes == 'all'),
     '--joined-heads makes no difference with --scenario domain or --active-classes all: every batch uses '
     'all heads', ()),
    (lambda a, k: a.optimizer == 'adam' and a.momentum,
     '--momentum is for --optimizer sgd: Adam has its own', ()),
    (lambda a, k: k.own_loop and given(a, ('dry_run', 'profile', 'overfit')),
     '--dry-run, --profile, --overfit: not for {a.approach}, which has a training loop of its own; '
     '--debug is', ()),
    (lambda a, k: a.approach == 'random' and given(a, ('profile', 'overfit')),
     '--profile, --overfit: not for random, which trains nothing', ()),
    (lambda a, k: k.own_loop and a.resume,
     '--resume: {a.approach} has a training loop of its own and keeps no checkpoint', ('resume',)),
    (lambda a, k: k.own_loop and a.keep_checkpoint,
     '--keep-checkpoint: {a.approach} has a training loop of its own and keeps no checkpoint',
     ('keep_checkpoint',)),
    (lambda a, k: k.own_loop and a.save,
     '--save: {a.approach} has a training loop of its own and keeps no model', ('save',)),
    (lambda a, k: k.own_loop and a.forward_transfer,
     '--forward-transfer: not for {a.approach}: it has a loop of its own', ('forward_transfer',)),
    (lambda a, k: k.own_loop and given(a, k.descent),
     '{descent}: not for {a.approach}, which has a training loop of its own', DESCENT),
    (lambda a, k: k.own_loop and given(a, ('amp', 'compile', 'plain')),
     '--amp, --compile and --plain: not for {a.approach}, which is not derived from approaches.base.Appr',
     ('amp', 'compile', 'plain')),
    (lambda a, k: a.save and 'save' in k.cannot,
     '--save: not for {a.approach}: {k.cannot[save]}', ('save',)),
    (lambda a, k: a.forward_transfer and 'untrained' in k.cannot,
     '--forward-transfer: not for {a.approach}: {k.cannot[untrained]}', ('forward_transfer',)),
    (lambda a, k: given(a, PATIENCE) and k.own_patience,
     '{patience}: not for {a.approach}, which has a patience of its own', PATIENCE),
    (lambda a, k: given(a, OPTIMIZER) and 'optimizer' in k.cannot,
     '{optimizer}: not for {a.approach}: {k.cannot[optimizer]}', OPTIMIZER),
    (lambda a, k: a.joined_heads and k.isolated,
     '--joined-heads: not for {a.approach}: its tasks share no network', ('joined_heads',)),
    (lambda a, k: a.joined_heads
     and (not (given(a, ('optimizer', 'momentum', 'weight_decay')) or k.projects)),
     '--joined-heads makes no difference to plain SGD: it is for --optimizer adam, --momentum or '
     '--weight-decay', ()),
    (lambda a, k: a.compile and (not a.plain) and k.reshapes,
     '--compile: {a.approach} runs a network whose shape changes within every epoch; add --plain',
     ('compile',)),
    (lambda a, k: a.no_patience and a.schedule not in ('patience', 'constant'),
     '--no-patience is --schedule constant, not {a.schedule}: give one of them', ()),
    (lambda a, k: a.warmup > a.nepochs and (not a.iterations),
     '--warmup {a.warmup}: the learning rate would not reach --lr in --nepochs {a.nepochs}', ()),
    (lambda a, k: a.augment and k.own_batches,
     '--augment: not for {a.approach}, which makes its batches in a train_epoch of its own', ('augment',)),
    (lambda a, k: a.eval_every and k.own_loop,
     '--eval-every: not for {a.approach}: it has a training loop of its own', ('eval_every',)),
    (lambda a, k: a.eval_every and k.own_batches,
     '--eval-every: not for {a.approach}, which takes steps in a train_epoch of its own', ('eval_every',)),
    (lambda a, k: a.eval_every and 'validation' in k.cannot,
     '--eval-every: not for {a.approach}: {k.cannot[validation]}', ('eval_every',)),
    (lambda a, k: a.eval_every and 'steps' in k.cannot,
     '--eval-every: not for {a.approach}: {k.cannot[steps]}', ('eval_every',)),
    (lambda a, k: given(a, ('eval_samples',)) and not a.eval_every,
     '--eval-samples is for --eval-every', ()),
    (lambda a, k: a.valid_samples and a.pc_valid is not None,
     '--valid-samples and --pc-valid both say what is held out: give one of them', ()),
)


def check(a, kind):
    """Raise UserError, or Unfit, if settings do not go together, or with an approach's class."""
    k = facts(kind)
    for condition, message, names in TABLE:
        if condition(a, k):
            text = message.format(
                a=a, k=k, own=', '.join(flags(a.approach)) or 'it has none', scenarios=', '.join(k.scenarios),
                active=k.cannot.get(a.active_classes), descent=listed(given(a, k.descent)),
                patience=listed(given(a, PATIENCE)), optimizer=listed(given(a, OPTIMIZER)),
                inference=listed(given(a, INFERENCE)))
            raise Unfit(text, names) if names else UserError(text)
