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
    share = forms.number(0, 1)
    drop = forms.number(-1, 1)
    each = forms.listed(share, n, n)
    square = forms.listed(each, n, n)
    loss = forms.of('a number', lambda v: type(v) in (int, float))  # some may be nan
    losses = forms.listed(forms.listed(loss, n, n), n, n)
    names = forms.listed(TEXT, n, n if record.get('status') == 'finished' else math.inf)
    change = forms.having({'logits': forms.listed(forms.number(0), n, n)}, weights=forms.number(0),
                          buffer=forms.number(0), buffer_name=TEXT)
    taken = forms.of('what each task takes of every layer', lambda v: ledger.sound(v, n))
    needed = {'accuracy': forms.listed(each, 1), 'status': TEXT, 'config': configuration,
              'command': forms.listed(TEXT), 'seconds': SECONDS, 'tasks': names}
    return forms.having(
        needed,
        loss=losses, valid_accuracy=each, valid_matrix=square, before_learning=each, untrained=each,
        ledger=taken, largest_change=change, shared_statistics=forms.listed(TEXT), origin=DICTIONARY,
        tags=forms.listed(TEXT), task_inferred=square,
        test_samples=forms.listed(forms.whole(1), n), minimum_accuracy=share, worst_case_accuracy=share,
        stability_gap=drop, stability_gaps=forms.listed(forms.listed(drop, n, n), n, n),
        calibration=forms.having({'temperature': forms.listed(loss, n, n), 'shift': forms.listed(loss, n, n)}),
        diverged=forms.listed(forms.whole(0, n - 1)), seconds_per_task=forms.listed(SECONDS),
        matrix_sha256=TEXT)
