"""Learns the weights of the look-alikes on graded.txt: `tables/generate/run --weigh` prints them, nothing is written.

Logistic regressions with weights that are not negative: what is alike (grades 2 and 3) or taken at a glance
(grade 3) against the grades below and against pairs drawn from the candidates, of which few are alike.
Half of the graded pairs is held out; how many of them the table has is printed too.
"""

import hashlib
import pathlib

import numpy

import lookalikes

GRADED = pathlib.Path(__file__).with_name("graded.txt")
DRAWN = 60_000
DRAWN_WEIGHT = 0.15
GLANCE_WEIGHT = 6.0
GRADED_DOWN_WEIGHT = 2.0
RIDGE = 1e-3


def graded(everyday):
    """Pair of characters, in their order, to its grade."""
    found = {}
    for line in GRADED.read_text().splitlines():
        if line.startswith("#") or not line.strip():
            continue
        grade, *groups = line.split()
        for group in groups:
            for at, one in enumerate(group):
                for other in group[at + 1:]:
                    pair = tuple(sorted((one, other)))
                    if one in everyday and other in everyday and found.setdefault(pair, int(grade)) != int(grade):
                        raise SystemExit(f"{GRADED.name} gives {''.join(pair)} two grades")
    return found


def held_out(pair):
    return hashlib.sha256("".join(pair).encode()).digest()[0] % 2 == 0


def main():
    candidates = lookalikes.Candidates()
    for name, least in (("ALIKE", 2), ("GLANCE", 3)):
        print(name, "=", {feature: round(weight, 3) for feature, weight in learn(candidates, least).items()})
    judge(lookalikes.table(candidates), candidates.characters[:candidates.everyday])


def learn(candidates, least):
    """Weights by feature, for pairs of at least the grade `least`."""
    names = sorted(candidates.features)
    index = {c: at for at, c in enumerate(candidates.characters[:candidates.everyday])}
    grades = {pair: grade for pair, grade in sorted(graded(index).items()) if not held_out(pair)}
    count = {grade: max(list(grades.values()).count(grade), 1) for grade in range(4)}
    weight_of = {0: GRADED_DOWN_WEIGHT, 1: GRADED_DOWN_WEIGHT, 2: count[3] / count[2], 3: GLANCE_WEIGHT}
    places, alike, weights = [], [], []
    for (one, other), grade in grades.items():
        place = seen(candidates, index[one], index[other])
        if place:
            places.append(place)
            alike.append(grade >= least)
            weights.append(weight_of[grade])
    draw = numpy.random.RandomState(1)
    places += zip(draw.randint(0, candidates.everyday, DRAWN), draw.randint(0, candidates.other.shape[1], DRAWN))
    alike = numpy.array(alike + [False] * DRAWN, float)
    weights = numpy.array(weights + [DRAWN_WEIGHT] * DRAWN)
    rows, columns = numpy.array(places).T
    table = numpy.stack([candidates.features[name][rows, columns] for name in names], 1).astype(float)
    learnt, bias = fit_positive(table, alike, weights)
    return {lookalikes.BIAS: float(bias)} | {name: float(weight) for name, weight in zip(names, learnt) if weight}


def seen(candidates, one, other):
    """The row and column of a pair among the candidates, when one is there for the other."""
    for row, column in ((one, other), (other, one)):
        at = numpy.flatnonzero(candidates.other[row] == column)
        if len(at):
            return row, at[0]
    return None


def judge(table, everyday):
    """Prints how many pairs of each grade that were not learnt on the table has, and how many pairs it has at all."""
    classes = {}
    for one, *columns in table.rows:
        for at, column in enumerate(columns):
            classes |= {tuple(sorted((one, other))): at for other in column}
    held = {pair: grade for pair, grade in graded(set(everyday)).items() if held_out(pair)}
    for grade in (3, 2, 1, 0):
        found = [classes.get(pair) for pair, known in held.items() if known == grade]
        print(f"grade {grade}: of {len(found)} pairs {1 - found.count(None) / len(found):.3f} are in the table, "
              f"{found.count(0) / len(found):.3f} as near")
    known = frozenset(everyday)
    inside = sum(known.issuperset(pair) for pair in classes)
    print(f"{len(classes):,} pairs, {list(classes.values()).count(0):,} of them near; "
          f"{2 * inside / len(known):.1f} neighbours on average among the characters marks are written in")


def fit_positive(table, alike, weights):
    """Drops the most negative weight until none is left."""
    kept = numpy.ones(table.shape[1], bool)
    while True:
        found, bias = fit(table[:, kept], alike, weights)
        full = numpy.zeros(table.shape[1])
        full[kept] = found
        worst = int(numpy.argmin(full * table.std(0)))
        if full[worst] >= 0:
            return full, bias
        kept[worst] = False


def fit(table, alike, weights):
    """Newton's method; features are scaled so that the ridge treats them alike."""
    mean, spread = table.mean(0), table.std(0)
    scaled = numpy.c_[(table - mean) / spread, numpy.ones(len(table))]
    ridge = numpy.r_[numpy.full(table.shape[1], RIDGE), 1e-9]
    found = numpy.zeros(scaled.shape[1])
    for _ in range(60):
        chance = 1 / (1 + numpy.exp(-scaled @ found))
        slope = scaled.T @ (weights * (chance - alike)) / weights.sum() + ridge * found
        curve = (scaled * (weights * chance * (1 - chance))[:, None]).T @ scaled / weights.sum() + numpy.diag(ridge)
        step = numpy.linalg.solve(curve, slope)
        found -= step
        if abs(step).max() < 1e-9:
            break
    return found[:-1] / spread, found[-1] - (found[:-1] / spread * mean).sum()
