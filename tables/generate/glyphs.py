"""Measurements of glyphs that say how alike two characters look, in whole numbers.

Every image is rounded to 32 levels before two are compared: sums of their products stay exact in
single precision whatever the order they are added in, so that every machine gets the same bytes.
"""

import numpy
from PIL import Image, ImageDraw, ImageFont

import sources

SIZE = 64
SIMPLIFIED = 2  # the fonts' collection: JP, KR, SC, TC, HK
LEVELS = 31
# How large parts of glyphs are made before they are compared.
PART = 20
DIRECTIONS = numpy.array([(1000, 0), (924, 383), (707, 707), (383, 924), (0, 1000), (-383, 924), (-707, 707), (-924, 383)])


def draw(name, characters):
    """Gray images of `characters` in one of the fonts, 0 to 255; blank where the font has no glyph."""
    font = ImageFont.truetype(sources.font(name), SIZE, index=SIMPLIFIED, layout_engine=ImageFont.Layout.BASIC)
    missing = ink(font, "\U0010FFFF")
    images = numpy.zeros((len(characters), SIZE, SIZE), numpy.uint8)
    for at, character in enumerate(characters):
        image = ink(font, character)
        if not numpy.array_equal(image, missing):
            images[at] = image
    return images


def ink(font, character):
    image = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(image).text((0, 56), character, 255, font=font, anchor="ls")
    return numpy.asarray(image)


def blurred(images):
    """Half the size, blurred, 32 levels."""
    small = images.reshape(len(images), SIZE // 2, 2, SIZE // 2, 2).astype(numpy.int32).sum((2, 4))
    for axis in (1, 2):
        small = smooth(small, axis)
    return levels(small)


def smooth(images, axis):
    """A 1-2-1 filter along one axis."""
    padding = [(0, 0)] * images.ndim
    padding[axis] = (1, 1)
    padded = numpy.pad(images, padding)
    size = images.shape[axis]
    first, middle, last = (numpy.take(padded, range(start, start + size), axis) for start in (0, 1, 2))
    return first + 2 * middle + last


def levels(values):
    """Each image scaled so that its largest value is 31."""
    flat = values.reshape(len(values), -1).astype(numpy.int64)
    most = numpy.maximum(flat.max(1, keepdims=True), 1)
    return ((flat * LEVELS + most // 2) // most).astype(numpy.float32)


def edges(images):
    """Strengths of edges in eight directions over 8 × 8 cells: histograms of oriented gradients (Dalal and Triggs, 2005)."""
    # Few at a time, so that they stay near the processor.
    return numpy.concatenate([levels(strengths(images[at:at + 64])) for at in range(0, len(images), 64)])


def strengths(images):
    padded = numpy.pad(images.astype(numpy.int32), ((0, 0), (1, 1), (1, 1)))
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = numpy.zeros_like(across)
    direction = numpy.zeros_like(across)
    for at, (x, y) in enumerate(DIRECTIONS):
        along = abs(across * x + down * y)
        more = along > strength
        direction[more] = at
        strength[more] = along[more]
    cells = numpy.stack([numpy.where(direction == at, strength, 0).reshape(len(images), 8, 8, 8, 8).sum((2, 4))
                         for at in range(len(DIRECTIONS))], 1)
    for axis in (2, 3):
        cells = smooth(cells, axis)
    return cells


def shifted(images, down, right):
    side = int(images.shape[1] ** 0.5)
    grid = images.reshape(-1, side, side)
    moved = numpy.zeros_like(grid)
    moved[:, max(down, 0):side + min(down, 0), max(right, 0):side + min(right, 0)] = \
        grid[:, max(-down, 0):side + min(-down, 0), max(-right, 0):side + min(-right, 0)]
    return moved.reshape(len(images), -1)


def parts(images):
    """Regions of each glyph: the whole, what is left and right of two cuts, above and below two cuts.

    A cut is the lightest line between a quarter and a half, or a half and three quarters of the ink's box. Gives the
    regions, each stretched to one size, and the share of the ink in each (in thousandths).
    """
    stretched = numpy.zeros((9, len(images), PART, PART), numpy.uint8)
    shares = numpy.zeros((9, len(images)), numpy.int64)
    for at, image in enumerate(images):
        if not image.any():
            continue
        whole = box(image)
        cut = [whole]
        for turned in (False, True):
            view = whole.T if turned else whole
            for low, high in ((0.22, 0.5), (0.5, 0.78)):
                here = lightest(view, low, high)
                cut += [piece.T if turned else piece for piece in (view[:, :here], view[:, here:])]
        total = int(whole.sum())
        for region, piece in enumerate(cut):
            shares[region, at] = int(piece.sum()) * 1000 // total
            if piece.any():
                fitting = Image.fromarray(numpy.ascontiguousarray(box(piece))).resize((PART, PART), Image.Resampling.BOX)
                stretched[region, at] = numpy.asarray(fitting)
    return [levels(smooth(smooth(region.astype(numpy.int32), 1), 2)) for region in stretched], shares


def box(image):
    rows, columns = numpy.flatnonzero(image.any(1)), numpy.flatnonzero(image.any(0))
    return image[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def lightest(view, low, high):
    width = view.shape[1]
    first, last = max(int(width * low), 1), max(int(width * high), 2)
    column = view.astype(numpy.int64).sum(0)
    weight = numpy.convolve(column, [1, 2, 1], "same")[first:last]
    return first + int(weight.argmin()) if len(weight) else max(width // 2, 1)


class Alike:
    """Correlation of one set of rounded images with another, the same on every machine."""

    def __init__(self, images):
        self.images = numpy.ascontiguousarray(images)
        exact = images.astype(numpy.float64)
        size = images.shape[1]
        self.mean = (exact.sum(1) / numpy.sqrt(size)).astype(numpy.float32)
        spread = (exact ** 2).sum(1) - exact.sum(1) ** 2 / size
        self.scale = (1 / numpy.sqrt(numpy.maximum(spread, 1))).astype(numpy.float32)

    def with_all(self, rows, others):
        """From -1 to 1: `rows` of this set against every image of `others`."""
        product = self.images[rows] @ others.images.T
        product -= self.mean[rows, None] * others.mean
        product *= self.scale[rows, None]
        product *= others.scale
        return product
