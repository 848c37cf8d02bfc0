"""The legal syllables of Mandarin as they are typed, the key under which syllables often confused are one, other spellings."""

import functools
import re
import unicodedata

import sources
from table import Table

# One key for two initials or finals that speakers of many regions do not tell apart.
INITIALS = {"zh": "z", "ch": "c", "sh": "s", "n": "l", "f": "h"}
FINALS = {"ang": "an", "eng": "en", "ing": "in"}
# What people type where a keyboard has no ü, and passports write.
SPELLINGS = {"lv": "lyu", "lve": "lue lyue", "nv": "nyu", "nve": "nue nyue"}
# Sounds without a vowel are no syllables that a word is made of.
NO_SYLLABLES = {"hm", "hng", "m", "n", "ng", "ê", "r"}

TONE_MARKS = re.compile("[\u0300\u0301\u0304\u030c]")


def plain(reading):
    """A reading without its tone, ü as v."""
    bare = TONE_MARKS.sub("", unicodedata.normalize("NFD", reading))
    return unicodedata.normalize("NFC", bare).replace("ü", "v")


@functools.cache
def legal():
    """What the two dictionaries of record give a character of the standard list."""
    found = set()
    for field in ("kTGHZ2013", "kXHC1983"):
        for character, value in sources.unihan("Unihan_Readings", field).items():
            if character in sources.standard():
                found.update(plain(reading) for reading in re.sub(r"[\d.,*]+:", " ", value).replace(",", " ").split())
    return sorted(found - NO_SYLLABLES)


def fuzzy(syllable):
    """The key of a syllable: `zhang` and `zan` have the same."""
    initial = re.match(r"zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]|", syllable)[0]
    final = syllable[len(initial):]
    for ending, other in FINALS.items():
        if final.endswith(ending):
            final = final[: -len(ending)] + other
            break
    return INITIALS.get(initial, initial) + final


def make():
    return Table("syllables", ["syllable", "fuzzy", "spellings"],
                 [(syllable, fuzzy(syllable), SPELLINGS.get(syllable, "")) for syllable in legal()])
