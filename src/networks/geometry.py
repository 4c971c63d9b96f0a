"""What follows from declared layers (layers.Layer) and the size of images: how many inputs, positions, products."""
import torch

from utils import UserError


def geometry(layers, inputsize):
    """Return three lists of int, for images [C,H,W]: how many inputs of each layer come from one unit below,
    more than 1 where maps are flattened; at how many positions its weights are applied; the stride of a
    shortcut to it, 0 without one. Raise UserError for images that a convolution cannot take."""
    _, side, width = inputsize
    inputs, outputs, maps = [], [], side * width  # pixels of what comes from below
    sides, strides = [], []
    for i, layer in enumerate(layers):
        k = layer.kernel
        if k and not (side == width and k < side + 2 * layer.padding + bool(layer.padding)):
            least = 1  # side of images of which convolutions and their pooling leave anything
            for other in reversed([layer.kernel for layer in layers if layer.kernel]):
                least = 2 * least + other - 1
            raise UserError(
                '%s, a convolution of %d x %d, cannot be applied to images of %d x %d: this network takes '
                'square ones of %d pixels or more' % (layer.name, k, k, *inputsize[1:], least))
        inputs.append(1 if k else maps)
        side = width = layer.side(side) if k else 1
        outputs.append(side * side)
        strides.append(max(1, round(sides[i - layer.skip] / side)) if layer.skip else 0)
        side = width = {'max': side // 2, 'average': 1, 'none': side}[layer.pool] if k else 1
        sides.append(side)
        maps = side * side
    return inputs, outputs, strides


def uses(layers, inputsize):
    """Return of each layer the multiplications per image [C,H,W], unit below and unit of its own."""
    inputs, outputs, _ = geometry(layers, inputsize)
    return [n * m * max(1, layer.kernel) ** 2 for layer, n, m in zip(layers, inputs, outputs)]


def inputs(units, positions):
    """Return the indices of the inputs that come from some units below (None: all), each of so many."""
    if units is None or positions == 1:
        return units
    return (units[:, None] * positions + torch.arange(positions, device=units.device)).flatten()
