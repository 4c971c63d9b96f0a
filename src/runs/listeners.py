"""Who is told of a run as it goes, and in which order."""


class Listener:
    """Told of what happens in a run, a runs.sequence.Sequence. A listener has those methods that it needs.

    state: what a checkpoint keeps of it, a plain value; set before begin() where a run goes on.
    """

    name, state = None, None  # name: of its state in a checkpoint

    def __init__(self, run):
        self.run = run

    def begin(self, resumed):
        """Before the first task; resumed: whether the run goes on from a checkpoint."""

    def epoch(self, numbers):
        """After an epoch of training, {name: number}."""

    def task(self, t):
        """After the tests that follow task t."""

    def end(self):
        """After the last task."""

    def stop(self, why):
        """Where the run ends early: 'interrupted', or the reason."""

    def settle(self):
        """Once the results are where they belong, or will not come."""

    def account(self, n):
        """What it has to say in the record after n tasks, {name: plain value}."""
        return {}


def of(run):
    """The listeners of a run, in the order in which they are told: first what looks, then what writes; the
    checkpoint comes after all that it is to know of, and the record last."""
    from runs import board, certificate, journal, keeping, steps, tracking
    args, resumable = run.args, run.checkpoint is not None
    wanted = (
        (journal.Epochs, resumable), (certificate.Certificate, resumable), (steps.Steps, args.eval_every),
        (board.Board, args.tensorboard), (tracking.Wandb, args.wandb), (tracking.Mlflow, args.mlflow),
        (keeping.Validation, args.final_valid), (keeping.Report, resumable), (keeping.Models, args.save),
        (keeping.State, resumable), (keeping.Record, True))
    return [kind(run) for kind, asked in wanted if asked and run.place is not None]  # which a trial has not
