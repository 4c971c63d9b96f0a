"""Images of 0-9 and A-Z, rendered from the fonts that matplotlib ships: data that need no file or network."""
import functools
from pathlib import Path

import numpy as np

CHARACTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'
# Text fonts only. The test fonts are whole styles that training never shows.
TRAIN_FONTS = ('DejaVuSans', 'DejaVuSans-Bold', 'DejaVuSans-Oblique', 'DejaVuSansMono',
               'DejaVuSansMono-Oblique', 'DejaVuSerif', 'DejaVuSerif-Bold', 'STIXGeneral',
               'STIXGeneralItalic', 'cmr10', 'cmtt10')
TEST_FONTS = ('DejaVuSansMono-Bold', 'DejaVuSerif-Italic', 'STIXGeneralBol', 'cmss10', 'cmb10')
TRAIN, TEST = 300, 60  # images per character
COUNTS = (TRAIN * len(CHARACTERS), TEST * len(CHARACTERS))
SIDE, FINE = 28, 56    # pixels of an image, and of the rendering that it is sampled from
STROKES = (0, 1, 2)    # extra thickness, in pixels of the rendering


@functools.lru_cache(maxsize=1)
def make():
    """Return (x_train, y_train, x_test, y_test): uint8 [N,28,28], white on black, and int64 [N]."""
    return split(TRAIN_FONTS, TRAIN, 36) + split(TEST_FONTS, TEST, 63)


def split(fonts, count, seed):
    """Return count images of each character, each of a random font, thickness, rotation, shift and scale."""
    rs, masters = np.random.RandomState(seed), render(fonts)  # [character, font and stroke, FINE, FINE]
    labels = np.repeat(np.arange(len(CHARACTERS)), count)
    rs.shuffle(labels)
    chosen = masters[labels, rs.randint(masters.shape[1], size=len(labels))]
    return warp(chosen, rs), labels


def render(fonts):
    """Return every character in every font and thickness: uint8 [36, fonts * strokes, FINE, FINE]."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont
    folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    out = np.zeros((len(CHARACTERS), len(fonts) * len(STROKES), FINE, FINE), np.uint8)
    for f, name in enumerate(fonts):
        font = ImageFont.truetype(str(folder / (name + '.ttf')), 42)
        for c, character in enumerate(CHARACTERS):
            for k, stroke in enumerate(STROKES):
                image, middle = Image.new('L', (FINE, FINE)), (FINE / 2, FINE / 2)
                ImageDraw.Draw(image).text(middle, character, 255, font, 'mm', stroke_width=stroke)
                out[c, f * len(STROKES) + k] = np.asarray(image)
    return out


def warp(images, rs):
    """Return uint8 [N,28,28] of [N,FINE,FINE]: rotated by up to 12 degrees, scaled, shifted by 2.5 pixels."""
    import torch
    from torch.nn import functional as F
    n = len(images)
    angle, scale = np.deg2rad(rs.uniform(-12, 12, n)), rs.uniform(0.8, 1.1, n)
    shift = rs.uniform(-2.5, 2.5, (n, 2)) / (SIDE / 2)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    theta = np.stack([np.stack([cos, -sin, shift[:, 0]], 1), np.stack([sin, cos, shift[:, 1]], 1)], 1)
    out = []
    for i in range(0, n, 2048):  # blocks, so that memory stays small
        x = torch.from_numpy(images[i:i + 2048, None]).float()
        grid = F.affine_grid(torch.from_numpy(theta[i:i + 2048]).float(), list(x.shape), align_corners=False)
        x = F.avg_pool2d(F.grid_sample(x, grid, align_corners=False), FINE // SIDE)
        out.append(x[:, 0].round().to(torch.uint8).numpy())
    return np.concatenate(out)
