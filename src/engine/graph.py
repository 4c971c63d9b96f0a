"""The training step as a CUDA graph: recorded once, then replayed without the work of launching its operations."""
import torch

from engine.step import step

WARM = 3  # steps before the recording, in which libraries choose their kernels and allocate what they need


class Graph:
    """Calls of step() on full batches of one pass over x, y. What differs from step to step, that is the batch's indices,
    the progress within the epoch (from which HAT's s follows) and the learning rate, is read from tensors on the device.

    capture=False runs the same without recording, on any device.
    """

    def __init__(self, appr, t, x, y, capture=True):
        self.appr, self.t, self.x, self.y, self.capture = appr, t, x, y, capture
        self.b = torch.zeros(appr.sbatch, dtype=torch.int64, device=x.device)
        self.progress, self.lr = torch.zeros(2, device=x.device).unbind()
        self.params = appr.optimizer.param_groups[0]['params']
        self.graph, self.loss, self.calls = None, None, 0
        self.stream = torch.cuda.Stream() if capture else None  # one for warming and recording, whose memory they share

    def fits(self):
        """Whether what it trains is still what the approach trains."""
        return self.params is self.appr.optimizer.param_groups[0]['params']

    def __call__(self, b):
        """Trains on the batch of indices b [sbatch] at the approach's progress and learning rate; returns the loss, which
        the next call overwrites."""
        progress = self.appr.progress
        self.b.copy_(b)
        self.progress.fill_(progress)
        self.lr.fill_(self.appr.optimizer.param_groups[0]['lr'])
        self.appr.progress = self.progress
        try:
            self.calls += 1
            if self.capture and self.calls == WARM + 1:
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph, stream=self.stream):
                    self.loss = self.run()
            if self.graph is not None:
                self.graph.replay()
            elif self.capture:
                self.stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(self.stream):
                    self.loss = self.run()
                torch.cuda.current_stream().wait_stream(self.stream)
            else:
                self.loss = self.run()
        finally:
            self.appr.progress = progress
        return self.loss

    def run(self):
        """One step from the tensors."""
        return step(self.appr, self.t, self.x[self.b], self.y[self.b], self.lr)
