"""Signals that ask a run to save its state and end."""
import contextlib
import signal
import threading

STOPPED = 75  # exit status of a run that was stopped and can be resumed


class Stop(BaseException):
    """A signal, by number, asks the run to save its state and end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def handled(numbers, handler):
    """Within it, signals call a handler, where this is the main thread."""
    here = threading.current_thread() is threading.main_thread()
    before = {n: signal.signal(n, handler) for n in numbers if here}
    try:
        yield
    finally:
        for n, old in before.items():
            signal.signal(n, old)


def stopping():
    """Makes the first of SIGTERM, SIGUSR1 and SIGUSR2 (warnings of Slurm and submitit, which may send
    several) raise Stop within the block; further ones do not disturb what is saved then."""
    numbers = [getattr(signal, n) for n in ('SIGTERM', 'SIGUSR1', 'SIGUSR2') if hasattr(signal, n)]

    def stop(number, frame):
        for n in numbers:
            signal.signal(n, signal.SIG_IGN)
        raise Stop(number)
    return handled(numbers, stop)
