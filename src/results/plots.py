"""The figures there are: how each finds its results, what it computes, its table, and what draws it."""
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from results import collect, curves, epochs, figures, ledger, masks, metrics
from results import steps, surfaces, task_figures, unit_figures
from results.comparable import warn
from results.unpickler import load_log
from utils import ROOT, UserError


@dataclass(frozen=True)
class Kind:
    """A figure of results; draw(page, found, values) fills a layout.Page."""
    about: str
    table: Callable  # (found, values) -> tables.Table
    draw: Callable
    values: Callable = lambda found, query: None
    find: Callable = collect.collect


def of_logs(about, table, draw):
    """Return the Kind of a figure of logs of hat-test."""
    return Kind(about, lambda found, values: table(found), lambda page, found, values: draw(page, found),
                find=None)


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
    loaded, measure = load_epochs(found, query), query.measure or 'valid_accuracy'
    lines = curves.gather(loaded, measure)
    for a in sorted(set(loaded) - set(lines)):
        warn('%s trains no epochs: left out' % a)
    return lines, measure


KINDS = {
    'ratio': Kind('forgetting ratio against tasks (the original\'s figure); needs random and joint',
                  metrics.ratio_table,
                  figures.ratio, ratios),
    'matrix': Kind('accuracy matrices', metrics.matrix_table, task_figures.matrix, metrics.matrices),
    'tasks': Kind('accuracy of each task over the sequence', metrics.matrix_table, task_figures.tasks,
                  metrics.matrices),
    'bars': Kind('average accuracy and forgetting', metrics.summary_table, figures.bars, metrics.summaries),
    'paired': Kind('differences from one approach, paired by seed (--against)', metrics.difference_table,
                   figures.paired,
                   lambda found, query: metrics.differences(found, query.against)),
    'order': Kind(
        'accuracy just learnt and at the end by a task\'s place in the sequence (of all orders, where only '
                  'those are there)', metrics.place_table, task_figures.order, metrics.matrices,
        collect.sequences),
    'orders': Kind('spread over orders of the tasks beside that over seeds (of run_multi.py --orders)',
                   lambda found, values: metrics.order_table(values), figures.orders,
                   lambda found, query: metrics.over_orders(found), collect.orders),
    'ledger': Kind('how much of every layer each task reuses, newly takes and leaves free (one approach: '
                   'hat, adahat)',
                   lambda found, values: ledger.table(values), unit_figures.ledger,
                   lambda found, query: collect.ledgers(found)),
    'curves': Kind('a number of every epoch, task after task (--measure)', curves.table, task_figures.curves,
                   learning_curves),
    'gap': Kind('accuracy on earlier tasks at every test within a task (of run.py --eval-every), where it '
                'falls after a switch', steps.table, task_figures.gap,
                lambda found, query: load_steps(found, query)),
    'surface': Kind('accuracy over the hyper-parameters of a grid by work.py (one approach; --over)',
                    surfaces.table,
                    figures.surface, lambda found, query: surfaces.points(found, query.over), surfaces.grid),
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
    epochs: Callable = None
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


def load_epochs(found, query):
    """Return {approach: {seed: epochs}} of collected results. Raises UserError naming all missing."""
    def read(row):
        rows = epochs.load(query.epochs(row['path']))
        last = max((r['task'] for r in rows), default=0)
        if last >= len(row['acc']):
            raise UserError('the epochs of %s are of another run: they have task %d' % (
                row['path'].name, last))
        return rows
    return load_each(found, query, read)


def load_steps(found, query):
    """Return {approach: {seed: what steps.load returns}} of collected results. Raises UserError naming all
    missing."""
    def read(row):
        loaded = steps.load(query.epochs(row['path']).with_name('steps.csv'))
        if len(loaded[0]) != len(row['acc']):
            raise UserError('the tests of %s are of another run: they are of %d tasks' % (
                row['path'].name, len(loaded[0])))
        return loaded
    return load_each(found, query, read)


def load_each(found, query, read):
    """Return {approach: {seed: read(row)}} of collected results. Raises UserError naming all that is
    wrong."""
    out, wrong = {}, []
    for a, by in found.items():
        for seed, row in by.items():
            try:
                out.setdefault(a, {})[seed] = read(row)
            except UserError as e:
                wrong.append(str(e))
    if wrong and not (query.lenient and any(out.values())):
        raise UserError('; '.join(wrong))
    for line in wrong:
        warn('%s: left out' % line)
    return {a: by for a, by in out.items() if by}


def compute_logs(query, kind):
    """Return compute() of a figure of logs."""
    if query.tags:
        raise UserError('--tag chooses results, and --figure %s is of --logs' % query.figure)
    logs = load_logs(query)
    found = logs if query.figure == 'compression' else next(iter(logs.values()))

    def tried(function, *values):
        try:
            return function(*values)
        except UserError:
            raise
        except Exception as e:  # anything may be in a stranger's log
            raise UserError('%s is not a log as hat-test writes it (%s)' % (' or '.join(query.logs),
                                                                            type(e).__name__))

    def draw(page):
        kind.draw(page, found, None)
        page.draw_without_rendering()  # which lays out the names, whatever they are
    table = tried(kind.table, found, None)
    short = masks.too_short(found) if query.figure == 'compression' else []
    if short:
        warn('too few epochs to show compression (fewer than %d): %s' % (masks.FEW, ', '.join(short)))
    return table, lambda page: tried(draw, page)


def load_logs(query):
    """Return {name: log} of --logs, named by their files. Raises UserError naming all that cannot be read."""
    if not query.logs or (len(query.logs) > 1 and query.figure != 'compression'):
        files = 'one or more files' if query.figure == 'compression' else 'one file'
        raise UserError('--figure %s needs --logs with %s' % (query.figure, files))
    out, wrong = {}, []
    for f in query.logs:
        try:
            out[Path(f).stem] = load_log(ROOT / f)
        except UserError as e:
            wrong.append(str(e))
    if wrong:
        raise UserError('; '.join(wrong))
    return out
