"""The options of run.py, each declared once: from this table come the parser, its help, what a file may say,
what a record keeps and what a search may vary."""
import functools
import re
import reprlib

from approaches.hyper import Hyper
from learning import schedule
from runs import advice, parsing
from runs.advice import flag
from runs.option import ALWAYS, NEVER, ONCE, Option, named, number, of_hyper, switch
from utils import UserError


def tags(text):
    """Return ['a', 'b'] of 'a,b'. Raises UserError for what is no word."""
    if not re.fullmatch(r'[\w.+-]{1,50}(,[\w.+-]{1,50})*', text):
        raise UserError('--tag %s: expected words of letters, digits and . + - _, separated by commas'
                        % reprlib.repr(text))
    return sorted(set(text.split(',')))


def augmentation(text):
    """Return the text of an augmentation, if it is one. Raises UserError."""
    from dataloaders import augment  # which needs torch, as no help does
    return augment.checked(text)


OPTIONS = {
    'what to run': (
        named('experiment', 'dataloaders', 'one of: ', folder='dataloaders', record=ALWAYS),
        named('approach', 'approaches', 'one of: ', folder='approaches', record=ALWAYS),
        Option('config', 'options from a .toml file, as in nepochs = 5, or from the .json record of a run; '
               'the command line wins', record=NEVER, shown='FILE'),
        Option('tasks', 'names or numbers of the tasks to run, in this order (default: all, in the order of '
               'the experiment and seed)', record=ALWAYS, shown='T,...'),
        Option('scenario', 'what is known at test time. task: the task is known, each has its own head. '
               'class: it is not, the classes of all tasks so far compete. domain: it is not, all tasks '
               'share one head', 'task', choices=('task', 'class', 'domain')),
        Option('active_classes', 'with --scenario class: which classes compete in the training loss (default '
               'all-so-far)', choices=('all-so-far', 'all', 'current')),
        Option('infer', 'how to infer the task under class and domain, for approaches with a mask or a '
               'network per task: run all of them and take the one with this: the largest logit, the largest '
               'probability, the smallest entropy (Kim et al. 2022) or the largest log-sum-exp of its '
               'logits, the energy (Liu et al. 2020) (default max-logit)',
               choices=('max-logit', 'max-softmax', 'min-entropy', 'energy')),
        switch('calibrate', 'make what --infer compares comparable: divide the logits of each task by a '
               'temperature (Guo et al. 2017) and shift them so that the mean energy is 0 (as CLOM shifts, '
               "Kim et al. 2022); both are fitted on the task's validation set when it has been learnt"),
        named('network', 'networks', "network, instead of the experiment's; the approach takes its variant "
              'of it'),
        Option('net', 'settings of the network, as in nhid=400,nlayers=2,pdrop=0', '', shown='NAME=V,...'),
        Option('parameter', "the approach's own hyper-parameters by position, as in 0.75,400 for hat", '',
               record=NEVER, shown='V,...'),
        Option('set', 'set further attributes of args, for approaches with a training loop of their own', '',
               shown='NAME=V,...')),
    'training': (
        number('seed', int, 0, 'seed of weights, batches, dropout and task order', ALWAYS, least=0,
               most=2 ** 32 - 1),
        number('nepochs', int, 200, 'epochs per task, at most', ALWAYS, least=1, most=10 ** 6),
        number('lr', float, 0.05, 'initial learning rate of every task', ALWAYS, above=0, most=1e30),
        number('sbatch', int, 64, 'samples per batch', ALWAYS, least=1, most=10 ** 6),
        number('lr_min', float, 1e-4, 'end the task when its learning rate falls below this', ALWAYS, above=0,
               most=1e30),
        number('lr_factor', float, 3, 'divide the learning rate by this when patience runs out', ALWAYS,
               above=1, most=1e30),
        number('lr_patience', int, 5, 'patience: epochs without a lower validation loss', ALWAYS, least=1,
               most=10 ** 6),
        Option('optimizer', 'with adam, --lr is 0.001 unless you give it', 'sgd', choices=('sgd', 'adam')),
        number('momentum', float, 0., 'momentum of SGD', least=0, most=0.9999),
        number('weight_decay', float, 0., 'add the weights times this to their gradient', least=0, most=1e6),
        Option('schedule', 'learning-rate schedule of each task, or of each phase of one. patience: divide '
               'by --lr-factor when --lr-patience runs out, stop at --lr-min, keep the best weights. The '
               'others train for --nepochs epochs and keep the last weights: constant; cosine, which falls '
               'to 0; multistep:30,60,80:0.1, times 0.1 after 30, 60 and 80 epochs', 'patience',
               schedule.checked, shown='SCHEDULE'),
        number('warmup', int, 0, 'raise the learning rate linearly over the first N epochs, from --lr / N to '
               '--lr', shown='N', least=0, most=10 ** 6),
        switch('no_patience', 'the same as --schedule constant'),
        number('iterations', int, None, 'steps per task, instead of --nepochs; incomplete batches are left '
               'out', least=1, most=10 ** 9),
        switch('keep_optimizer', "keep momentum and Adam's averages from task to task"),
        switch('joined_heads', 'treat all heads as one layer in momentum, weight decay and Adam: a head that '
               'a batch does not use has a gradient of zero, and may still move'),
        Option('augment', 'change images at random in training. crop:PIXELS moves them by up to so many, '
               'flip exchanges left and right, rotate:DEGREES turns them by up to so many, cutout:PIXELS '
               'blackens a square of that side. Give several in their order, as in crop:4,flip. Off under '
               '--overfit', None, augmentation, shown='NAME:N,...')),
    "data, device and results (paths are relative to the project's folder)": (
        Option('data_dir', "folder of the data: <name>.npz, folders of image files, torchvision's files; "
               'missing data are downloaded into it', 'dat', record=NEVER, shown='DIR'),
        Option('pc_valid', 'hold out this share of each training set for validation, in [0,1); 0: validate '
               "on the training set (default: the experiment's)", None,
               Hyper('--pc-valid', float, None, least=0).parse, record=ALWAYS, shown='SHARE'),
        Option('class_order', 'order of the classes that an experiment splits: that of the data set, or '
               'shuffled by the seed', 'fixed', choices=('fixed', 'seed')),
        Option('angles', 'angles of rotated tasks: drawn by the seed, or rising evenly from 0 towards 180 '
               'degrees', 'drawn', choices=('drawn', 'even')),
        number('samples', int, None, 'training samples per task, drawn by the seed, as equal over classes as '
               'possible', shown='N', least=1, most=10 ** 9),
        number('valid_samples', int, None, 'validation samples per task, held out in the same way, instead '
               'of --pc-valid', shown='N', least=1, most=10 ** 9),
        number('image_size', int, None, 'for a folder of image files: resize the shorter side to this and '
               'cut out the middle (default 32)', shown='N', least=1, most=1024),
        Option('pixels', 'standard: standardised by the mean and standard deviation of the data set; unit: '
               'left in 0..1', 'standard', choices=('standard', 'unit')),
        number('pad', int, 0, 'add so many black pixels on each side of the images', shown='N', least=0,
               most=1000),
        Option('device', 'auto, cpu, cuda, cuda:1, ..., mps (default auto: what is there, in the order cuda, '
               'mps, cpu)', 'auto', record=NEVER, shown='DEVICE'),
        Option('output', 'write the accuracy matrix to FILE, and the record of the run beside it as .json '
               '(default res/<experiment>_<approach>_<seed>.txt)', '', record=ONCE, shown='FILE'),
        Option('tag', 'words to find the run by (results.py, report.py and plot_results.py take --tag)', [],
               tags, record=ONCE, shown='A,...'),
        switch('save', 'keep the model after each task in logs/<run>/, for evaluate.py, predict.py and '
               'export.py', record=ONCE),
        switch('tensorboard', 'write losses, accuracies, masks and embeddings for TensorBoard to '
               'logs/<run>/tensorboard (needs: pip install tensorboard)', record=NEVER),
        switch('wandb', 'log the same numbers to Weights & Biases, by its own settings, such as '
               'WANDB_PROJECT and WANDB_MODE=offline; files in logs/wandb (needs: pip install wandb)',
               record=NEVER),
        switch('mlflow', 'log the same numbers to MLflow, at MLFLOW_TRACKING_URI or in logs/mlruns (needs: '
               'pip install mlflow-skinny)', record=NEVER),
        switch('final_valid', 'also record the validation accuracy, after each task and at the end, to '
               'choose hyper-parameters by it', record=NEVER),
        switch('forward_transfer', 'also test each task with the untrained network and just before it is '
               'learnt, to record forward transfer'),
        number('eval_every', int, None, 'also test all tasks so far before every N-th training step and at '
               'the end of each task; writes logs/<run>/steps.csv and changes no result (plot_results.py '
               '--figure gap)', shown='N', least=1, most=10 ** 9),
        number('eval_samples', int, 500, 'test images of each task for --eval-every, the same every time; '
               'each class has its share', shown='N', least=1, most=10 ** 9),
        switch('overwrite', 'replace an existing result or checkpoint, even one of another configuration',
               record=ONCE)),
    'speed (results are as good, but not the same digit by digit)': (
        Option('channels_last', 'compute convolutions in channels-last memory format; on if no more is said '
               '(default: on the CPU for networks with norms or shortcuts, where it is faster)',
               choices=('on', 'off'), bare='on'),
        Option('amp', 'compute products in bfloat16; the weights stay float32', choices=('bf16',)),
        switch('compile', 'compile the network with torch.compile, on CUDA with graphs (needs a C++ '
               'compiler)'),
        switch('tf32', 'let CUDA round the inputs of float32 products to 10 bits'),
        switch('plain', 'use the plain code alone, not its faster equivalent (slower; for comparison)')),
    'going on and repeating': (
        switch('resume', 'go on from the checkpoint of this run, if there is one', record=ONCE),
        number('checkpoint_every', float, 60., 'write the state to logs/<run>/checkpoint.pt after an epoch '
               'or task, at most this often (0: after each)', record=NEVER, shown='SECONDS', least=0),
        switch('keep_checkpoint', 'keep the final state, with the model', record=ONCE),
        switch('deterministic', 'the same numbers every time on CUDA too, slower', record=NEVER),
        Option('rerun', 'repeat the run of a .json record and say whether its matrix is the same; needs no '
               'other option', record=NEVER, shown='RECORD')),
    'before a long run (nothing is left in res)': (
        switch('dry_run', 'take a few steps of every task; print the settings and where each comes from, '
               'parameters, memory, and how long the run may take', record=ONCE),
        switch('debug', 'train, test, save and load two batches of every task', record=ONCE),
        switch('profile', 'take a few steps under torch.profiler; print a table and write a trace to '
               'logs/<run>/trace.json', record=ONCE),
        number('overfit', int, None, 'train on N samples of the first task without dropout, and say whether '
               'the network learns them', shown='N', record=ONCE, least=1, most=10 ** 6)),
}
ALL = {option.name: option for group in OPTIONS.values() for option in group}
TRIALS = 'dry_run', 'debug', 'profile', 'overfit'
DESCENT = ('optimizer', 'momentum', 'weight_decay', 'schedule', 'warmup', 'no_patience', 'keep_optimizer',
           'iterations', 'joined_heads', 'augment')


def declared(kind=None):
    """Return {name: Option} of all options, those that an approach's class declares first. Raises UserError
    for one of them that is an option of run.py itself."""
    own = {h.name: of_hyper(h) for h in getattr(kind, 'hyperparameters', ())}
    taken = [name for name in own if name in ALL or name == 'help']
    if taken:
        raise UserError('%s.Appr: %s is an option of run.py itself: give the hyper-parameter another name' % (
            kind.__module__, flag(taken[0])))
    return {**own, **ALL}


@functools.lru_cache(maxsize=64)
def build(kind=None):
    """Return the parser, with the options of an approach's class, first of all, if it is given."""
    said = 'Trains an approach on the tasks of an experiment and saves the accuracy after each on all so far.'
    said += '\n' + advice.title(kind.__module__.split('.')[-1]) if kind else ''
    parser = parsing.Parser(prog='run.py', allow_abbrev=False, add_help=False, description=said,
                            usage='run.py --experiment NAME --approach NAME [options]',
                            epilog='' if kind else advice.families())
    own, groups = [option for option in declared(kind).values() if option.name not in ALL], OPTIONS
    if own:
        names = ','.join(h.name for h in kind.hyperparameters if h.positional)
        groups = {'hyper-parameters of this approach, by name or as --parameter ' + names: own, **OPTIONS}
    for title, options in groups.items():
        group = parser.add_argument_group(title)
        if options[0].name == 'experiment':
            group.add_argument('-h', '--help', action='help', help='this text; with --approach A the options '
                               'of A, too')
        if options[0].name in TRIALS:
            group = group.add_mutually_exclusive_group()
        for option in options:
            option.add(group)
    return parser
