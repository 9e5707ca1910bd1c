"""Reading CSV and TSV files into text cells, with the place of every row."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chymist.data.cells import MISSING, clean, is_number, short
from chymist.errors import InputError, nearest

_DECIMAL = re.compile(r"[+-]?\d+(,\d+)?([eE][+-]?\d+)?")
DELIMITERS = "\t;|,"
SAMPLE = 64 * 1024  # characters that decide on the delimiter
MAX_BYTES = 2**31  # of an unpacked file
SMALL = 2**24  # bytes below which it does not matter how well a file was packed
MAX_RATIO = 200  # unpacked to packed, above which a file is taken for a bomb

# First bytes of files that people give by mistake, and what to do with them.
FOREIGN = {
    b"PK\x03\x04": "unpack the zip; export an Excel workbook as CSV",
    b"\xd0\xcf\x11\xe0": "export the Excel workbook as CSV",
    b"PAR1": "convert the Parquet file to CSV",
    b"\x93NUMPY": "load it with numpy and give the arrays (inputs, targets)",
    b"%PDF": "give a CSV file",
    b"\xff\xfe": "save it as UTF-8 (it looks like UTF-16)",
    b"\xfe\xff": "save it as UTF-8 (it looks like UTF-16)",
}


@dataclass(frozen=True, eq=False)
class Cells:
    """A table as text.

    Args:
        names: names of the columns.
        columns: cells by column; None is a missing value.
        places: for each file its label and the line number of each of its rows.
        header: whether the names were read from the first line.
        unit: what the numbers of the rows count.
    """

    names: tuple[str, ...]
    columns: tuple[list[str | None], ...]
    places: tuple[tuple[str, list[int]], ...]
    header: bool
    unit: str = "line"

    def __len__(self) -> int:
        return sum(len(lines) for _, lines in self.places)

    def place(self, row: int) -> str:
        """File and line of a row, for messages."""
        for label, lines in self.places:
            if row < len(lines):
                return f"{label}, {self.unit} {lines[row]}"
            row -= len(lines)
        return f"row {row + 1}"


def read_table(path: Path, header: bool | None = None, names: Sequence[str] | None = None) -> Cells:
    """Read a CSV or TSV file, optionally gzipped.

    The delimiter is the first of tab, semicolon, bar and comma that cuts the first lines into
    equally many cells. Empty lines and lines of empty cells are skipped.

    Args:
        path: the file.
        header: whether the first line holds column names; None decides, see `has_header`.
        names: column names to use for a file without header.

    Returns:
        The cells; a file without header gets the names column_1, column_2, ...

    Raises:
        InputError: no such file, not text, no rows, ragged rows, names given twice.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "t.csv"
        >>> _ = path.write_text("a;b\\n1;x\\n2;?\\n")
        >>> read_table(path).columns
        (['1', '2'], ['x', None])
    """
    rows, lines = read_rows(path)
    if header is None and names is not None:
        first = [cell.strip() for cell in rows[0]]
        header = first == [*names]
        if not header and 2 * len(set(first) & set(names)) > len(names):
            raise InputError(
                "other columns than expected",
                where=f"{path.name}, line {lines[0]}",
                received=", ".join(short(name) for name in first if name not in names)[:80],
                do="fetch the file again",
            )
    elif header is None:
        header = has_header(rows)
    return to_cells(rows, lines, path.name, header, names)


def read_rows(path: Path) -> tuple[list[list[str]], list[int]]:
    """The rows of a CSV or TSV file, all of one length, and the line on which each starts.

    Raises:
        InputError: as `read_table`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "t.csv"
        >>> _ = path.write_text("a,b\\n1,2\\n")
        >>> read_rows(path)
        ([['a', 'b'], ['1', '2']], [1, 2])
    """
    label = path.name
    rows, lines = parse(read_text(path), label)
    if not rows:
        raise InputError(
            "the file has no rows",
            where=label,
            received="no text",
            do="give a table with one row per line",
        )
    width = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise InputError(
                "the row has another number of cells",
                where=f"{label}, line {line}",
                received=f"{len(row)} cells, not {width}",
                do="correct the line; quote cells that hold the delimiter",
            )
    return rows, lines


def to_cells(
    rows: list[list[str]],
    lines: list[int],
    label: str,
    header: bool,
    names: Sequence[str] | None = None,
) -> Cells:
    """Rows as columns of cells.

    Args:
        rows: at least one row, all of one length.
        lines: the line on which each starts.
        label: name of the file.
        header: whether the first row holds the names.
        names: names of the columns otherwise.

    Raises:
        InputError: names given twice, no row below the names, another number of names.

    Example:
        >>> to_cells([["a"], ["1"]], [1, 2], "t.csv", True).columns
        (['1'],)
    """
    if header:
        found = column_names(rows[0], f"{label}, line 1")
        rows, lines = rows[1:], lines[1:]
        if not rows:
            raise InputError(
                "the file has a header and no rows",
                where=label,
                received=f"{len(found)} column names",
                do="add rows, or say that there is no header",
            )
    else:
        found = tuple(names or (f"column_{number + 1}" for number in range(len(rows[0]))))
    if len(found) != len(names or found) or len(found) != len(rows[0]):
        raise InputError(
            "another number of columns than expected",
            where=label,
            received=f"{len(rows[0])} columns, not {len(names or found)}",
            do="check the file",
        )
    columns = tuple(_cleaned(column) for column in zip(*rows, strict=True))
    return Cells(found, columns, ((label, lines),), header)


def stacked(first: Cells, second: Cells) -> Cells:
    """Two tables with the same columns, one below the other.

    Raises:
        InputError: the columns differ.

    Example:
        >>> a = Cells(("x",), (["1"],), (("a.csv", [1]),), False)
        >>> len(stacked(a, a))
        2
    """
    label = second.places[0][0]
    if first.header and second.header:
        at = {name: number for number, name in enumerate(second.names)}
        for name in first.names:
            if name not in at:
                raise InputError(
                    f"the column {short(name)} is missing",
                    where=label,
                    do=nearest(name, second.names)[:80],
                )
        order = [at[name] for name in first.names]
    else:
        if len(first.names) != len(second.names):
            raise InputError(
                "another number of columns than the training file",
                where=label,
                received=f"{len(second.names)} columns, not {len(first.names)}",
                do="give the same columns",
            )
        order = list(range(len(first.names)))
    columns = tuple(
        [*cells, *second.columns[number]]
        for cells, number in zip(first.columns, order, strict=True)
    )
    return Cells(first.names, columns, first.places + second.places, first.header, first.unit)


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, unpacked if it is gzipped.

    Raises:
        InputError: no such file, broken gzip, binary content, another encoding.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "t.csv"
        >>> _ = path.write_bytes(b"\\xef\\xbb\\xbfa,b")
        >>> read_text(path)
        'a,b'
    """
    label = path.name
    content = read_bytes(path)
    for start, advice in FOREIGN.items():
        if content.startswith(start):
            raise InputError(
                "the file is not a text table",
                where=label,
                received=f"first bytes {content[:4]!r}",
                do=advice,
            )
    zero = content.find(b"\0")
    if zero >= 0:
        raise InputError(
            "the file is binary, not a text table",
            where=label,
            received=f"a zero byte at position {zero}",
            do="give a CSV or TSV file",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            "the file is not UTF-8 text",
            where=f"{label}, line {line}",
            received=f"byte 0x{content[error.start]:02x}",
            do="save it as UTF-8 (iconv -f latin1 -t utf-8)",
        ) from None


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped.

    Raises:
        InputError: it cannot be read, is empty, or unpacks to too much.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "t.gz"
        >>> _ = path.write_bytes(gzip.compress(b"abc"))
        >>> read_bytes(path)
        b'abc'
    """
    label = path.name
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            most = MAX_BYTES
            if packed:
                most = min(most, max(SMALL, MAX_RATIO * os.fstat(file.fileno()).st_size))
            with gzip.GzipFile(fileobj=file) if packed else file as source:
                content = source.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            "the gzip file is damaged",
            where=label,
            received=str(error)[:80],
            do="fetch or pack it again",
        ) from None
    except OSError as error:
        raise InputError(
            "the file cannot be read",
            where=label,
            received=error.strerror or type(error).__name__,
            do="check the path and its permissions",
        ) from None
    if len(content) > most:
        raise InputError(
            "the file is too big",
            where=label,
            received=f"more than {most / 2**20:,.0f} MiB unpacked",
            do="give a part of it, unpacked",
        )
    if not content.strip():
        raise InputError(
            "the file is empty",
            where=label,
            received="0 rows",
            do="give a table with one row per line",
        )
    return content


def parse(text: str, label: str) -> tuple[list[list[str]], list[int]]:
    """Rows of a delimited text, and the line on which each starts.

    Raises:
        InputError: a quote that is not closed, or a cell of more than 128 kB.

    Example:
        >>> parse('a,"b, c"\\n\\n1,2\\n', "t.csv")
        ([['a', 'b, c'], ['1', '2']], [1, 3])
    """
    reader = _reader(text, delimiter_of(text), True)
    rows, lines, line = [], [], 1
    try:
        for row in reader:
            if any(row) and any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            "the line cannot be read",
            where=f"{label}, line {line}",
            received=str(error)[:80],
            do="check its quotes",
        ) from None
    return rows, lines


def delimiter_of(text: str) -> str:
    """The delimiter that cuts the first lines into equally many cells.

    Example:
        >>> delimiter_of("a;b\\n1,5;2,5\\n"), delimiter_of("one\\ntwo\\n")
        (';', ',')
    """
    sample = text[:SAMPLE]
    if len(text) > SAMPLE:
        sample = sample[: sample.rfind("\n") + 1] or sample
    best, most = ",", 1
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in _reader(sample, delimiter, False) if row]
        except csv.Error:
            continue
        if min(widths, default=1) == max(widths, default=1) > 1:
            return delimiter
        if min(widths, default=1) > most:
            best, most = delimiter, min(widths)
    return best


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row holds names.

    It does if none of its cells is a number or a marker for a missing value (the first may be
    empty, as data frames write it), and either a column below is numbers, or no cell of it comes
    again in its column while other texts do.

    Example:
        >>> has_header([["age", "job"], ["39", "clerk"], ["50", "clerk"]])
        True
        >>> has_header([["39", "clerk"], ["50", "clerk"]])
        False
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:1001]
    if any(is_number(cell) or (cell in MISSING and cell) for cell in first) or not all(first[1:]):
        return False
    if not any(first):
        return False
    if not rest:
        return True
    columns = [[clean(cell) for cell in column] for column in zip(*rest, strict=True)]
    present = [[cell for cell in column if cell is not None] for column in columns]
    if any(column and all(is_number(cell) for cell in column[:100]) for column in present):
        return True
    again = any(name in column for name, column in zip(first, columns, strict=True))
    return not again and any(len(set(column)) < len(column) for column in present)


def _cleaned(column: Sequence[str]) -> list[str | None]:
    """Cells without blanks; numbers with a decimal comma get a point.

    A comma that is left inside a cell cannot have been the delimiter, or was quoted.
    """
    cells = [clean(cell) for cell in column]
    present = [cell for cell in cells if cell is not None]
    commas = present and all(_DECIMAL.fullmatch(cell) for cell in present[:100])
    if commas and any("," in cell for cell in present) and all(map(_DECIMAL.fullmatch, present)):
        return [cell and cell.replace(",", ".") for cell in cells]
    return cells


def column_names(row: list[str], where: str) -> tuple[str, ...]:
    """Names of columns without surrounding blanks; one without a name is named by its place.

    Raises:
        InputError: a name comes twice, or there is none.

    Example:
        >>> column_names([" a ", ""], "t.csv, line 1")
        ('a', 'column_2')
    """
    if not row:
        raise InputError("there are no columns", where=where, do="give features and a target")
    names = [cell.strip() or f"column_{number + 1}" for number, cell in enumerate(row)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    for name in sorted(twice):
        first, second = [n + 1 for n, other in enumerate(names) if other == name][:2]
        raise InputError(
            "two columns have the same name",
            where=where,
            received=f"{short(name)} as columns {first} and {second}",
            do="rename one",
        )
    return tuple(names)


def _reader(text: str, delimiter: str, strict: bool) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=strict
    )
