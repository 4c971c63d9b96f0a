"""All that a run needs before it trains: device, data, network and approach, from a parsed command line."""
import sys
from argparse import Namespace

import utils
from dataloaders import check
from runs import build, foreign, machine, network, options
from utils import ROOT


class Setup:
    """args and approach: as options.parse returned them; config: what determines the result; context: what
    train() and eval() may ask for, and, after make(), the network and the approach as net and appr. Raises
    UserError for what cannot be run."""

    def __init__(self, args, approach):
        self.approach = approach
        machine.prepare()
        device = machine.choose_device(args.device)
        usual = 'res/%s_%s_%d.txt' % (options.label(args), args.approach, args.seed)
        self.args = args = args.but(device=device, output=ROOT / (args.output or usual))
        if args.deterministic:
            machine.be_deterministic()
        theirs = foreign.provide(args)
        self.dataloader = build.experiment(args.experiment, args.data_dir, args.image_size)
        name, self.Net = network.choose(self.dataloader, args, approach)
        self.settings = network.settings(self.Net, args.net, args.set or {})
        utils.seed_everything(args.seed)
        data, taskcla, inputsize = build.load_data(self.dataloader, args)
        self.notes = build.augmented(args, data, taskcla, inputsize)
        build.check_calibration(args, data, taskcla)
        self.scenario = build.scenario(args, approach, taskcla, check.classes(data, taskcla))
        self.config = {**options.settings(args), 'network': name,
                       'tasks': [data[t]['name'] for t, _ in taskcla], 'data': data.get('sha256', {})}
        self.context = {
            'args': theirs if foreign.is_foreign(approach) else Namespace(**vars(args)), 'data': data,
            'inputsize': inputsize, 'input_size': inputsize, 'taskcla': taskcla, 'device': device,
            'scenario': self.scenario, 'about': {'network': name, 'settings': self.settings},
            'log_name': args.output.stem}

    def change(self, **changes):
        """Change settings, before make(): of a trial, whose results are not those of the command line."""
        self.args = self.args.but(**changes)
        vars(self.context['args']).update(changes)

    def make(self):
        """Make the network and the approach, which it returns."""
        args, context = self.args, self.context
        heads = context['taskcla'] if getattr(self.approach, 'isolated', False) else self.scenario.taskcla()
        if not self.settings.get('split', True):
            print('%s.Net: split=False: all tasks share one head; --net split=true gives each its own, which '
                  'an approach that takes split is told' % self.Net.__module__)
        self.net = network.make(self.Net, context['inputsize'], heads, self.settings).to(args.device)
        self.appr = build.make(self.approach, self.net, args, context)
        machine.apply(self.appr, args)
        return self.appr

    def show(self):
        """Print the settings and the tasks."""
        print('=' * 100)
        print('Arguments =')
        for name, value in {**self.config, 'device': self.args.device, 'output': self.args.output}.items():
            print('\t%s: %s' % (name, value))
        print('=' * 100)
        if 'note' in self.context['data']:
            print(self.context['data']['note'])
        for line in self.notes if self.args.augment else ():
            print('warning: ' + line, file=sys.stderr)
        if self.scenario.returning:
            how = 'keeps the logit that it had in the task where it came first'
            if getattr(self.approach, 'isolated', False):
                how = 'has a logit in each task, of which the surest counts'
            print('%d classes in all: one that comes again %s' % (len(self.scenario.firsts), how))
        print('Input size =', self.context['inputsize'], '\nTask info =', self.context['taskcla'])

    def describe(self, argv):
        """Return what the run's record begins with; argv: its command line."""
        args, context = self.args, self.context
        clipgrad = getattr(self.appr, 'clipgrad', None)
        clipgrad = clipgrad if isinstance(clipgrad, (int, float)) else None  # as what is called so elsewhere
        return {
            'status': 'running', 'command': ['src/run.py', *argv], 'config': self.config,
            'origin': args.origin, **machine.describe(args.device),
            'parameters': sum(p.numel() for p in self.net.parameters()), **machine.memory_format(self.net),
            'tasks': self.config['tasks'], 'tags': args.tag, 'scenario': self.scenario.name,
            'normalisation': context['data'].get('normalisation'), 'net': self.settings,
            'pc_valid': build.held_out(self.dataloader, args), 'clipgrad': clipgrad}
