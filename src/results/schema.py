"""What a record has to look like."""
import math
import sys

from results import forms, ledger

TEXT = forms.of('a text', lambda v: isinstance(v, str))
DICTIONARY = forms.of('a dictionary', lambda v: isinstance(v, dict))
SECONDS = forms.number(0, 1e12)


def configuration(value, where):
    """Raise ValueError unless a value is a configuration: its names are texts, its numbers finite."""
    forms.having({'experiment': TEXT, 'approach': TEXT},
                 seed=forms.number(-math.inf, math.inf, (int,)))(value, where)
    for name, v in value.items():
        if isinstance(v, (int, float)) and not abs(v) <= sys.float_info.max:
            raise ValueError('%s.%s: expected a finite number' % (where, name))


def form(record):
    """Return the form of a record, which depends on how many tasks its matrix is of."""
    n = len(record['accuracy']) if isinstance(record.get('accuracy'), list) else 0
    share, drop = forms.number(0, 1), forms.number(-1, 1)
    loss = forms.of('a number', lambda v: type(v) in (int, float))  # some may be nan
    each, drops, losses = (forms.listed(one, n, n) for one in (share, drop, loss))  # one for each task
    square = forms.listed(each, n, n)
    change = forms.having({'logits': forms.listed(forms.number(0), n, n)}, weights=forms.number(0),
                          buffer=forms.number(0), buffer_name=TEXT)
    needed = {'accuracy': forms.listed(each, 1), 'status': TEXT, 'config': configuration,
              'command': forms.listed(TEXT), 'seconds': SECONDS,
              'tasks': forms.listed(TEXT, n, n if record.get('status') == 'finished' else math.inf)}
    return forms.having(
        needed, loss=forms.listed(losses, n, n), valid_accuracy=each, valid_matrix=square,
        task_inferred=square, before_learning=each, untrained=each,
        ledger=forms.of('what each task takes of every layer', lambda v: ledger.sound(v, n)),
        largest_change=change, origin=DICTIONARY, shared_statistics=forms.listed(TEXT),
        tags=forms.listed(TEXT), test_samples=forms.listed(forms.whole(1), n),
        minimum_accuracy=share, worst_case_accuracy=share, stability_gap=drop,
        stability_gaps=forms.listed(drops, n, n),
        calibration=forms.having({'temperature': losses, 'shift': losses}),
        diverged=forms.listed(forms.whole(0, n - 1)), seconds_per_task=forms.listed(SECONDS),
        matrix_sha256=TEXT)
