"""Runs one experiment: an approach learns a sequence of tasks; the accuracy on all is saved after each.

    python src/run.py --experiment pmnist --approach hat --parameter 0.75,400
"""
import contextlib
import sys
import time
import traceback

import utils
from results import measures, metrics, records, summary
from runs import advice, blame, config as configuration, foreign, options
from utils import ROOT, UserError


def main(argv=None):
    """Run a command line; return the accuracy matrix, float32 [T,T], row t after task t, column u on task
    u."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        argv, sources = configuration.expand(argv)
        record = options.given(argv).get('--rerun')
        if record:
            return rerun(record, options.without(argv, '--rerun'))
        return run(*options.parse(argv, sources), argv)
    except UserError as e:
        print('run.py: %s' % e, file=sys.stderr)
    except KeyboardInterrupt:
        print('run.py: interrupted', file=sys.stderr)
        sys.exit(130)
    except UnicodeError as e:
        print('run.py: a name cannot be used on this system (%s)' % type(e).__name__, file=sys.stderr)
    except Exception as e:
        if not isinstance(e, OSError) or blame.of_a_choice(e):  # most likely in a file that was dropped in
            traceback.print_exc()
            print('run.py: ' + blame.explain(e), file=sys.stderr)
            sys.exit(1)
        # a full disk, or nobody reads
        print('run.py: %s: %s; finished tasks and the last checkpoint are kept' % (
            e.filename or 'writing failed', e.strerror or e), file=sys.stderr)
        utils.give_up_stdout()
    sys.exit(2)


def run(args, approach, argv):
    """Run what parse() returned. Raises UserError for what cannot be run."""
    from runs import certificate, checkpoint, estimate, journal, locking, sequence, setup, source, tracking
    from runs.place import Place
    start = time.monotonic()
    tracking.check(args)
    ready = setup.Setup(args, approach)
    trial = estimate.chosen(args)
    if trial:
        return trial(ready, argv)
    args, config = ready.args, ready.config
    records.check_output(args.output, config, overwrite=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locking.lock(args.output))
        place = Place(args.output)
        if config.get('logpath') and not args.rerun:  # taken now, so that what killed runs left of it goes
            stack.enter_context(locking.lock(ROOT / config['logpath'], '.log'))
        wanted = {'valid': args.final_valid, 'models': args.save, 'state': args.keep_checkpoint}
        if place.enter(config, args.resume, args.overwrite, **wanted):
            print('Finished already: %s' % args.output)
            records.tag(args.output, args.tag)
            return records.matrix(args.output)
        saved, state = checkpoint.chosen(place, config, args)
        if state is None:
            stack.enter_context(place.anew(config, args.overwrite))
        stack.enter_context(journal.recorded(place.folder / 'run.log', more=state is not None))

        ready.show()
        if place.staged:
            print('What is there stays until this run has finished; its results are in %s so long'
                  % place.folder)
        if foreign.is_foreign(approach):
            folders = source.of('approaches', args.approach).folders
            stack.enter_context(foreign.working_in(place, folders))
        appr = ready.make()
        if args.rerun:
            appr.logs = None
        if records.has_log(appr):
            if not config.get('logpath'):
                stack.enter_context(locking.lock(appr.logpath, '.log'))
            utils.remove_leftovers(appr.logpath)
            overwrite = args.overwrite or place.about().get('overwrite') is True
            records.check_log(appr.logpath, args.output, config, overwrite)
            appr.logpath = place.log(appr.logpath)
        for path in (place.final, place.output, saved.path):
            records.check_writable(path)
        utils.print_model_report(ready.net)
        utils.print_optimizer_config(getattr(appr, 'optimizer', None))
        print('-' * 100)

        record = {**ready.describe(argv), 'date': time.strftime('%Y-%m-%dT%H:%M:%S%z')}
        resumable = not foreign.is_foreign(approach)  # others do not say what their state is
        place.refusable = False
        acc = sequence.Sequence(appr, ready.context, record, saved if resumable else None, place).run(state)
        print_matrix(acc)
        print('\n'.join(measures.lines(metrics.report(place.output))))
        change = certificate.line(records.read_record(place.output).get('largest_change', {'logits': []}))
        if change:
            print(change)
        print('[Elapsed time = {} min {} s]'.format(*divmod(round(time.monotonic() - start), 60)))
        print(summary.paragraph(place.output, options.label(args), place.folder, place.left()))
    return acc


def rerun(path, rest):
    """Repeat the run of a record, with further options if given, into <name>_rerun.txt beside it or --output,
    without writing its log, and say whether the accuracy matrix is the same. Return the new matrix;
    SystemExit(1) if it differs."""
    from runs import estimate
    record, old = records.record_path(ROOT / path), records.read_record(ROOT / path)
    again = options.without(advice.still(old['command'][1:]), '--output', '--resume', '--overwrite',
                            '--keep-checkpoint', '--save', '--rerun')
    argv = [*again, '--output', str(record.with_name(record.stem + '_rerun.txt')), *rest, '--overwrite']
    args, approach = options.parse(argv)
    output, args = ROOT / args.output, args.but(rerun=path)
    if records.record_path(output) == record:
        raise UserError('--output %s is the result to compare with: give another' % args.output)
    if not (ROOT / args.data_dir).is_dir():
        raise UserError('the data folder of the record, %s, is not there: add --data-dir' % args.data_dir)
    acc = run(args, approach, argv)
    if estimate.chosen(args):
        return acc
    new = records.read_record(output)
    for what in ('device', 'versions', 'git_commit'):
        if old.get(what) != new.get(what):
            print('%s was %s, is %s' % (what, old.get(what), new.get(what)))
    if old['config'].get('data') != new['config'].get('data'):
        print('the data are others: their SHA-256 differ')
    if old.get('accuracy') == new['accuracy']:
        print('The accuracy matrix is the same')
        return acc
    print('The accuracy matrix differs: %s' % records.compare(old.get('accuracy'), new['accuracy']))
    sys.exit(1)


def print_matrix(acc):
    """Print the accuracy matrix in per cent."""
    print('*' * 100)
    print('Accuracies =')
    for row in acc:
        print('\t' + ''.join('{:5.1f}% '.format(100 * a) for a in row))
    print('*' * 100)
    print('Done!')


if __name__ == '__main__':
    main()
