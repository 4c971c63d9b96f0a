"""The no-forgetting certificate: how far what a network says of old tasks, what it guards, and the buffers
that it uses for them have moved since they were learnt."""
import torch

from learning import evaluation, normalising
from runs.listeners import Listener

COUNT = 64  # images of each task


def first(split):
    """The first images [COUNT,C,H,W] of a split, without making all of them."""
    return split.first(COUNT) if hasattr(split, 'first') else split['x'][:COUNT]


class Certificate(Listener):
    """Of a run's approach on its data, {task: {'test': split}}; state is what a checkpoint keeps of it."""

    name = 'certificate'

    def __init__(self, run):
        super().__init__(run)
        self.appr, self.data = run.appr, run.data
        self.state = {'logits': {}, 'moved': [], 'guarded': {}, 'weights': 0.}
        self.state.update(buffers={}, buffer=[0., ''])  # {task: {name: value}}; [largest change, name]

    def task(self, t):
        """Compares with what was noted so far, and takes up task t, which has been learnt."""
        state, there = self.state, self.appr.params()
        for u in range(t):
            before, (logits, buffers) = state['logits'][u], self.probe(u)
            logits = logits[:, :before.shape[1]]  # since then other classes may compete, too
            state['moved'][u] = max(state['moved'][u], largest(logits - before))
            changes = [[largest(buffers[n] - b), n] for n, b in state['buffers'][u].items() if n in buffers]
            state['buffer'] = max([state['buffer'], *changes], key=lambda change: change[0])
        for n, before in state['guarded'].items():
            state['weights'] = max(state['weights'], largest(there[n].detach().cpu() - before))
        state['logits'][t], state['buffers'][t] = self.probe(t)
        state['moved'].append(0.)
        guarded = self.appr.guarded().items()
        state['guarded'] = {n: there[n].detach().masked_fill(~mask, torch.nan).cpu() for n, mask in guarded}

    def probe(self, t):
        """(what the network says of task t's first images [COUNT,K], {name: value} of the buffers that it
        uses for it)."""
        net = self.appr.model
        with normalising.used(net) as used:
            logits = evaluation.logits(self.appr, t, first(self.data[t]['test']).to(self.appr.device)).cpu()
        names = [n for n, b in net.named_buffers() if b.is_floating_point()]
        if not net._compiled_call_impl:  # a compiled one would not say what it uses
            names = [n for n in names if n in used]
        there = {**dict(net.named_buffers()), **self.appr.weights_of(t)}
        return logits, {n: there[n].detach().cpu().clone() for n in names}

    def account(self, n):
        """The largest change of each task's logits, of the weights that are guarded fully, if any are, and of
        a buffer, if there are any, with its name."""
        state, found = self.state, {'logits': self.state['moved']}
        if state['guarded']:
            found['weights'] = state['weights']
        if any(state['buffers'].values()):
            found['buffer'], found['buffer_name'] = state['buffer']
        return {'largest_change': found}


def largest(difference):
    """The largest size of an entry; those that are not numbers do not count."""
    return difference.abs().nan_to_num(0.).max().item() if difference.numel() else 0.


def line(found):
    """One line of what account() says; None before a second task is learnt."""
    moved = found['logits'][:-1]
    if not moved:
        return None
    worst = max(range(len(moved)), key=moved.__getitem__)
    more = '; of a weight that is fully guarded: %.1g' % found['weights'] if 'weights' in found else ''
    if 'buffer' in found:
        more += '; of a buffer: %.1g' % found['buffer']
        more += ' (%s)' % found['buffer_name'] if found['buffer'] else ''
    return 'Largest change of an old task\'s logits: %.1g (task %d)%s' % (moved[worst], worst, more)
