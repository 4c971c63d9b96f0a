"""Models that outlive their run: after each task one file, with what it takes to use the network, even
without the data."""
import contextlib
import io

import numpy as np
import torch

import utils
from dataloaders.images import Pixels, Split, misfit
from learning import evaluation
from learning.batch import Batch
from learning.buffer import Buffer
from results import forms, records
from runs import advice, build, checkpoint, foreign, machine, network, options, place, snapshot
from runs.nodes import Reader, Writer
from runs.snapshot import like
from utils import ROOT, UserError

VERSION = 2

# What a file says of its model. Of texts from elsewhere, only what uses them can say more.
SIDE = forms.whole(1, 10 ** 5)
ORDER = forms.of('an array of whole numbers', lambda v: isinstance(v, np.ndarray) and v.ndim == 1
                 and v.dtype == np.int64)
IMAGES = forms.fields({
    'raw': forms.listed(SIDE, 2, 3), 'mean': forms.listed(forms.number(), 1),
    'std': forms.listed(forms.number(1e-12), 1),
    'size': forms.items(SIDE, SIDE, SIDE), 'permutation': forms.either(forms.nothing, ORDER),
    'angle': forms.either(forms.nothing, forms.number(-1e6, 1e6))},
                      cut=forms.of('true or false', lambda v: isinstance(v, bool)))
TASK = forms.fields({'name': forms.text, 'class_names': forms.either(forms.nothing, forms.listed(forms.text)),
                     'images': forms.either(forms.nothing, IMAGES)}, numbers=forms.listed(forms.whole()))
PLAIN = forms.of('a plain value', lambda v: isinstance(v, (type(None), bool, int, float, str, list, dict)))
SETTING = forms.either(forms.of('true or false', lambda v: isinstance(v, bool)), forms.text, forms.number())
ABOUT = forms.fields({
    'version': forms.whole(VERSION, VERSION), 'done': forms.whole(1), 'network': forms.text,
    'settings': forms.named(SETTING),
    'config': forms.named(PLAIN), 'inputsize': forms.items(SIDE, SIDE, SIDE),
    'taskcla': forms.listed(forms.items(forms.whole(), SIDE), 1), 'tasks': forms.listed(TASK, 1)},
                     command=forms.listed(forms.text))
DICTIONARY = forms.of('a dictionary', lambda v: isinstance(v, dict))
NODE = forms.of('a node', lambda v: isinstance(v, tuple))
FILE = forms.fields({'about': NODE, 'model': DICTIONARY, 'approach': DICTIONARY})


def path(output, t):
    """The file of a result's model after task t."""
    return place.folder(output) / place.model(t)


def images(split):
    """What becomes of the images of a split, {name: plain value}; None if they come as they are."""
    if not isinstance(split, Split):
        return None
    found = {n: list(v) if isinstance(v, tuple) else v for n, v in vars(split.pixels).items()}
    return {'raw': list(split.source.shape[1:]), **found}


def save(path, t, appr, there, about):
    """Writes the model after task t to a file, whole or not at all; returns its size in MB. about:
    {'network', 'settings', 'config'}. A buffer of samples, which only further training needs, is left out."""
    data, tasks, numbers = there['data'], there['taskcla'], there['scenario'].numbers
    said = [{'name': data[u]['name'], 'class_names': data[u].get('class_names'),
             'images': images(data[u]['test']), 'numbers': numbers[u]} for u, _ in tasks]
    found = {'version': VERSION, 'done': t + 1, **about, 'inputsize': list(there['inputsize']),
             'taskcla': [list(row) for row in tasks], 'tasks': said}
    attributes, _ = snapshot.write(appr, without=buffers(appr))
    whole = {'about': Writer().node(found, 'what is said of the model'), 'model': utils.get_model(appr.model),
             'approach': attributes}
    return checkpoint.save(whole, path)


def buffers(appr):
    """The names of an approach's attributes that are buffers of samples."""
    return [n for n, v in vars(appr).items() if isinstance(v, Buffer)]


def agree(about, record, t):
    """Raises ValueError unless what a file says of its model after task t, which has the form of ABOUT, goes
    together."""
    def demand(ok, what):
        if not ok:
            raise ValueError(what)
    tasks, config = about['tasks'], record['config']
    demand(t < about['done'] <= t + 1 <= len(tasks), 'the number of tasks learnt')
    demand([u for u, _ in about['taskcla']] == list(range(len(tasks))), 'the tasks\' numbers')
    demand([task['name'] for task in tasks] == config.get('tasks'), 'the tasks\' names')
    demand(about['network'] == config.get('network'), 'the network')
    for (_, ncla), task in zip(about['taskcla'], tasks):
        demand(task['class_names'] is None or len(task['class_names']) == ncla,
               'the names of the classes of %s' % task['name'])
        demand(len(set(task.get('numbers', range(ncla)))) == ncla,
               'the numbers of the classes of %s' % task['name'])
        demand(task['images'] is None or makes(task['images'], about['inputsize']),
               'the images of %s' % task['name'])


def makes(images, size):
    """Whether what becomes of images, of the form of IMAGES, has the size [C,H,W]."""
    height, width, *channels = images['raw']
    counts, order = (*channels, len(images['mean']), len(images['std'])), images['permutation']
    return (images['size'] == size and channels in ([], [3]) and misfit(images['raw'], size) is None
            and all(n in (1, size[0]) for n in counts)
            and (order is None or np.array_equal(np.sort(order), np.arange(height * width))))


class Model:
    """The model of a result after a task (default: the last one there): about, as save() wrote it, record,
    args, and appr, an approach that can be tested. Raises UserError for a result without one, and for a file
    that is none."""

    def __init__(self, result, after=None, device='cpu'):
        self.output = ROOT / records.record_path(result).with_suffix('.txt')
        self.record = records.read_record(self.output)
        learnt = len(self.record['accuracy'])
        there = [t for t in range(learnt) if path(self.output, t).exists()]
        if not there:
            raise UserError('%s has no saved model: run it with --save' % result)
        if after is not None and after not in there:
            raise UserError('--after %d: there are models after the tasks %s' % (
                after, ', '.join(map(str, there))))
        self.t = there[-1] if after is None else after
        self.path = path(self.output, self.t)
        self.about, found = self.read()
        args, approach = self.command()
        self.args = args.but(device=machine.choose_device(device))
        self.names = [task['name'] for task in self.about['tasks']]
        self.appr = self.make(approach, found)

    def read(self):
        """(about, the file's contents)."""
        try:
            found = checkpoint.load(self.path)
            FILE(found, 'it')
            about = Reader().value(found['about'], 'what it says')
            ABOUT(about, 'what it says')
            agree(about, self.record, self.t)
        except Exception as e:  # a malformed file can raise anything
            raise UserError('%s is not a model of this version, or broken (%s: %s)' % (
                self.path, type(e).__name__, e))
        if about['config'] != self.record['config']:
            raise UserError('%s is of another run than %s' % (self.path, self.output))
        return about, found

    def command(self):
        """(args, approach) of the run, by its record."""
        try:
            args, approach = options.parse(advice.still(self.record['command'][1:]))
        except SystemExit:
            raise UserError('%s: its command asks for help alone' % records.record_path(self.output))
        config = self.record['config']
        differ = [k for k, v in options.settings(args).items() if k not in ('tasks', 'network')
                  and config.get(k, v) != v]
        if differ or foreign.is_foreign(approach):
            raise UserError('%s: its command is not of its configuration (%s)' % (
                records.record_path(self.output), ', '.join(differ) or args.approach))
        return args, approach

    def make(self, approach, found):
        """The approach, as it was after the task."""
        args, about = self.args, self.about
        tasks = [tuple(row) for row in about['taskcla']]
        numbers = [task.get('numbers') for task in about['tasks']]  # which older files have not
        self.scenario = scenario = build.scenario(args, approach, tasks, None if None in numbers else numbers)
        utils.seed_everything(args.seed)
        foreign.provide(args)
        kind = network.named(about['network'])
        if kind is None:
            raise UserError('the network %s is not there any more' % about['network'])
        there = {'data': {t: {'train': None} for t, _ in tasks}, 'taskcla': tasks, 'scenario': scenario}
        try:
            heads = tasks if approach.isolated else scenario.taskcla()
            net = self.network(kind, found['model'], heads)
            with contextlib.redirect_stdout(io.StringIO()):
                appr = build.make(approach, net.to(args.device), args, there)
            machine.apply(appr, args.but(compile=False))  # which is of training alone
            utils.set_model_(net, found['model'])
            snapshot.put(appr, snapshot.values(appr, found['approach'], kept=buffers(appr)))
            appr.configure(seen=about['done'])
            x = torch.zeros(1, *about['inputsize'], device=args.device)
            for t in range(about['done']):  # what cannot be used is not of this run
                appr.eval(t, x, torch.zeros(1, dtype=torch.int64, device=args.device))
        except Exception as e:  # anything may be in somebody's file
            raise UserError('%s does not fit its run (%s: %s)' % (self.path, type(e).__name__, e))
        return appr

    def network(self, kind, weights, heads):
        """The network of a class with heads [(task, classes), ...], once weights have been found to be of one
        with such settings."""
        settings, size = self.about['settings'], self.about['inputsize']
        network.fit(kind, settings)
        # It takes no memory; a user's may not allow it.
        with contextlib.suppress(NotImplementedError), torch.device('meta'):
            like(weights, utils.get_model(network.make(kind, size, heads, settings)), 'the weights')
        return network.make(kind, size, heads, settings)

    def data(self, data_dir=None):
        """(data, taskcla, size) of the run. Raises UserError if they are not those it was trained on."""
        if data_dir is not None:
            self.args = self.args.but(data_dir=data_dir)
        utils.seed_everything(self.args.seed)
        found = build.load_data(build.experiment(self.args.experiment, self.args.data_dir,
                                                 self.args.image_size), self.args)
        wanted = self.record['config'].get('data', {})
        other = [name for name, digest in found[0].get('sha256', {}).items() if wanted.get(name) != digest]
        if other:
            raise UserError('%s in %s is another data set than that of the run: its SHA-256 differs' % (
                ', '.join(other), self.args.data_dir))
        return found

    def logits(self, t, x):
        """Task t's own logits [N, its classes], also where those of other tasks compete with them."""
        return self.mine(t, evaluation.logits(self.appr, t, x))

    def mine(self, t, z):
        """Of logits [N, classes], those of task t alone."""
        compete = isinstance(self.appr.scenario.heads(t, t + 1, training=False), range)
        return z[:, self.scenario.own(t)] if compete else z

    def own(self, t):
        """A function of images to task t's own logits, by plain code alone, which can be exported."""
        def logits(x):
            batch = Batch(x, x.new_zeros(x.shape[0], dtype=torch.int64), task=t)
            return self.mine(t, self.appr.compete(batch)[0])
        return logits

    def pixels(self, t):
        """(shape of raw images, the Pixels that make them what the network sees) of task t. Raises UserError
        where there are none."""
        found = self.about['tasks'][t]['images']
        if found is None:
            raise UserError(
                'the images of %s come as they are, not as bytes: use evaluate.py' % self.args.experiment)
        raw, found = found['raw'], {k: v for k, v in found.items() if k != 'raw'}
        return raw, Pixels(**{k: tuple(v) if isinstance(v, list) else v for k, v in found.items()})

    def classes(self, t):
        """The names of task t's classes: the data set's or numbers."""
        return self.about['tasks'][t]['class_names'] or [str(c) for c in range(self.about['taskcla'][t][1])]

    def learnt(self, text, option='--task'):
        """The number of a task that is named or numbered. Raises UserError for one that was not learnt
        yet."""
        from dataloaders import common
        t = common.numbers(self.names, text)[0]
        if t > self.t:
            raise UserError('%s %s: the model is of the time after task %d, before this one was learnt' % (
                option, text, self.t))
        return t
