"""How the loss of a new task and what keeps the earlier ones are weighed."""
from approaches.hyper import Hyper

HYPER = Hyper('weighting', str, 'even', help='of the new task\'s loss against the earlier ones\': even, '
              'the same in every task; tasks, 1/t against 1 - 1/t in task t (van de Ven et al., 2022)',
              choices=('even', 'tasks'), positional=False)


def by_tasks(t, new, earlier):
    """1/t * new + (1 - 1/t) * earlier, of losses in task t, here numbered from 0 (Shin et al., 2017, Eq. 2)."""
    r = 1 / (t + 1)
    return r * new + (1 - r) * earlier
