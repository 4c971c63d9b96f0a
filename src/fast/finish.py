"""What follows a layer's linear map: ReLU, dropout, pooling and HAT's gate, in few passes over large maps."""
import torch
from torch.nn import functional as F

from fast.dropout import draw, is_plain


class Units(torch.autograd.Function):
    """relu(z) * keep, and if there is a gate that * scale * gate, overwriting z; keep and gate may be None."""

    @staticmethod
    def forward(ctx, z, keep, scale, gate):
        a = z.relu_()
        if keep is not None:
            a.mul_(keep)
        ctx.scale, ctx.gated = scale, gate is not None
        if ctx.gated:
            ctx.save_for_backward(a, gate)
            return a * column(gate * scale, a).to(a.dtype)
        ctx.save_for_backward(a)
        ctx.mark_dirty(z)
        return a

    @staticmethod
    def backward(ctx, d):
        a, *gate = ctx.saved_tensors
        dz = torch.ops.aten.threshold_backward(d, a, 0)  # a > 0 only where both relu and dropout let z pass
        if not ctx.gated:
            return dz.mul_(ctx.scale) if ctx.scale != 1 else dz, None, None, None
        over = [k for k in range(a.dim()) if k != 1]
        total = (d * a).sum(over, dtype=gate[0].dtype)[None].mul_(ctx.scale)
        return dz.mul_(column(gate[0] * ctx.scale, a)), None, None, total


class Maps(torch.autograd.Function):
    """max_pool2d(relu(z) * keep, 2), overwriting z; keep, which may be None, is 0 or scale.

    The largest of a window is the same before ReLU as after it, so that ReLU comes last, on a quarter of the
    values: where it lets nothing pass, no gradient arrives, whichever of equal zeros the largest is said to
    be.
    """

    @staticmethod
    def forward(ctx, z, keep, scale):
        if keep is not None:
            z.mul_(keep)
        a, places = largest(z)
        a.relu_()
        ctx.scale = scale
        ctx.save_for_backward(z, a, places)
        return a

    @staticmethod
    def backward(ctx, d):
        z, a, places = ctx.saved_tensors
        d = torch.ops.aten.threshold_backward(d, a, 0)
        if ctx.scale != 1:
            d.mul_(ctx.scale)
        return torch.ops.aten.max_pool2d_with_indices_backward(d, z, [2], [2], [0], [1], False, places), None, None


def largest(z):
    """What torch's max_pool2d_with_indices returns of the 2x2 windows of maps z [B,C,H,W]: the largest
    values and where in their maps the first of each window is."""
    if not z.is_contiguous() or z.shape[3] < 8:  # torch's own is quick on channels-last maps, and on few values
        return torch.ops.aten.max_pool2d_with_indices(z, [2])
    side, high, wide = z.shape[3], z.shape[2] // 2, z.shape[3] // 2
    a, b, c, d = (z[..., i:2 * high:2, j:2 * wide:2] for i in (0, 1) for j in (0, 1))
    above, below = torch.maximum(a, b), torch.maximum(c, d)
    lower, right = below > above, b > a
    right ^= lower & (right ^ (d > c))
    corners = 2 * side * torch.arange(high)[:, None] + 2 * torch.arange(wide)
    return torch.maximum(above, below), torch.add(corners, lower, alpha=side).add_(right)


def column(gate, z):
    """A gate [1, units] as a factor of z [B, units(, H, W)]."""
    return gate.view(1, -1, *[1] * (z.dim() - 2))


def finish(z, p, training, among=None, gate=None, pool='none'):
    """ReLU, dropout with probability p if training (among: as in dropout.draw), pooling as in layers.Layer,
    and the gate [1, units] if there is one, of a linear map z [B, units(, H, W)], which is overwritten."""
    most = pool == 'max'
    if is_plain(z):
        h = F.dropout(F.relu(z), p, training)
        h = F.max_pool2d(h, 2) if most else h
    else:
        scale = 1 / (1 - p) if training else 1.
        keep = draw(z, p, among, scale if most or gate is None else 1.) if training and p else None
        if pool == 'none':
            return Units.apply(z, keep, scale, gate)
        h = Maps.apply(z, keep, scale) if most else Units.apply(z, keep, scale, None)
    h = h.mean((2, 3)) if pool == 'average' else h
    return h if gate is None else h * column(gate, h)
