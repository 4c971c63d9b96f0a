"""What a record and the log say of an approach: its own account and, of HAT, the ledger of its units."""
from results import ledger
from runs import snapshot


def entries(appr, done):
    """What each of so many tasks takes of every layer (results.ledger)."""
    connections = getattr(appr.model, 'connections', None)
    return ledger.entries(appr.attention(done), connections() if connections else ())


def account(appr, done):
    """{name: plain value} for the record of a run."""
    kept = {'kept_megabytes': round(snapshot.megabytes(appr), 3)}
    return {**kept, **appr.account(done), **({'ledger': entries(appr, done)} if hasattr(appr, 'attention') else {})}


def report(appr):
    """The lines to print after the tests of a task."""
    if not hasattr(appr, 'attention'):
        return appr.report_lines()
    found = entries(appr, appr.seen)
    names = [row.name for row in getattr(appr.model, 'layers', ())]
    names = names or ['layer %d' % (i + 1) for i in range(len(found[-1]['layers']))]
    return [*appr.report_lines(), *ledger.lines(found, names)]
