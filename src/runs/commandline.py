"""What run.py can be told: its own options, the choices that the folders hold, and what the approach declares."""
import argparse
import functools
import re
import reprlib
import sys

import utils
from approaches.hyper import Hyper
from runs import advice
from runs.advice import flag
from utils import UserError

# The numbers of a run, declared like an approach's hyper-parameters: type, default, range.
NUMBERS = [
    Hyper('seed', int, 0, help='seed of weights, batches, dropout and task order', least=0, most=2 ** 32 - 1),
    Hyper('nepochs', int, 200, help='epochs per task, at most', least=1, most=10 ** 6),
    Hyper('lr', float, 0.05, help='initial learning rate of every task', above=0, most=1e30),
    Hyper('sbatch', int, 64, help='samples per batch', least=1, most=10 ** 6),
    Hyper('lr_min', float, 1e-4, help='a task ends when its learning rate falls below', above=0, most=1e30),
    Hyper('lr_factor', float, 3, help='what the learning rate is divided by when patience runs out', above=1, most=1e30),
    Hyper('lr_patience', int, 5, help='epochs without a lower validation loss until then', least=1, most=10 ** 6),
]

# What makes a run faster and its numbers others, off by default: {name: (how it is given, help)}.
SPEED = {
    'channels_last': ({'action': 'store_true'}, 'train convolutions in channels-last memory format'),
    'amp': ({'choices': ['bf16']}, 'compute products in bfloat16; the weights stay float32'),
    'compile': ({'action': 'store_true'}, 'compile the network with torch.compile, on CUDA with graphs (needs a C++ compiler)'),
    'tf32': ({'action': 'store_true'}, 'let CUDA round the inputs of float32 products to 10 bits'),
    'plain': ({'action': 'store_true'}, 'compute by the plain code alone, not by its faster equal (slower; for comparison)')}

# How weights descend, {name: default}: the original's plain SGD with patience.
DESCENT = {'optimizer': 'sgd', 'momentum': 0., 'weight_decay': 0., 'no_patience': False, 'keep_optimizer': False,
           'iterations': None, 'joined_heads': False}

# What becomes of the data of any experiment, {name: default}.
DATA = {'class_order': 'fixed', 'pixels': 'standard', 'pad': 0}


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are UserErrors: one line, no usage."""

    def error(self, message):
        """Raises what is wrong."""
        raise UserError(message)

    def parse_known_args(self, args=None, namespace=None):
        """As argparse does; no name can have a line end or a NUL."""
        args = sys.argv[1:] if args is None else args
        for word in args:
            if re.search('[\0\n\r]', word):
                raise UserError('%r: a line end or a NUL cannot be part of a name or a value' % word)
        return super().parse_known_args(args, namespace)


def add(group, declared):
    """Adds a flag for every declared number, which is None unless given."""
    for h in declared:
        default = 'default %s' % (h.default,) if h.default not in ('', None) else ''
        notes = [n for n in (default, h.source) if n]
        if h.grid:
            notes.append('searched: ' + ', '.join('%g' % g for g in h.grid))
        group.add_argument(flag(h.name), dest=h.name, metavar=h.type.__name__.upper(), type=h.parse,
                           help='%s: %s%s' % (h.help, h.kind, ' (%s)' % '; '.join(notes) if notes else ''))


@functools.lru_cache(maxsize=64)
def build(approach=None):
    """The parser, with the options of an approach's class if given."""
    parser = Parser(prog='run.py', allow_abbrev=False, description='Trains one approach on the sequence of tasks of '
                    'one experiment and saves the accuracy after\nevery task on all tasks so far.', epilog=advice.families(),
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_argument_group('what to run')
    for option, folder in (('--experiment', 'dataloaders'), ('--approach', 'approaches')):
        what.add_argument(option, required=True, metavar='NAME', type=functools.partial(utils.choice, folder, option=option),
                          help='one of: %s' % ', '.join(utils.choices(folder)))
    what.add_argument('--config', metavar='FILE', help='options from a .toml file, as in nepochs = 5, or from the .json record of a run; '
                      'the command line wins')
    what.add_argument('--tasks', metavar='T,...', help='names or numbers of the tasks to run, in this order '
                      '(default: all, in the order of the experiment and seed)')
    what.add_argument('--scenario', choices=('task', 'class', 'domain'), default='task', help='what is known at test: task: the '
                      'task, each has its own head; class: not the task, the classes of all tasks so far compete; domain: not '
                      'the task, all share one head (default %(default)s)')
    what.add_argument('--active-classes', choices=('all-so-far', 'all', 'current'), help='class: which classes compete in the '
                      'loss in training (default all-so-far)')
    what.add_argument('--infer', choices=('max-logit', 'max-softmax', 'min-entropy'), help='class and domain, for approaches with '
                      'a mask or a network per task: how the task is inferred, by running all of them (default max-logit)')
    what.add_argument('--network', metavar='NAME', type=functools.partial(utils.choice, 'networks', option='--network'),
                      help='instead of the experiment\'s; the approach\'s variant of it is taken')
    what.add_argument('--net', default='', metavar='NAME=V,...', help='settings of the network, as in nhid=400,nlayers=2,pdrop=0')
    what.add_argument('--parameter', default='', metavar='V,...',
                      help='the approach\'s own hyper-parameters by position, as in 0.75,400 for hat')
    what.add_argument('--set', default='', metavar='NAME=V,...',
                      help='for classes with a training loop of their own: further attributes of their args')
    training = parser.add_argument_group('training')
    add(training, NUMBERS)
    training.add_argument('--optimizer', choices=('sgd', 'adam'), default='sgd', help='default %(default)s; with adam --lr is '
                          '0.001 unless given')
    training.add_argument('--momentum', type=Hyper('momentum', float, 0, least=0, most=0.9999).parse, default=0., metavar='FLOAT',
                          help='of SGD (default 0)')
    training.add_argument('--weight-decay', type=Hyper('weight_decay', float, 0, least=0, most=1e6).parse, default=0.,
                          metavar='FLOAT', help='times the weights, added to their gradient (default 0)')
    training.add_argument('--no-patience', action='store_true', help='train for --nepochs epochs at --lr and keep the last weights')
    training.add_argument('--iterations', type=Hyper('iterations', int, None, least=1, most=10 ** 9).parse, metavar='INT',
                          help='steps per task, instead of --nepochs; an epoch then leaves its incomplete batch out')
    training.add_argument('--keep-optimizer', action='store_true', help='momentum and Adam\'s averages go on over tasks')
    training.add_argument('--joined-heads', action='store_true', help='to momentum, weight decay and Adam all heads are one layer: those '
                          'that a batch does not use have gradients of zero and may move on, over tasks with --keep-optimizer')
    where = parser.add_argument_group('data, device and results (paths are relative to the project\'s folder)')
    where.add_argument('--data-dir', default='dat', metavar='DIR',
                       help='folder of <name>.npz and torchvision\'s files; what is missing is downloaded to it '
                       '(default %(default)s)')
    where.add_argument('--pc-valid', type=Hyper('pc_valid', float, None, least=0).parse, metavar='SHARE',
                       help='share of each training set held out for validation, in [0,1); 0: validate on the '
                       'training set (default: the experiment\'s)')
    where.add_argument('--class-order', choices=('fixed', 'seed'), default='fixed', help='of experiments that split the classes of a '
                       'data set: in the order of the data set, or shuffled by the seed (default %(default)s)')
    where.add_argument('--pixels', choices=('standard', 'unit'), default='standard', help='standardised by mean and standard deviation '
                       'of the data set, or as they are, in 0..1 (default %(default)s)')
    where.add_argument('--pad', type=Hyper('pad', int, 0, least=0, most=1000).parse, default=0, metavar='N',
                       help='black pixels around the images, on each side (default 0)')
    where.add_argument('--device', default='auto', help='auto, cpu, cuda, cuda:1, ..., mps (default %(default)s: '
                       'what is there, in the order cuda, mps, cpu)')
    where.add_argument('--output', default='', metavar='FILE', help='the accuracy matrix, and FILE\'s sibling .json '
                       'the record of the run (default res/<experiment>_<approach>_<seed>.txt)')
    where.add_argument('--tag', type=tags, default=[], metavar='A,...', help='words to find the run by (results.py, report.py and '
                       'plot_results.py take --tag)')
    where.add_argument('--save', action='store_true', help='keep the model after each task in logs/<run>/, for evaluate.py, predict.py '
                       'and export.py')
    where.add_argument('--tensorboard', action='store_true', help='write losses, accuracies, masks and embeddings for TensorBoard to '
                       'logs/<run>/tensorboard (needs: pip install tensorboard)')
    where.add_argument('--final-valid', action='store_true',
                       help='also record the accuracy on the tasks\' validation sets, at the end and after each task, by '
                       'which to choose hyper-parameters')
    where.add_argument('--forward-transfer', action='store_true', help='also test every task by the untrained network and just '
                       'before it is learnt, for the record')
    where.add_argument('--overwrite', action='store_true',
                       help='replace an existing result or checkpoint, even one of another configuration')
    speed = parser.add_argument_group('speed, for results that are as good but not the same digit by digit')
    for name, (kind, text) in SPEED.items():
        speed.add_argument(flag(name), help=text, **kind)
    again = parser.add_argument_group('going on and repeating')
    again.add_argument('--resume', action='store_true', help='go on from the checkpoint of this run, if there is one')
    again.add_argument('--checkpoint-every', type=Hyper('checkpoint_every', float, 60, least=0).parse, default=60.,
                       metavar='SECONDS', help='write the state to logs/<run>/checkpoint.pt after an epoch or task, at '
                       'most this often (default 60; 0: after each)')
    again.add_argument('--keep-checkpoint', action='store_true', help='keep the final state, with the model')
    again.add_argument('--deterministic', action='store_true', help='the same numbers every time on CUDA too, slower')
    again.add_argument('--rerun', metavar='RECORD', help='alone, or with options to add: repeat the run of a .json '
                       'record and say whether its matrix is the same')
    before = parser.add_argument_group('before the real thing (nothing is left in res)').add_mutually_exclusive_group()
    before.add_argument('--dry-run', action='store_true', help='a few steps of every task: prints the settings and where each comes '
                        'from, parameters, memory, and the time that the run may take')
    before.add_argument('--debug', action='store_true', help='two batches of one epoch of every task: trains, tests, saves, loads')
    before.add_argument('--profile', action='store_true', help='a few steps of the first task under torch.profiler: a table, and a '
                        'trace in logs/<run>/trace.json')
    before.add_argument('--overfit', type=Hyper('overfit', int, None, least=1, most=10 ** 6).parse, metavar='N', help='trains on N samples '
                        'of the first task without dropout, and says whether it gets them right')
    if approach is not None and getattr(approach, 'hyperparameters', ()):
        taken = [h.name for h in approach.hyperparameters if flag(h.name) in parser._option_string_actions]
        if taken:
            raise UserError('%s.Appr: %s is an option of run.py itself: give the hyper-parameter another name' % (
                approach.__module__, flag(taken[0])))
        names = ','.join(h.name for h in approach.hyperparameters if h.positional)
        add(parser.add_argument_group('hyper-parameters of this approach, by name or as --parameter ' + names),
            approach.hyperparameters)
    return parser


def tags(text):
    """['a', 'b'] of 'a,b'. Raises UserError for what is no word."""
    if not re.fullmatch(r'[\w.+-]{1,50}(,[\w.+-]{1,50})*', text):
        raise UserError('--tag %s: expected words of letters, digits and . + - _, separated by commas' % reprlib.repr(text))
    return sorted(set(text.split(',')))
