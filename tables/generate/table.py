"""A table as it is kept: UTF-8, tab-separated, sorted by code point, one header line with the format's number."""


class Table:
    """Rows of text under a name; `encode` refuses what a reader of the table would trip over."""

    def __init__(self, name, columns, rows, format=1, tolerance=0):
        # What share of its pairs may differ where it is made on another processor.
        self.tolerance = tolerance
        self.file = f"{name}.tsv"
        self.header = [f"#{name}", str(format), *columns]
        self.rows = sorted(tuple(row) for row in rows)
        for row in self.rows:
            if len(row) != len(columns) or any("\t" in cell or "\n" in cell for cell in row) or not row[0]:
                raise ValueError(f"{self.file}: {row!r} does not fit the columns {columns}")
        if len(set(self.rows)) != len(self.rows):
            raise ValueError(f"{self.file} has a line twice")

    def encode(self):
        lines = ["\t".join(self.header), *("\t".join(row) for row in self.rows)]
        return ("\n".join(lines) + "\n").encode()
