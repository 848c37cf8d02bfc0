"""Character to its Mandarin readings without tone, the most common first."""

import re

import sources
from syllables import legal, plain
from table import Table

MOST = 4
# Interjections whose dictionary form has no vowel, and what people type for them.
ALSO = {"嗯": ["en"], "〇": ["ling"]}


def make():
    legal_ones = set(legal())
    rows = []
    for character in sources.wide():
        readings = [reading for reading in dict.fromkeys(ordered(character)) if reading in legal_ones][:MOST]
        if readings:
            rows.append((character, " ".join(readings)))
    return Table("readings", ["character", "readings"], rows)


def ordered(character):
    """Modern readings by how often they were counted in speech, then as dictionaries list them.

    Readings that only historical dictionaries know are used where there is no modern one: a sound that
    nobody hears in a character hides nothing and costs false hits.
    """
    counted = {}
    for reading, count in re.findall(r"(\S+?)\((\d+)\)", value("kHanyuPinlu", character)):
        counted[plain(reading)] = counted.get(plain(reading), 0) + int(count)
    modern = [*ALSO.get(character, []), *sorted(counted, key=lambda reading: -counted[reading])]
    usual = value("kMandarin", character).split()
    listed = [reading for field in ("kTGHZ2013", "kXHC1983")
              for reading in re.sub(r"[\d.,*]+:", " ", value(field, character)).replace(",", " ").split()]
    modern += map(plain, (usual[:1] if listed else usual) + listed)
    if listed or counted:
        return modern
    return modern + [plain(reading) for reading in sources.pypinyin().get(character, [])]


def value(field, character):
    return sources.unihan("Unihan_Readings", field).get(character, "")
