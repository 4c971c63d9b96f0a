"""The figures there are: how each finds its results, what it computes, its table, and what draws it."""
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from results import collect, curves, epochs, figures, ledger, masks, metrics
from results import steps, surfaces, task_figures, unit_figures
from results.comparable import tried, warn
from results.unpickler import load_log
from utils import ROOT, UserError


@dataclass(frozen=True)
class Kind:
    """A figure of results; draw(page, found, values) fills a layout.Page."""
    about: str
    table: Callable  # (found, values) -> tables.Table
    draw: Callable
    values: Callable
    find: Callable = collect.collect


def of_logs(about, table, draw):
    """Return the Kind of a figure of logs of hat-test."""
    return Kind(about, lambda found, _: table(found), lambda page, found, _: draw(page, found),
                values=None, find=None)


def ratios(found, query):
    """Return the forgetting ratios; warn of an approach that is better than joint training."""
    rho = metrics.ratios(found)
    above = ['%s after %s' % (a, ','.join(map(str, tasks))) for a, tasks in metrics.undertrained(rho).items()]
    if above:
        warn('rho is above 0, so that joint is no ceiling and perhaps undertrained: %s tasks' % ', '.join(
            above))
    return rho


def learning_curves(found, query):
    """Return (curves, the name of their measure); warn of approaches that have none."""
    loaded, measure = load_each(found, query, 'epochs.csv', epochs.load, epochs.tasks), query.measure
    lines = curves.gather(loaded, measure or 'valid_accuracy')
    for a in sorted(set(loaded) - set(lines)):
        warn('%s trains no epochs: left out' % a)
    return lines, measure or 'valid_accuracy'


def gaps(found, query):
    """Return {approach: {seed: what steps.load() returns}}."""
    return load_each(found, query, 'steps.csv', steps.load, steps.tasks)


KINDS = {
    'ratio': Kind('forgetting ratio against tasks (the original\'s figure); needs random and joint',
                  metrics.ratio_table, figures.ratio, ratios),
    'matrix': Kind('accuracy matrices', metrics.matrix_table, task_figures.matrix, metrics.matrices),
    'tasks': Kind('accuracy of each task over the sequence', metrics.matrix_table, task_figures.tasks,
                  metrics.matrices),
    'bars': Kind('average accuracy and forgetting', metrics.summary_table, figures.bars, metrics.summaries),
    'paired': Kind('differences from one approach, paired by seed (--against)', metrics.difference_table,
                   figures.paired, lambda found, query: metrics.differences(found, query.against)),
    'order': Kind('accuracy just learnt and at the end by a task\'s place in the sequence (of all orders, '
                  'where only those are there)', metrics.place_table, task_figures.order, metrics.matrices,
                  collect.sequences),
    'orders': Kind('spread over orders of the tasks beside that over seeds (of run_multi.py --orders)',
                   metrics.order_table, figures.orders, metrics.over_orders, collect.orders),
    'ledger': Kind('how much of every layer each task reuses, newly takes and leaves free (one approach: '
                   'hat, adahat)', ledger.table, unit_figures.ledger, collect.ledgers),
    'curves': Kind('a number of every epoch, task after task (--measure)', curves.table, task_figures.curves,
                   learning_curves),
    'gap': Kind('accuracy on earlier tasks at every test within a task (of run.py --eval-every), where it '
                'falls after a switch', steps.table, task_figures.gap, gaps),
    'surface': Kind('accuracy over the hyper-parameters of a grid by work.py (one approach; --over)',
                    surfaces.table, figures.surface, lambda runs, query: surfaces.points(runs, query.over),
                    surfaces.grid),
    'capacity': of_logs('share of the layers that tasks use (--logs, one)', masks.capacity_table,
                        unit_figures.capacity),
    'overlap': of_logs('overlap of the tasks\' masks (--logs, one)', masks.overlap_table,
                       unit_figures.overlap),
    'masks': of_logs('attention of each task to each unit (--logs, one)', masks.masks_table,
                     unit_figures.attention),
    'compression': of_logs('weights kept against accuracy (--logs, one or more)', masks.compression_table,
                           unit_figures.compression)}
OF_LOGS = [name for name, kind in KINDS.items() if not kind.find]


@dataclass(frozen=True)
class Query:
    """What is asked for: a figure and the results, or logs, that it is of.

    logs_of: a function from the path of a result to the folder of its logs; lenient: whether runs without
    what a figure needs there are left out.
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
    logs_of: Callable = None
    lenient: bool = False


def compute(query):
    """Return (table, draw) of what is asked for; draw fills a layout.Page. Raises UserError."""
    kind = KINDS[query.figure]
    if query.measure and query.figure != 'curves':
        raise UserError('--measure is of --figure curves')
    if query.figure in OF_LOGS:
        return compute_logs(query, kind)
    if not query.experiment or not query.approaches:
        raise UserError('--figure %s needs --experiment and --approaches' % query.figure)
    if query.figure in ('surface', 'ledger') and len(query.approaches) > 1:
        raise UserError('--figure %s takes one approach' % query.figure)
    found = kind.find(query.experiment, query.approaches, query.folders, query.seeds, query.tags)
    values = kind.values(found, query)
    return kind.table(found, values), lambda page: kind.draw(page, found, values)


def load_each(found, query, name, load, tasks):
    """Return {approach: {seed: load(file)}} of a file that each of collected results left in its logs, which
    may be of as many tasks(loaded) at most. Raises UserError naming all that is wrong."""
    def read(row):
        loaded = load(query.logs_of(row['path']) / name)
        if tasks(loaded) > len(row['acc']):
            raise UserError('the %s of %s is of another run: it has %d tasks' % (
                name, row['path'].name, tasks(loaded)))
        return loaded
    both = {a: tried(read, by) for a, by in found.items()}
    out = {a: good for a, (good, _) in both.items() if good}
    wrong = [text for _, bad in both.values() for text in bad]
    if wrong and not (query.lenient and out):
        raise UserError('; '.join(wrong))
    for line in wrong:
        warn('%s: left out' % line)
    return out


def compute_logs(query, kind):
    """Return compute() of a figure of logs."""
    if query.tags:
        raise UserError('--tag chooses results, and --figure %s is of --logs' % query.figure)
    several = query.figure == 'compression'
    if not query.logs or len(query.logs) > 1 and not several:
        files = 'one or more files' if several else 'one file'
        raise UserError('--figure %s needs --logs with %s' % (query.figure, files))
    logs, wrong = tried(load_log, {Path(f).stem: ROOT / f for f in query.logs})
    if wrong:
        raise UserError('; '.join(wrong))
    found = logs if several else next(iter(logs.values()))

    def draw(page):
        with readable(query.logs):
            kind.draw(page, found, None)
            page.draw_without_rendering()  # which lays out the names, whatever they are
    with readable(query.logs):
        table, short = kind.table(found, None), masks.too_short(logs) if several else []
    if short:
        warn('too few epochs to show compression (fewer than %d): %s' % (masks.FEW, ', '.join(short)))
    return table, draw


@contextmanager
def readable(files):
    """Raise UserError for whatever is raised within a block, as anything may be in a stranger's log."""
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        raise UserError('%s is not a log as hat-test writes it (%s)' % (' or '.join(files), type(e).__name__))
