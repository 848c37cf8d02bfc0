"""What sellers type for a Latin letter because it looks like it. The list is our own."""

import sources
from table import Table

LOOKS = {
    # digits
    "0": "o", "1": "il", "2": "z", "3": "e", "4": "a", "5": "s", "6": "bg", "7": "t", "8": "b", "9": "gq",
    # small letters, and capitals that the fold has made small (I for l)
    "i": "l", "l": "i", "j": "i", "q": "g", "g": "q", "u": "v", "v": "u", "y": "v", "c": "e",
    # two letters for one
    "vv": "w", "uu": "w", "rn": "m", "nn": "m", "cl": "d", "ii": "u", "lc": "k", "li": "h", "ri": "n", "ci": "a",
    "ol": "d", "lo": "b", "io": "b", "13": "b", "12": "r",
    # signs that the fold drops
    "@": "a", "$": "s", "|": "il", "!": "il", "€": "e", "£": "l", "¥": "y", "￥": "y", "¢": "c", "§": "s", "(": "c",
    "<": "c", "{": "c", "+": "t", "†": "t", "&": "e", "*": "x", "×": "x", "÷": "", "∩": "n", "∪": "u", "∨": "v",
    "∧": "a", "○": "o", "●": "o", "◯": "o", "□": "o", "△": "a", "▲": "a", "Δ": "a", "®": "r", "©": "c",
    "|)": "d", "|_": "l", "|_|": "u", "|-|": "h", "|<": "k", "|>": "p", "()": "o", "[]": "o", "\\/": "v", "/\\": "a",
    "\\/\\/": "w", "/\\/": "n", "|\\|": "n", "|\\/|": "m", "}{": "h", "><": "x", "]": "", "-/": "z",
    # Chinese, phonetic and kana signs
    "丨": "il", "亅": "j", "乚": "l", "口": "o", "囗": "o", "工": "i", "乙": "z", "之": "z", "丫": "y", "凵": "u", "冂": "n",
    "几": "n", "匚": "c", "巳": "e", "已": "e", "己": "e", "山": "w", "卄": "h", "廾": "h", "艹": "h", "尸": "p", "卩": "p",
    "尺": "r", "刀": "d", "七": "t", "丁": "t", "十": "t", "土": "t", "千": "f", "上": "l", "大": "a", "人": "a", "入": "a",
    "メ": "x", "乂": "x", "义": "x", "火": "x", "长": "k", "片": "k", "爪": "m", "川": "m", "丅": "t", "厶": "a", "日": "b",
    "曰": "d", "中": "q", "叮": "", "〇": "o",
    "ㄥ": "l", "ㄚ": "y", "ㄈ": "c", "ㄩ": "u", "ㄇ": "n", "ㄨ": "x", "ㄒ": "t", "ㄗ": "p", "ㄖ": "b", "ㄊ": "t",
    "レ": "l", "ン": "v", "ヒ": "e", "ト": "f", "ロ": "o", "エ": "i", "ㅇ": "o", "ㄴ": "l", "ㅣ": "il", "ㅅ": "a",
}


def make():
    looks = {look: letters for look, letters in LOOKS.items() if letters}
    folded = dict(zip(looks, sources.fold(list(looks))))
    rows = []
    for look, letters in looks.items():
        # A fold that already reads the letter leaves nothing to undo.
        if folded[look] in ("", look):
            rows.append((look, " ".join(letters), "unit" if folded[look] else "gap"))
    return Table("leet", ["look", "letters", "kind"], rows)
