"""English words a shop may use, so that a mark is not seen in every word that is one letter away from it."""

import re

import sources
from syllables import legal
from table import Table

WORD = re.compile("[a-z]{3,14}")


def make():
    words = {word.lower() for word in sources.english() if WORD.fullmatch(word.lower())}
    # What is typed for the sound of one character stays open: shan, long.
    return Table("english", ["word"], [(word,) for word in words if word not in legal()])
