"""Image files as the bytes of a raw data set: read right, or refused."""
import warnings

import numpy as np

from dataloaders.read import demand
from utils import UserError

FORMATS = 'PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM'  # others may start programs, as EPS does
SUFFIXES = '.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.pgm', '.ppm'
MOST = 50  # megapixels
ORIENTATION = 0x0112
PHOTOMETRIC = 262  # of a TIFF; 0: white is zero, which Pillow heeds for 8 bits alone


def read(path, shape, cut=False):
    """Return a file's pixels, uint8 of a shape [H,W] or [H,W,3], and what was converted, a list of texts.

    cut: whether what is too long is cut instead of compressed. Raise ValueError for no image and for one that
    would not be read right.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of sizes and of broken parts, which are refused
        image, mode, said = opened(path)
    wanted, (wide, high) = 'RGB' if len(shape) == 3 else 'L', image.size
    said += ['%s to %s' % (mode, wanted)] * (mode != wanted)
    said += ['%dx%d to %dx%d' % (wide, high, shape[1], shape[0])] * ((high, wide) != tuple(shape[:2]))
    return fitted(image, shape, cut), said


def fitted(image, shape, cut):
    """Return the pixels, uint8 of a shape [H,W] or [H,W,3], of an image in mode L or RGB. cut: whether its
    middle is taken, of the shape's proportions, so that of a square the shorter side stays whole."""
    from PIL import Image
    image, (high, wide), box = image.convert('RGB' if len(shape) == 3 else 'L'), shape[:2], None
    if image.size == (wide, high):
        return np.asarray(image)
    if cut:
        scale = min(image.width / wide, image.height / high)
        left, top = max(0, image.width - scale * wide) / 2, max(0, image.height - scale * high) / 2
        box = left, top, image.width - left, image.height - top
    return np.asarray(image.resize((wide, high), Image.Resampling.BILINEAR, box))


def opened(path):
    """Return (an image file in mode L or RGB, the mode it was in, what was converted, a list of texts).

    Of several frames it is the first, turned as its EXIF says, on black where it is transparent. Raise
    ValueError as read() does.
    """
    from PIL import Image, ImageOps
    try:
        with Image.open(path, formats=FORMATS) as image:
            demand(image.size[0] * image.size[1] <= MOST * 10 ** 6, 'more than %d megapixels', MOST)
            said = ['the first of several frames'] if getattr(image, 'is_animated', False) else []
            said += ['turned'] if image.getexif().get(ORIENTATION, 1) in range(2, 9) else []
            deep = any(mark in str(tile[-1]) for tile in image.tile for mark in (';16', '65535'))
            reverse = getattr(image, 'tag_v2', {}).get(PHOTOMETRIC) == 0
            image.load()
            image = ImageOps.exif_transpose(image)
            eight, more = in_eight_bits(image, deep, reverse)
            return eight, image.mode, said + more
    except UserError as e:
        raise ValueError('%s: %s' % (path, e))
    except Image.DecompressionBombError:
        raise ValueError('%s: more than %d megapixels' % (path, MOST))
    except Exception as e:  # a malformed file can raise anything
        raise ValueError('%s is no image (%s)' % (path, type(e).__name__))


def in_eight_bits(image, deep, reverse):
    """Return the image in mode L or RGB and what was converted; deep: of 16 bits; reverse: 0 is white."""
    from PIL import Image
    transparent = image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info
    if image.mode[0] in 'IF' or deep:
        demand(not reverse, 'more than 8 bits, and 0 is white: save it in 8')
        demand('A' in image.mode or not transparent,
               'more than 8 bits, and one of its colours is transparent: save it in 8')
    if image.mode[0] in 'IF':
        return from_numbers(np.asarray(image))
    said = ['16 bits to 8'] * deep
    if transparent:
        return on_black(image), [*said, 'put on black']
    return image if image.mode in ('L', 'RGB') else image.convert('L' if image.mode == '1' else 'RGB'), said


def from_numbers(x):
    """Return an image in mode L of numbers of 16 bits, of which 257 or 256 times a byte becomes that byte, or
    of floats in 0..1, and what was converted."""
    from PIL import Image
    least, most = x.min(), x.max()
    if x.dtype.kind == 'f':
        demand(0 <= least and most <= 1, 'pixels from %g to %g, expected 0..1 or bytes', least, most)
        return Image.fromarray((x * 255).round().astype(np.uint8)), ['0..1 to 8 bits']
    demand(least >= 0 and most < 2 ** 16, 'pixels from %d to %d, expected 8 or 16 bits', least, most)
    eight = 0 < most < 256
    demand(not eight, '16 bits of which only 8 are used, so that white may be 255 or 65535: save it in 8')
    return Image.fromarray((x.astype(np.int64) >> 8).astype(np.uint8)), ['16 bits to 8']


def on_black(image):
    """Return a transparent image in front of black, in mode RGB."""
    from PIL import Image
    image = image.convert('RGBA')
    out = Image.alpha_composite(Image.new('RGBA', image.size, (0, 0, 0, 255)), image).convert('RGB')
    least, most = image.getchannel('A').getextrema()
    shows = any(high for _, high in out.getextrema())
    demand(shows or least == most, 'all that it shows is in its transparency: save it without')
    return out
