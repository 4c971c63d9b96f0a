"""The figures there are: from what is asked for to the numbers, as a table, and to what draws them."""
from dataclasses import dataclass
from pathlib import Path

from results import (collect, curves, epochs, figures, ledger, masks, metrics, surfaces, task_figures,
                     unit_figures,
                     unpickler)
from results.comparable import warn
from utils import ROOT, UserError

FIGURES = {
    'ratio': 'forgetting ratio against tasks (the original\'s figure); needs random and joint',
    'matrix': 'accuracy matrices', 'tasks': 'accuracy of each task over the sequence',
    'bars': 'average accuracy and forgetting',
    'paired': 'differences from one approach, paired by seed (--against)',
    'order': 'accuracy just learnt and at the end by a task\'s place in the sequence (of all orders, where only '
             'those are there)',
    'orders': 'spread over orders of the tasks beside that over seeds (of run_multi.py --orders)',
    'ledger': 'what each task takes of every layer, reuses and leaves (one approach: hat)',
    'curves': 'a number of every epoch, task after task (--measure)',
    'surface': 'accuracy over the hyper-parameters of a grid by work.py (one approach; --over)',
    'capacity': 'share of the layers that tasks use (--logs, one)',
    'overlap': 'overlap of the tasks\' masks (--logs, one)',
    'masks': 'attention of each task to each unit (--logs, one)',
    'compression': 'weights kept against accuracy (--logs, one or more)',
}
OF_LOGS = {'capacity': unit_figures.capacity, 'overlap': unit_figures.overlap,
           'masks': unit_figures.attention,
           'compression': unit_figures.compression}


@dataclass(frozen=True)
class Query:
    """What is asked for: a figure and the results, or logs, that it is of.

    epochs: a function from the path of a result to that of its epochs.csv; lenient: whether runs without one
    are left out.
    """
    figure: str
    experiment: str = None
    approaches: tuple = ()
    folders: tuple = ('res',)
    seeds: list = None
    tags: tuple = ()
    against: str = None
    measure: str = None
    over: list = None
    logs: tuple = ()
    epochs: object = None
    lenient: bool = False

    def results(self, find=collect.collect):
        """Return what a function of collect.py finds."""
        return find(self.experiment, self.approaches, self.folders, self.seeds, self.tags)


def compute(query):
    """Return (table, draw) of what is asked for; draw fills a layout.Page. Raises UserError."""
    if query.measure and query.figure != 'curves':
        raise UserError('--measure is of --figure curves')
    if query.figure in OF_LOGS:
        if query.tags:
            raise UserError('--tag chooses results, and --figure %s is of --logs' % query.figure)
        return of_logs(query)
    if not query.experiment or not query.approaches:
        raise UserError('--figure %s needs --experiment and --approaches' % query.figure)
    if query.figure in ('surface', 'ledger') and len(query.approaches) > 1:
        raise UserError('--figure %s takes one approach' % query.figure)
    return OF_RESULTS[query.figure](query)


def of_ratio(query):
    """Return compute() of ratio; warn of an approach that is better than joint training."""
    found = query.results()
    rho = metrics.ratios(found)
    above = ['%s after %s' % (a, ','.join(map(str, tasks))) for a, tasks in metrics.undertrained(rho).items()]
    if above:
        warn('rho is above 0, so that joint is no ceiling and perhaps undertrained: %s tasks' % ', '.join(
            above))
    return metrics.ratio_table(found, rho), lambda fig: figures.ratio(fig, found, rho)


def of_bars(query):
    """Return compute() of bars."""
    found = query.results()
    return metrics.summary_table(found), lambda fig: figures.bars(fig, found)


def of_matrix(query):
    """Return compute() of matrix and tasks."""
    found, draw = query.results(), getattr(task_figures, query.figure)
    return metrics.matrix_table(found), lambda fig: draw(fig, found)


def of_paired(query):
    """Return compute() of paired."""
    found, against = query.results(), metrics.reference(query.approaches, query.against)
    diff = metrics.differences(found, against)
    table = metrics.difference_table(found, diff, against)
    return table, lambda fig: figures.paired(fig, found, diff, against)


def of_order(query):
    """Return compute() of order."""
    found = query.results(collect.sequences)
    return metrics.place_table(found), lambda fig: task_figures.order(fig, found)


def of_orders(query):
    """Return compute() of orders."""
    found = query.results(collect.orders)
    values = metrics.over_orders(found)
    return metrics.order_table(values), lambda fig: figures.orders(fig, found, values)


def of_ledger(query):
    """Return compute() of ledger."""
    found, ledgers = query.results(collect.ledgers)
    return ledger.table(ledgers), lambda fig: unit_figures.ledger(fig, found, ledgers)


def of_surface(query):
    """Return compute() of surface."""
    found = surfaces.surface(query.experiment, query.approaches[0], query.folders, query.over, query.tags)
    return surfaces.table(found), lambda fig: figures.surface(fig, found)


def of_curves(query):
    """Return compute() of curves."""
    found, measure = query.results(), query.measure or 'valid_accuracy'
    loaded = load_epochs(found, query)
    lines = curves.gather(loaded, measure)
    for a in sorted(set(loaded) - set(lines)):
        warn('%s trains no epochs: left out' % a)
    return curves.table(lines, found, measure), lambda fig: task_figures.curves(fig, found, lines, measure)


OF_RESULTS = {'ratio': of_ratio, 'matrix': of_matrix, 'tasks': of_matrix, 'bars': of_bars,
              'paired': of_paired, 'order': of_order,
              'orders': of_orders, 'ledger': of_ledger, 'curves': of_curves, 'surface': of_surface}


def load_epochs(found, query):
    """Return {approach: {seed: epochs}} of collected results, from where their runs left them. Raises
    UserError naming all missing."""
    out, wrong = {}, []
    for a, by in found.items():
        for seed, row in by.items():
            try:
                rows = epochs.load(query.epochs(row['path']))
                last = max((r['task'] for r in rows), default=0)
                if last >= len(row['acc']):
                    raise UserError('the epochs of %s are of another run: they have task %d' % (
                        row['path'].name, last))
                out.setdefault(a, {})[seed] = rows
            except UserError as e:
                wrong.append(str(e))
    if wrong and not (query.lenient and out):
        raise UserError('; '.join(wrong))
    for line in wrong:
        warn('%s: left out' % line)
    return out


def of_logs(query):
    """Return compute() of the figures of logs."""
    logs = load_logs(query)
    what = logs if query.figure == 'compression' else next(iter(logs.values()))

    def tried(function, *values):
        try:
            return function(*values)
        except UserError:
            raise
        except Exception as e:  # anything may be in a stranger's log
            raise UserError('%s is not a log as hat-test writes it (%s)' % (
                ' or '.join(query.logs), type(e).__name__))

    def draw(fig):
        OF_LOGS[query.figure](fig, what)
        fig.draw_without_rendering()  # which lays out the names, whatever they are
    table = tried(getattr(masks, query.figure + '_table'), what)
    short = masks.too_short(what) if query.figure == 'compression' else []
    if short:
        warn('too few epochs to show compression (fewer than %d): %s' % (masks.FEW, ', '.join(short)))
    return table, lambda fig: tried(draw, fig)


def load_logs(query):
    """Return {name: log} of --logs, named by their files. Raises UserError naming all that cannot be read."""
    if not query.logs or (len(query.logs) > 1 and query.figure != 'compression'):
        files = 'one or more files' if query.figure == 'compression' else 'one file'
        raise UserError('--figure %s needs --logs with %s' % (query.figure, files))
    out, wrong = {}, []
    for f in query.logs:
        try:
            out[Path(f).stem] = unpickler.load_log(ROOT / f)
        except UserError as e:
            wrong.append(str(e))
    if wrong:
        raise UserError('; '.join(wrong))
    return out
