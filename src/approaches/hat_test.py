"""HAT that records its masks, for monitoring and network compression (Serrà et al., 2018, Sections 4.3 and 4.4)."""
import numpy as np

from approaches import hat
from approaches.hyper import Hyper
from utils import ROOT, UserError, is_number


class Appr(hat.Appr):
    """HAT with a log, which run.py writes to logpath as a gzipped pickle of numpy arrays and builtins.

    logs[k][t], k one of train_loss, train_acc, train_reg, valid_loss, valid_acc, valid_reg: arrays over
    epochs; logs['mask'][t][layer][epoch]: attention [1, units] after each epoch, -1 for before training;
    logs['mask_pre'][t][layer]: cumulative attention before task t. Without a logpath nothing is recorded.
    """

    family = 'isolation'
    hyperparameters = (*hat.Appr.hyperparameters[:2],
                       Hyper('logpath', str, '', help='file of the log'),
                       Hyper('single_task', int, 0, help='1: train the first task only, and evaluate with '
                             'hard masks, s = 10000 * smax', source='Section 4.4', least=0, most=1),
                       *hat.Appr.hyperparameters[2:])
    variants = ('_hat_test', '_hat')

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.eval_factor = 10000 if self.single_task else 1
        if self.logpath:
            self.logpath = str(ROOT / self.logpath)
            self.logs = {k: {} for k in ('train_loss', 'train_acc', 'train_reg', 'valid_loss', 'valid_acc', 'valid_reg',
                                         'mask', 'mask_pre')}

    @classmethod
    def positional(cls, text):
        """lamb,smax,logpath[,single_task], lamb,smax or logpath: the path is what is not a number, or a
        lone value."""
        values = text.split(',')
        kinds = ''.join('n' if is_number(v) else 'p' for v in values)
        names = {'nnp': ('lamb', 'smax', 'logpath'), 'nnpn': ('lamb', 'smax', 'logpath', 'single_task'),
                 'nn': ('lamb', 'smax'), 'n': ('logpath',), 'p': ('logpath',)}.get(kinds)
        if not names or not all(values):
            raise UserError('--parameter %s: expected lamb,smax,logpath[,single_task], or lamb,smax, or logpath, with '
                            'numbers for all but the path' % text)
        return dict(zip(names, values))

    def masks(self, t):
        """Attention of task t at full steepness, float32 arrays [1, units]."""
        return [m.detach().cpu().numpy() for m in self.model.mask(self.task(t), s=self.smax)]

    def begin_task(self, t, x, y):
        super().begin_task(t, x, y)
        if self.logs is None:
            return
        masks = self.masks(t)
        before = [0 * m for m in masks] if self.mask_pre is None else [m.cpu().numpy() for m in self.mask_pre]
        self.logs['mask_pre'][t] = {i: m.copy() for i, m in enumerate(before)}
        self.logs['mask'][t] = {i: {-1: m} for i, m in enumerate(masks)}

    def epochs(self, n, phase):
        """None, if only the first task is to be trained."""
        return 0 if self.single_task and self.at['task'] else super().epochs(n, phase)

    def end_epoch(self, t, e, train, valid):
        note = super().end_epoch(t, e, train, valid)
        if self.logs is None:
            return note
        for k, (loss, acc) in (('train', train), ('valid', valid)):
            for what, value in (('loss', loss), ('acc', acc), ('reg', self.reg.item())):
                log = self.logs['%s_%s' % (k, what)]
                log[t] = np.append(log.get(t, []), value)
        for i, m in enumerate(self.masks(t)):
            self.logs['mask'].setdefault(t, {}).setdefault(i, {})[e] = m
        return note
