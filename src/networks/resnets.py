"""Residual networks, declared as layers (He et al., Deep Residual Learning for Image Recognition, CVPR 2016)."""
from networks.layers import Layer, Plain
from networks.parts import NORMS
from utils import UserError

LEAST = 16  # pixels to a side


def layers(blocks, widths, norm, init=''):
    """Return the layers: a 3x3 convolution of the images; for each width so many blocks of two 3x3 convolutions,
    the first block of every width but the first at half the size; average pooling."""
    def conv(name, width, **more):
        return Layer(name, width, kernel=3, padding=1, bias=norm == 'none', norm=kind, pool='none', init=init, **more)
    kind = NORMS[norm]
    out = [conv('conv1', widths[0])]
    for i, width in enumerate(widths):
        for j in range(blocks):
            name, stride = 'stage%dblock%d' % (i + 1, j + 1), 2 if i and not j else 1
            out += [conv(name + 'a', width, stride=stride), conv(name + 'b', width, skip=2)]
    return [*out[:-1], out[-1].replaced(pool='average')]


class ResNet(Plain):
    """norm: batch, group (32 groups, or as many as divide the maps), none (then with biases), or task: batch
    normalisation of which every task has its own. Gated networks always have the task's own."""

    choices = {'norm': tuple(NORMS)}  # of the settings that are texts

    def __init__(self, found, inputsize, taskcla, norm):
        if min(inputsize[1:]) < LEAST or inputsize[1] != inputsize[2]:
            raise UserError('resnets take square images of %d x %d pixels or more, not %d x %d: pad them (--pad), or '
                            'use an mlp' % (LEAST, LEAST, *inputsize[1:]))
        super().__init__(found, inputsize, taskcla, own_norms=norm == 'task')
