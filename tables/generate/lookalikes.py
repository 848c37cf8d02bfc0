"""Characters that are taken for each other, in two classes; each pair once, under the first of the two."""

import functools

import numpy

import alike
import components
import sources
import words
from table import Table

# Pairs looked at closely for each character: the best by a rough sum of the measures.
CANDIDATES = 500
ROUGH = {"sans": 0.25, "serif": 0.25, "edges sans": 0.125, "edges serif": 0.125, "part": 0.5, "layout": 0.3, "weakest": 0.3,
         "shared": 1, "telling": 0.6, "leaves": 0.5, "holds": 0.5}
# How many other characters come nearer before a character is no longer among the nearest.
NEAREST = 8
# So many strokes are no longer few.
FEW = 12
BIAS = "bias"
# Log-odds that two are alike, and that one is taken for the other at a glance. Learnt by weigh.py on graded.txt.
ALIKE = {
    "bias": -4.161, "few": 0.069, "few edges sans": 7.332, "few part": 1.896, "holds": 0.653, "leaves": 1.157,
    "nearest edges serif": 1.663, "nearest part": 3.64, "nearest serif": 0.209, "nearest weakest": 1.311,
    "part²": 0.88, "pixels³": 1.029, "telling": 13.648,
}
GLANCE = {
    "bias": -3.847, "few": 0.643, "few edges sans": 5.732, "leaves": 1.183, "nearest edges serif": 2.307,
    "nearest part": 3.069, "nearest serif": 2.314, "nearest weakest": 1.279, "pixels³": 0.179, "strokes": 1.137,
    "telling": 8.333,
}
# Where a glance is likely enough for the class near.
NEAR = 0.0
# A traditional form that looks like a character stands for the simplified one that the fold makes of it; few sellers go that way.
FORM_PENALTY = 1.5
# Neighbours a character on average: among the characters marks are written in, and among the rare ones beside them.
NEIGHBOURS = 40
RARE_NEIGHBOURS = 16
# Of two pairs as alike, that one is likelier which is among the nearest of either character:
# families of hundreds that share a radical would fill the table.
NEAREST_WEIGHT = 1.0
# No character is without neighbours: the best few are kept whatever they cost.
LEAST = 3
# A pair must be this much likelier for each factor e of false hits it brings, counted from a share of text too small to matter.
COST_WEIGHT = 0.8
NO_COST = 5e-5
# The part of text that speaks as shops do; the dictionary's corpus is newspapers and novels.
TRADE = 0.2


class Candidates:
    """Pairs of an everyday character and another, with their measures and what the weights make of them."""

    def __init__(self):
        measures = alike.Measures()
        self.characters = measures.characters
        self.everyday = measures.everyday
        shape = self.everyday, CANDIDATES
        self.other = numpy.zeros(shape, numpy.int32)
        self.values = {name: numpy.zeros(shape, numpy.float32) for name in alike.NAMES}
        for first in range(0, self.everyday, alike.ROWS):
            rows = numpy.arange(first, min(first + alike.ROWS, self.everyday))
            block = dict(zip(alike.NAMES, measures.block(rows)))
            rough = sum(weight * block[name] for name, weight in ROUGH.items())
            rough[numpy.arange(len(rows)), rows] = -1
            # A stable order, so that ties fall the same way everywhere.
            best = numpy.argsort(-rough, axis=1, kind="stable")[:, :CANDIDATES]
            self.other[rows] = best
            for name, matrix in block.items():
                self.values[name][rows] = numpy.take_along_axis(matrix, best, 1)

    @functools.cached_property
    def features(self):
        """What the weights are for: measures, some of them bent, and how near a pair is for its neighbourhood."""
        values = self.values
        pixels = numpy.maximum((values["sans"] + values["serif"]) / 2, 0)
        found = {name: values[name] for name in ("telling", "leaves", "holds", "strokes")}
        found["pixels³"] = pixels * pixels * pixels
        found["part²"] = values["part"] * values["part"]
        # With few strokes there are no parts to compare, and the whole says more.
        strokes = numpy.array([components.strokes(c) for c in self.characters], numpy.float32)
        few = numpy.maximum(1 - numpy.maximum(strokes[: self.everyday, None], strokes[self.other]) / FEW, 0)
        found["few"] = few
        for name in ("part", "edges sans"):
            found[f"few {name}"] = few * values[name]
        inside = self.other < self.everyday
        for name in ("serif", "edges serif", "part", "weakest"):
            bar = -numpy.sort(-numpy.where(inside, values[name], -1), axis=1)[:, NEAREST - 1]
            other = numpy.where(inside, bar[numpy.minimum(self.other, self.everyday - 1)], bar[:, None])
            found[f"nearest {name}"] = values[name] - numpy.minimum(bar[:, None], other)
        return found

    def scores(self, weights):
        total = numpy.full(self.other.shape, weights[BIAS], numpy.float64)
        for name, weight in sorted(weights.items()):
            if name != BIAS:
                total += weight * self.features[name].astype(numpy.float64)
        return total


def make():
    return table(Candidates())


def table(candidates):
    pairs = Pairs(candidates)
    found = {}
    for at in choose(pairs):
        first, second = sorted((candidates.characters[pairs.one[at]], candidates.characters[pairs.other[at]]))
        found.setdefault(first, ([], []))[int(pairs.glance[at] < NEAR)].append(second)
    return Table("lookalikes", ["character", "near", "far"],
                 [(first, "".join(near), "".join(far)) for first, (near, far) in found.items()],
                 tolerance=0.005)


class Pairs:
    """Every pair once, an everyday character first; a score is the best of the two directions and the written forms."""

    def __init__(self, candidates):
        index = {c: at for at, c in enumerate(candidates.characters)}
        simple = numpy.array([index[sources.folds()[c]] for c in candidates.characters])
        one = numpy.repeat(numpy.arange(candidates.everyday), candidates.other.shape[1])
        written = candidates.other.ravel()
        other = simple[written]
        kept = one != other
        keys = numpy.minimum(one, other) * len(simple) + numpy.maximum(one, other)
        keys, place = numpy.unique(keys[kept], return_inverse=True)
        self.one, self.other = numpy.divmod(keys, len(simple))
        form = numpy.where(other != written, FORM_PENALTY, 0)
        self.alike, self.glance = (best_of(place, (candidates.scores(weights).ravel() - form)[kept], len(keys))
                                   for weights in (ALIKE, GLANCE))
        self.likeness = numpy.maximum(self.alike, self.glance - NEAR)
        self.both = self.other < candidates.everyday
        self.everyday = candidates.everyday
        self.cost = self._cost(candidates.characters)

    def _cost(self, characters):
        """The share of text that the substitutes make up: of the two, each as often as the other is in marks."""
        text, marks = (numpy.array(share) for share in shares(characters))
        one, other = self.one, self.other
        mixed = (marks[one] * text[other] + marks[other] * text[one]) / (marks[one] + marks[other])
        return numpy.where(self.both, mixed, text[other])

    def nearer(self):
        """How many pairs are more alike: of one of the two, where they are fewer."""
        count = len(self.one)
        rank = numpy.zeros(count, numpy.int64)
        rank[numpy.argsort(-self.likeness, kind="stable")] = numpy.arange(count)
        ends = numpy.r_[self.one, self.other]
        order = numpy.lexsort((numpy.r_[rank, rank], ends))
        first = numpy.searchsorted(ends[order], ends)
        place = numpy.zeros(2 * count, numpy.int64)
        place[order] = numpy.arange(2 * count)
        return numpy.minimum(*(place - first).reshape(2, count))


def best_of(place, scores, count):
    best = numpy.full(count, -numpy.inf)
    numpy.maximum.at(best, place, scores)
    return best


def choose(pairs):
    """The pairs that are kept, the likest first: those above one bar for all, and the best few where that leaves none."""
    rank = (pairs.likeness - COST_WEIGHT * numpy.round(numpy.log(1 + pairs.cost / NO_COST), 6)
            - NEAREST_WEIGHT * numpy.round(numpy.log(1 + pairs.nearer() / NEAREST), 6))
    order = numpy.argsort(-rank, kind="stable")
    chosen = numpy.zeros(len(order), bool)
    for both, average in ((True, NEIGHBOURS), (False, RARE_NEIGHBOURS)):
        chosen[order[pairs.both[order] == both][:average * pairs.everyday // 2]] = True
    neighbours = numpy.bincount(numpy.r_[pairs.one[chosen], pairs.other[chosen]], minlength=pairs.other.max() + 1)
    few = numpy.minimum(neighbours[pairs.one], neighbours[pairs.other]) < LEAST
    for at in order[(few & pairs.both & ~chosen)[order]]:
        two = [pairs.one[at], pairs.other[at]]
        if neighbours[two].min() < LEAST:
            chosen[at] = True
            neighbours[two] += 1
    likest = numpy.argsort(-pairs.likeness, kind="stable")
    return likest[chosen[likest]]


def shares(characters):
    """Of each character its share of the text of listings, and of the words of the dictionary, which stands for marks."""
    corpus, listed = sources.jieba_counts()
    trade = {}
    for c in "".join(words.TRADE.values()).replace(" ", ""):
        trade[c] = trade.get(c, 0) + 1
    corpus, listed, trade = (share(counts, characters) for counts in (corpus, listed, trade))
    return [(1 - TRADE) * of_corpus + TRADE * of_trade for of_corpus, of_trade in zip(corpus, trade)], listed


def share(counts, characters):
    total = sum(counts.values())
    # Half an occurrence for what does not occur, so that no share is nothing.
    return [max(counts.get(c, 0), 0.5) / total for c in characters]
