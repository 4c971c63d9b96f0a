"""What a run keeps as it goes: validation, the report of each task, models, its state, the record."""
import json

import numpy as np

from results import ledger, records
from runs import snapshot
from runs.listeners import Listener
from runs.place import finished, model


class Validation(Listener):
    """--final-valid: notes the accuracy on the validation sets of all tasks so far."""

    def task(self, t):
        """After each task, where tests draw no random numbers."""
        if 'validation' not in getattr(self.run.appr, 'cannot', ('validation',)):
            self.run.validate(t)

    def end(self):
        """After the last one in any case."""
        out = self.run.outcome
        if np.isnan(out.valid[-1, 0]):
            self.run.validate(self.run.ntasks - 1)
        self.run.record['valid_accuracy'] = out.valid[-1].tolist()

    def account(self, n):
        valid = self.run.outcome.valid[:n, :n]
        return {} if np.isnan(valid).any() else {'valid_matrix': valid.tolist()}


class Report(Listener):
    """What the approach has to say after the tests of a task and, of HAT, the ledger of its units."""

    def task(self, t):
        appr = self.run.appr
        lines = appr.report_lines()
        if hasattr(appr, 'attention'):
            found = self.ledger(appr.seen)
            names = [row.name for row in getattr(appr.model, 'layers', ())]
            numbers = ['layer %d' % i for i, _ in enumerate(found[-1]['layers'], 1)]
            lines += ledger.lines(found, names or numbers)
        print('\n'.join(lines), end='\n' * bool(lines))

    def account(self, n):
        appr = self.run.appr
        found = {'kept_megabytes': round(snapshot.megabytes(appr), 3), **appr.account(n)}
        return {**found, 'ledger': self.ledger(n)} if hasattr(appr, 'attention') else found

    def ledger(self, n):
        """What each of n tasks takes of every layer (results.ledger)."""
        return ledger.entries(self.run.appr.attention(n), connections(self.run.appr))


class Models(Listener):
    """--save: keeps the model after each task."""

    def task(self, t):
        from runs import saved
        run = self.run
        path, about = run.place.folder / model(t), {**run.there['about'], 'config': run.record['config']}
        size = saved.save(path, t, run.appr, run.there, about)
        print('Model at %s (%.1f MB)' % (path, size))


class State(Listener):
    """Notes the state for the checkpoint; writes it where a run ends early, or is to keep it."""

    def epoch(self, numbers):
        self.run.checkpoint.take(self.run.appr, self.run.progress())

    def task(self, t):
        self.epoch({})

    def kept(self):
        """Whether the final state is kept: not that of a run which --resume is to do again."""
        return self.run.args.keep_checkpoint and not self.run.is_cut()

    def end(self):
        """First the state, if it is to be kept, then the result."""
        if self.kept():
            self.run.checkpoint.write()

    def stop(self, why):
        if why == 'interrupted':
            self.run.checkpoint.write()

    def settle(self):
        """Only now goes a state that nobody needs any more."""
        if not self.kept():
            self.run.checkpoint.remove()


class Record(Listener):
    """Writes the matrix, the record and the approach's log of the tasks learnt, if there are any."""

    def task(self, t):
        """Writes them; those of the last task come with the end."""
        if self.run.done < self.run.ntasks:
            self.save('running')

    def end(self):
        self.save('interrupted' if self.run.is_cut() else 'finished')

    def stop(self, why):
        self.save(why)

    def save(self, status):
        """Writes them; beside a finished result, which stays until there is a new one, only when finished."""
        run, n = self.run, self.run.done
        if not n or status != 'finished' and finished(run.place.output):
            return
        counts = [len(run.data[u]['test']['y']) for u in range(n)]
        run.record.update(status=status, seconds=round(run.elapsed(), 2),
                          **run.outcome.entries(n, counts, run.args.forward_transfer))
        for listener in run.listeners:
            run.record.update(listener.account(n))
        if records.has_log(run.appr):
            self.log(n)
        print('Save at %s' % run.place.output, flush=True)
        records.save(run.place.output, run.outcome.shown(n), run.record)

    def account(self, n):
        run = self.run
        if not run.infers():
            return {}
        inferred = run.outcome.inferred[:n, :n].round(6).tolist()
        return {'task_inferred': inferred, **run.appr.scenario.account(run.appr, n)}

    def log(self, n):
        """Writes the approach's own log."""
        run, record = self.run, self.run.record
        layers, config = connections(run.appr), json.dumps(record['config'], sort_keys=True)
        more = {'config': config, 'layers': layers} if layers else {'config': config}
        acc, lss = run.outcome.acc[:n], run.outcome.lss[:n]
        records.save_logs(run.appr.logpath, run.appr.logs, record['tasks'][:n], acc, lss, **more)


def connections(appr):
    """How the layers of an approach's network follow one another, () where it does not say so."""
    found = getattr(getattr(appr, 'model', None), 'connections', None)
    return found() if found else ()
