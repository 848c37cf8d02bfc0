"""Makes every table or the named ones, and with --check compares them with those in the repository."""

import argparse
import importlib
import pathlib
import sys
import tempfile
import time

# A table may read those before it.
TABLES = ["syllables", "readings", "splits", "leet", "digits", "words", "english", "lookalikes"]
HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(prog="tables/generate/run", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a table would differ")
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=" ".join(TABLES))
    parser.add_argument("--weigh", action="store_true", help="learn the weights of the look-alikes, print them, write nothing")
    arguments = parser.parse_args()
    if arguments.weigh:
        return importlib.import_module("weigh").main()
    unknown = [name for name in arguments.tables if name not in TABLES]
    if unknown:
        parser.error(f"no such table: {' '.join(unknown)}; there are {' '.join(TABLES)}")
    kept = HERE.parent
    with tempfile.TemporaryDirectory() as folder:
        different = [name for name in TABLES if name in (arguments.tables or TABLES)
                     and not made_alike(name, pathlib.Path(folder), kept, arguments.check)]
    if arguments.check and different:
        sys.exit(f"differ from what their sources give: {' '.join(different)}")


def made_alike(name, folder, kept, check):
    """Makes one table; true when it has the bytes of the one that was kept before."""
    started = time.monotonic()
    table = importlib.import_module(name).make()
    made = table.encode()
    (folder / table.file).write_bytes(made)
    old = kept / table.file
    alike = old.exists() and (old.read_bytes() == made or check and nearly(old.read_text(), made.decode(), table.tolerance))
    if not check and not alike:
        (folder / table.file).replace(old) if same_device(folder, kept) else old.write_bytes(made)
    print(f"{table.file}: {len(table.rows):,} lines, {len(made):,} bytes, {time.monotonic() - started:.1f} s, "
          f"{'the same' if alike else 'DIFFERS' if check else 'written'}", file=sys.stderr)
    return alike


def nearly(old, new, tolerance):
    """Whether so few pairs of a character with another differ as sums of fractions do from processor to processor."""
    pairs = [{(row.split("\t")[0], column, other) for row in text.splitlines()[1:]
              for column, cell in enumerate(row.split("\t")[1:]) for other in cell} for text in (old, new)]
    share = len(pairs[0] ^ pairs[1]) / max(1, len(pairs[0]))
    if 0 < share <= tolerance:
        print(f"{share:.2%} of the pairs differ, {tolerance:.2%} may", file=sys.stderr)
    return share <= tolerance and tolerance > 0


def same_device(one, other):
    return one.stat().st_dev == other.stat().st_dev


if __name__ == "__main__":
    main()
