"""Character to the ways of writing it as two or three others side by side or one upon the other: 妈 as 女马."""

import sources
from table import Table

MOST = 8
# Single strokes: a part of one of them is read as a part only beside something larger (旧 as 丨日).
STROKES = frozenset("丨丿丶亅乁乚㇆㇏乛𠃊𠃌")
# Frames and strokes that nobody reads as a part once a part of them has been taken apart too.
FRAMES = STROKES | frozenset("一乙冂凵匚囗冖亠厶")
# Forms of radicals that stand in no character set for daily use and that input methods offer all the same.
RADICALS = frozenset("礻衤罒爫牜犭疒覀虍飠釒糹訁𥫗丬癶耂")


def make():
    typed = frozenset(sources.everyday()) | {c for c in RADICALS if sources.folds().get(c, c) == c} | STROKES
    forms = {}
    for character in sources.chaizi():
        forms.setdefault(sources.folds().get(character), []).append(character)
    two = {}
    rows = []
    for character in sources.wide():
        # The character's own splittings before those of the traditional forms that are folded to it.
        written = sorted(forms.get(character, []), key=lambda form: (form != character, form))
        found = [parts for form in written for parts in splittings(form, typed)]
        two[character] = [parts for parts in splittings(character, typed) if len(parts) == 2]
        rows.append((character, found))
    rows = [(character, joined([*found, *deeper(character, two)])) for character, found in rows]
    return Table("splits", ["character", "splits"], [(character, parts) for character, parts in rows if parts])


def splittings(character, typed):
    for parts in sources.chaizi().get(character, []):
        parts = [sources.folds().get(part, part) for part in parts]
        strokes = sum(part in STROKES for part in parts)
        if len(parts) in (2, 3) and strokes <= (len(parts) == 2) and typed.issuperset(parts) and character not in parts:
            yield parts


def deeper(character, two):
    """谢 is 讠射 and 射 is 身寸: 讠身寸."""
    for first, second in two[character]:
        for parts in [[first, *inner] for inner in two.get(second, [])] + [[*inner, second] for inner in two.get(first, [])]:
            if FRAMES.isdisjoint(parts):
                yield parts


def joined(found):
    return " ".join(list(dict.fromkeys("".join(parts) for parts in found))[:MOST])
