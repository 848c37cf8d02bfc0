"""What characters are made of: parts at every depth from kfcd/chaizi, weighed by their strokes."""

import functools

import sources

# Forms that a radical takes inside a character: where a splitting is listed with the form and with the full
# character, the form is what is seen.
FORMS = frozenset("氵亻扌忄艹讠钅纟饣犭礻衤刂攵辶阝罒釒糹訁飠牜疒虍灬爫冫卩宀冖彳廴廾彡覀")
STROKES = frozenset("丨丿丶亅乁乚㇆㇏乛一乙")


@functools.cache
def strokes(character):
    counted = sources.unihan("Unihan_IRGSources", "kTotalStrokes").get(character)
    return int(counted.split()[0]) if counted else 4


@functools.cache
def splitting(character):
    """The one splitting that shows best what is seen: most forms of radicals, then fewest parts."""
    found = [parts for parts in sources.chaizi().get(character, []) if character not in parts and len(parts) > 1]
    return min(found, key=lambda parts: (-sum(part in FORMS for part in parts), len(parts)), default=None)


@functools.cache
def inside(character):
    """Every part at every depth, the character itself among them; single strokes are no parts."""
    return frozenset(within(character, 5))


def within(character, depth):
    found = {character} - STROKES
    for part in (splitting(character) or ()) if depth else ():
        found |= within(part, depth - 1)
    return found


@functools.cache
def leaves(character):
    """Parts that are not split any further, with how often each is there."""
    counts = {}
    collect(character, 5, counts)
    return counts


def collect(character, depth, counts):
    parts = splitting(character) if depth else None
    if not parts or any(part in STROKES for part in parts):
        counts[character] = counts.get(character, 0) + 1
        return
    for part in parts:
        collect(part, depth - 1, counts)
