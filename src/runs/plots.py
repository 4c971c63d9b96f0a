"""What a figure of saved results is made of: from the options of plot_results.py to the numbers and to what
draws them."""
from pathlib import Path

from runs import launch
from utils import ROOT, UserError

FIGURES = {
    'ratio': 'forgetting ratio against tasks (the original\'s figure); needs random and joint',
    'matrix': 'accuracy matrices', 'tasks': 'accuracy of each task over the sequence',
    'bars': 'average accuracy and forgetting',
    'paired': 'differences from one approach, paired by seed (--against)',
    'order': 'accuracy just learnt and at the end by a task\'s place in the sequence (of all orders, where '
             'only those are there)',
    'orders': 'spread over orders of the tasks beside that over seeds (of run_multi.py --orders)',
    'ledger': 'what each task takes of every layer, reuses and leaves (one approach: hat)',
    'curves': 'a number of every epoch, task after task (--measure)',
    'surface': 'accuracy over the hyper-parameters of a grid by work.py (one approach; --over)',
    'capacity': 'share of the layers that tasks use (--logs, one)',
    'overlap': 'overlap of the tasks\' masks (--logs, one)',
    'masks': 'attention of each task to each unit (--logs, one)',
    'compression': 'weights kept against accuracy (--logs, one or more)',
}

OF_LOGS = 'capacity', 'overlap', 'masks', 'compression'


def compute(args):
    """Return (table, draw) of what the options ask for; draw fills a results.page.Page. Raises UserError."""
    if args.measure and args.figure != 'curves':
        raise UserError('--measure is of --figure curves')
    if args.figure in OF_LOGS:
        if args.tag:
            raise UserError('--tag chooses results, and --figure %s is of --logs' % args.figure)
        return of_logs(args)
    if not args.experiment or not args.approaches:
        raise UserError('--figure %s needs --experiment and --approaches' % args.figure)
    approaches = list(dict.fromkeys(args.approaches.split(',')))
    if args.figure in ('surface', 'ledger') and len(approaches) > 1:
        raise UserError('--figure %s takes one approach' % args.figure)
    seeds = launch.seeds(args.seeds) if args.seeds else None
    return of_results(args, approaches, [ROOT / d for d in args.folders], seeds, args.tag)


def of_logs(args):
    """Return what compute() does, for the figures of logs."""
    from results import alike, masks, unit_figures
    logs = load_logs(args)
    what = logs if args.figure == 'compression' else next(iter(logs.values()))

    def tried(function, *values):
        try:
            return function(*values)
        except UserError:
            raise
        except Exception as e:  # anything may be in a stranger's log
            raise UserError('%s is not a log as hat-test writes it (%s)' % (
                ' or '.join(args.logs), type(e).__name__))

    def draw(fig):
        getattr(unit_figures, {'masks': 'attention'}.get(args.figure, args.figure))(fig, what)
        fig.draw_without_rendering()  # which lays out the names, whatever they are
    table = tried(getattr(masks, args.figure + '_table'), what)
    if args.figure == 'compression' and masks.too_short(what):
        alike.say('too few epochs to show compression (fewer than %d): %s' % (
            masks.FEW, ', '.join(masks.too_short(what))))
    return table, lambda fig: tried(draw, fig)


def of_results(args, approaches, *which):
    """Return what compute() does, for the figures of results; which: folders, seeds or None, tags."""
    from results import alike, collect, curves, figures, ledger, metrics, surfaces, task_figures, unit_figures
    experiment, (folders, _, tags) = args.experiment, which
    if args.figure == 'surface':
        over = args.over.split(',') if args.over else None
        found = surfaces.surface(experiment, approaches[0], folders, over, tags)
        return surfaces.table(found), lambda fig: figures.surface(fig, found)
    if args.figure == 'ledger':
        found, books = collect.ledgers(experiment, approaches[0], *which)
        return ledger.table(books), lambda fig: unit_figures.ledger(fig, found, books)
    if args.figure == 'orders':
        found = collect.orders(experiment, approaches, *which)
        values = metrics.over_orders(found)
        return metrics.order_table(values), lambda fig: figures.orders(fig, found, values)
    if args.figure == 'order':
        found = collect.sequences(experiment, approaches, *which)
        return metrics.place_table(found), lambda fig: task_figures.order(fig, found)
    found = collect.collect(experiment, approaches, *which)
    if args.figure == 'ratio':
        rho = metrics.ratios(found)
        above = metrics.undertrained(rho)
        if above:
            where = ', '.join('%s after %s' % (a, ','.join(map(str, after))) for a, after in above.items())
            alike.say('rho is above 0, so that joint is no ceiling and perhaps undertrained: %s tasks'
                      % where)
        return metrics.ratio_table(rho), lambda fig: figures.ratio(fig, found, rho)
    if args.figure == 'paired':
        against = metrics.reference(approaches, args.against)
        diff = metrics.differences(found, against)
        return metrics.difference_table(diff, against), lambda fig: figures.paired(fig, found, diff, against)
    if args.figure == 'curves':
        measure = args.measure or 'valid_accuracy'
        loaded = load_epochs(found, getattr(args, 'lenient', False))
        lines = curves.gather(loaded, measure)
        for a in sorted(set(loaded) - set(lines)):
            alike.say('%s trains no epochs: left out' % a)
        def draw(fig):
            task_figures.curves(fig, found, lines, measure)
        return curves.table(lines, found, measure), draw
    if args.figure == 'bars':
        return metrics.summary_table(found), lambda fig: figures.bars(fig, found)
    return metrics.matrix_table(found), lambda fig: getattr(task_figures, args.figure)(fig, found)


def load_epochs(found, lenient=False):
    """Return {approach: {seed: epochs}} of collected results, from where their runs left them. Raises
    UserError naming all that are missing."""
    from results import alike, epochs
    from runs import checkpoint
    out, wrong = {a: {} for a in found}, []
    for a, by in found.items():
        for seed, result in by.items():
            try:
                out[a][seed] = of_tasks(epochs.load(checkpoint.folder(result['path']) / 'epochs.csv'), result)
            except UserError as e:
                wrong.append(str(e))
    if wrong and not (lenient and any(out.values())):
        raise UserError('; '.join(wrong))
    for line in wrong:
        alike.say('%s: left out' % line)
    return {a: by for a, by in out.items() if by}


def of_tasks(rows, result):
    """Return the epochs of a result. Raises UserError if they are of more tasks than it has."""
    if any(r['task'] >= len(result['acc']) for r in rows):
        raise UserError('the epochs of %s are of another run: they have task %d' % (
            result['path'].name, max(r['task'] for r in rows)))
    return rows


def load_logs(args):
    """Return {name: log} of --logs, named by their files. Raises UserError naming all that cannot be read."""
    from results import unpickler
    if not args.logs or (len(args.logs) > 1 and args.figure != 'compression'):
        raise UserError('--figure %s needs --logs with %s' % (
            args.figure, 'one or more files' if args.figure == 'compression' else 'one file'))
    out, wrong = {}, []
    for f in args.logs:
        try:
            out[Path(f).stem] = unpickler.load_log(ROOT / f)
        except UserError as e:
            wrong.append(str(e))
    if wrong:
        raise UserError('; '.join(wrong))
    return out
