"""The no-forgetting certificate: how far what a network says of old tasks, and what it guards, has moved since they were learnt."""
import torch

COUNT = 64  # images of each task


def first(split):
    """The first images [COUNT,C,H,W] of a split, without making all of them."""
    return split.first(COUNT) if hasattr(split, 'first') else split['x'][:COUNT]


class Certificate:
    """Of an approach on some data, {task: {'test': split}}; state is what a checkpoint keeps of it."""

    def __init__(self, appr, data):
        self.appr, self.data = appr, data
        self.state = {'logits': {}, 'moved': [], 'guarded': {}, 'weights': 0.}

    def note(self, t):
        """Compares with what was noted so far, and takes up task t, which has been learnt."""
        state, there = self.state, dict(self.appr.model.named_parameters())
        for u in range(t):
            before = state['logits'][u]  # since then other classes may compete, too
            state['moved'][u] = max(state['moved'][u], largest(self.logits(u)[:, :before.shape[1]] - before))
        for n, before in state['guarded'].items():
            state['weights'] = max(state['weights'], largest(there[n].detach().cpu() - before))
        state['logits'][t] = self.logits(t)
        state['moved'].append(0.)
        state['guarded'] = {n: there[n].detach().masked_fill(~mask, torch.nan).cpu() for n, mask in self.appr.guarded().items()}

    def logits(self, t):
        """What the network says of task t's probe [COUNT,K]."""
        return self.appr.outputs(t, first(self.data[t]['test']).to(self.appr.device)).cpu()

    def account(self):
        """What the record says: the largest change of each task's logits, and of the weights that are guarded fully, if any are."""
        return {'largest_change': {'logits': self.state['moved'], **({'weights': self.state['weights']} if self.state['guarded'] else {})}}


def largest(difference):
    """The largest size of an entry; those that are not numbers do not count."""
    return difference.abs().nan_to_num(0.).max().item() if difference.numel() else 0.


def fits(state, appr, done):
    """Whether a state can be that of an approach that has learnt so many tasks."""
    there = dict(appr.model.named_parameters())
    return (state.keys() == {'logits', 'moved', 'guarded', 'weights'} and set(state['logits']) == set(range(done))
            and all(isinstance(z, torch.Tensor) and z.dim() == 2 and z.is_floating_point() for z in state['logits'].values())
            and len(state['moved']) == done and all(type(v) is float and v >= 0 for v in [*state['moved'], state['weights']])
            and all(n in there and v.shape == there[n].shape for n, v in state['guarded'].items()))


def line(found):
    """One line of what account() says; None before a second task is learnt."""
    moved = found['logits'][:-1]
    if not moved:
        return None
    worst = max(range(len(moved)), key=moved.__getitem__)
    more = '; of a weight that is fully guarded: %.1g' % found['weights'] if 'weights' in found else ''
    return 'Largest change of an old task\'s logits: %.1g (task %d)%s' % (moved[worst], worst, more)
