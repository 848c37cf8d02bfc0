"""What is measured of a pair of characters, before the measures are weighed into one likeness."""

import functools
import math

import numpy

import components
import glyphs
import sources

ROWS = 256
NAMES = ["sans", "serif", "edges sans", "edges serif", "part", "layout", "weakest", "shared", "telling", "leaves", "holds",
         "strokes"]


@functools.cache
def everyone():
    """The characters marks are written in, then the rare ones a keyboard offers, then traditional forms of the first."""
    everyday = sources.everyday()
    known = set(everyday)
    rare = [c for c in sources.wide() if c not in known and on_keyboards(c)]
    forms = [c for c, folded in sorted(sources.folds().items()) if c != folded and folded in known and on_keyboards(c)]
    return everyday, rare, forms


def on_keyboards(character):
    try:
        character.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


class Measures:
    """Every measure of the everyday characters against all others, a block of rows at a time."""

    def __init__(self):
        everyday, rare, forms = everyone()
        self.characters = [*everyday, *rare, *forms]
        self.everyday = len(everyday)
        sans = glyphs.draw("NotoSansCJK-Regular.ttc", self.characters)
        serif = glyphs.draw("NotoSerifCJK-Regular.ttc", self.characters)
        self.pixels = [[glyphs.Alike(glyphs.shifted(soft, down, right)) for down, right in shifts]
                       for soft, shifts in ((glyphs.blurred(sans), SHIFTS), (glyphs.blurred(serif), SHIFTS))]
        self.edges = [glyphs.Alike(glyphs.edges(images)) for images in (sans, serif)]
        regions, self.shares = glyphs.parts(sans)
        self.regions = [glyphs.Alike(region) for region in regions]
        self.strokes = numpy.array([components.strokes(c) for c in self.characters], numpy.float32)
        self._components()

    def _components(self):
        count = len(self.characters)
        members = {}
        for at, character in enumerate(self.characters):
            for part in components.inside(character):
                members.setdefault(part, []).append(at)
        members = {part: numpy.array(found) for part, found in members.items() if len(found) > 1 and found[0] < self.everyday}
        tell = {part: 1 - math.log2(len(found)) / math.log2(count) for part, found in members.items()}
        self.shared = self._largest(members, lambda part: components.strokes(part))
        self.telling = self._largest(members, lambda part: components.strokes(part) * round(tell[part] * 64) / 64)
        kinds = {leaf: at for at, leaf in enumerate(sorted({leaf for c in self.characters for leaf in components.leaves(c)}))}
        # One column for the first occurrence of a leaf, one for a second.
        self.leaf = numpy.zeros((count, 2 * len(kinds)), numpy.float32)
        weights = numpy.zeros(2 * len(kinds), numpy.float32)
        for at, character in enumerate(self.characters):
            for leaf, times in components.leaves(character).items():
                for second in range(min(times, 2)):
                    self.leaf[at, 2 * kinds[leaf] + second] = 1
                    weights[2 * kinds[leaf] + second] = components.strokes(leaf)
        self.weights = weights
        index = {c: at for at, c in enumerate(self.characters)}
        self.holds = numpy.zeros((self.everyday, count), bool)
        for at, character in enumerate(self.characters):
            for part in components.inside(character) - {character}:
                other = index.get(part)
                if other is not None:
                    if other < self.everyday:
                        self.holds[other, at] = True
                    if at < self.everyday:
                        self.holds[at, other] = True

    def _largest(self, members, weight):
        found = numpy.zeros((self.everyday, len(self.characters)), numpy.float16)
        for part in sorted(members, key=lambda part: (weight(part), part)):
            at = members[part]
            found[numpy.ix_(at[at < self.everyday], at)] = weight(part)
        return found

    def block(self, rows):
        """The measures of everyday characters `rows` against all: one matrix for each name."""
        pixel = [numpy.maximum.reduce([moved.with_all(rows, shifts[0]) for moved in shifts]) for shifts in self.pixels]
        edge = [kind.with_all(rows, kind) for kind in self.edges]
        part, layout, weakest = self._parts(rows)
        most = numpy.maximum(self.strokes[rows, None], self.strokes)
        least = numpy.minimum(self.strokes[rows, None], self.strokes)
        leaves = (self.leaf[rows] * self.weights) @ self.leaf.T
        return [*pixel, *edge, part, layout, weakest, self.shared[rows].astype(numpy.float32) / most,
                self.telling[rows].astype(numpy.float32) / most, numpy.minimum(leaves / most, 1),
                numpy.where(self.holds[rows], least / most, 0), least / most]

    def _parts(self, rows):
        """The likest two regions by their share of the ink; both sides of one cut together; the less alike of the two sides."""
        part, layout, weakest = numpy.zeros((3, len(rows), len(self.characters)), numpy.float32)
        for here, one in enumerate(self.regions):
            for there, other in enumerate(self.regions):
                if not comparable(here, there):
                    continue
                alike = one.with_all(rows, other)
                share = numpy.minimum(self.shares[here][rows, None], self.shares[there]).astype(numpy.float32) / 1000
                if here == there and here:
                    kept = numpy.maximum(alike, 0)
                    if here % 2:
                        first, first_share = kept, share
                    else:
                        numpy.maximum(layout, first * first_share + kept * share, out=layout)
                        numpy.maximum(weakest, numpy.minimum(first, kept), out=weakest)
                # What is less alike than two random shapes often are says nothing.
                alike -= 0.4
                alike /= 0.6
                alike *= share
                numpy.maximum(part, alike, out=part)
        return part, layout, weakest


def comparable(here, there):
    """Regions that were stretched alike: a whole with all, sides with sides, halves above and below with each other."""
    return not here or not there or (here <= 4) == (there <= 4)


SHIFTS = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
