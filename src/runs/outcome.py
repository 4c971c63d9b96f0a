"""What comes out of a run: the matrices."""
import numpy as np

from results import measures

PARTS = 'acc', 'lss', 'inferred', 'ahead', 'valid', 'seconds'


class Outcome:
    """acc, lss: accuracy and loss, float32 [T,T], row t after task t, column u on task u; inferred: the share
    of samples whose task was found; ahead: [2,T], accuracy of the untrained network and just before learning;
    valid: accuracy as acc on validation sets, nan where it was not asked for; seconds: of each task."""

    def __init__(self, ntasks):
        self.acc, self.lss, self.inferred = np.zeros((3, ntasks, ntasks), dtype=np.float32)
        self.ahead = np.zeros((2, ntasks), dtype=np.float32)
        self.valid, self.seconds = np.full((ntasks, ntasks), np.nan), []

    @property
    def state(self):
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in PARTS}

    def resume(self, progress):
        """Takes up a checkpoint's progress, which has all parts."""
        vars(self).update({name: progress[name] for name in PARTS})

    def shown(self, n):
        """The accuracies [T,T] after n tasks, 0 where there are none yet."""
        out = self.acc.copy()
        out[n:] = 0
        return out

    def entries(self, n, counts, forward=False):
        """{name: value} for the record after n tasks, with the counts [n] of their test images; forward:
        with what forward transfer needs."""
        acc, lss, ahead = self.acc[:n, :n], self.lss[:n, :n], {}
        if forward:
            ahead = dict(zip(('untrained', 'before_learning'), self.ahead[:, :n].round(6).tolist()))
        summary = measures.summary(acc, ahead.get('before_learning'), ahead.get('untrained'), counts)
        return {**ahead, **summary, 'test_samples': counts, 'seconds_per_task': self.seconds,
                'accuracy': acc.round(6).tolist(), 'loss': lss.round(6).tolist(),
                'diverged': measures.diverged(lss)}
