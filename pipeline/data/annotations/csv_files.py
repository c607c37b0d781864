"""CSV files read with clear errors, for every reader whose format is CSV: any separator, any encoding."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.data.annotations.columns.decoding import decoded
from pipeline.data.annotations.columns.headings import shown
from pipeline.errors import UserError
from pipeline.plain_files import LARGEST_TEXT, read_bytes

SEPARATORS = "\t;,"  # where two part a heading equally, the first of them


@dataclass(frozen=True)
class Rows:
    """The rows of a CSV file, its heading first; `lines` are the lines of the file where they begin."""

    separator: str
    lines: list[int]
    cells: list[list[str]]


def read_csv(file: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV file (gzipped or not) as text columns; `columns` must be there, others may be.

    The index is the line of the file each row begins in. Raises UserError naming the file, and the
    columns it lacks.
    """
    frame = as_frame(read_rows(file), file)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise UserError(
            f"{file}: no column {', '.join(missing)}; it has {shown([*map(str, frame.columns)])}"
        )
    return frame


def read_rows(file: Path) -> Rows:
    """The rows of a CSV file that are not empty. Raises UserError."""
    try:
        content = read_bytes(file, packed=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{file}: cannot be read ({reason}); see the dataset section") from error
    return rows_of(decoded(content, file), file)


def rows_of(text: str, file: Path) -> Rows:
    """The rows of a CSV text that are not empty, nor of separators alone; blanks after a separator go.

    Raises UserError naming the line of what is not CSV, as a quote that is not closed.
    """
    csv.field_size_limit(LARGEST_TEXT)
    separator, skipped, text = _separator(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    lines: list[int] = []
    cells: list[list[str]] = []
    begins = 1 + skipped
    try:
        for row in reader:
            if any(map(str.strip, row)):
                lines.append(begins)
                cells.append(row)
            begins = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise UserError(f"{file}, line {begins}: not a CSV file ({error})") from error
    if not cells:
        raise UserError(f"{file}: not a CSV file (it is empty)")
    return Rows(separator, lines, cells)


def as_frame(rows: Rows, file: Path) -> pd.DataFrame:
    """Text columns under the headings of the first row; rows that are shorter are filled with ''.

    Raises UserError for a row with more fields than the heading has.
    """
    heading = [name.strip() for name in rows.cells[0]]
    while heading and not heading[-1]:  # a separator at the end of every line
        heading.pop()
    width = len(heading)
    cells = rows.cells[1:]
    for place, row in enumerate(cells):
        if len(row) > width:
            if any(map(str.strip, row[width:])):
                raise UserError(
                    f"{file}, line {rows.lines[place + 1]}: more fields than the heading has; quote "
                    "values with commas"
                )
            cells[place] = row[:width]
        elif len(row) < width:
            cells[place] = row + [""] * (width - len(row))
    seen: dict[str, int] = {}
    names = []
    for name in heading:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return pd.DataFrame(cells, columns=names, index=rows.lines[1:], dtype=object)


def float_column(frame: pd.DataFrame, column: str, file: Path) -> pd.Series:
    """A text column as floats.

    Raises UserError naming file, line and value of the first that is not a number.
    """
    values = pd.to_numeric(frame[column], errors="coerce")
    bad = values.isna()
    if bad.any():
        place = int(bad.to_numpy().argmax())
        value = frame[column].iloc[place]
        raise UserError(f"{file}, line {frame.index[place]}: {column} {value!r} is not a number")
    return values.astype(float)


def after_remarks(text: str) -> tuple[int, str]:
    """How many lines of remarks (`# ...`) a text begins with, and the text after them.

    A heading may begin so too (`#video,start,...`): it has as many separators as the line after it.
    """
    if not text.lstrip().startswith("#"):
        return 0, text
    lines = text.splitlines(keepends=True)
    count = next((n for n, line in enumerate(lines) if line.strip()[:1] not in ("", "#")), 0)
    for place in range(count):
        fields = [lines[place].count(separator) for separator in SEPARATORS]
        if any(fields) and fields == [lines[count].count(separator) for separator in SEPARATORS]:
            count = place
            break
    return count, "".join(lines[count:])


def _separator(text: str) -> tuple[str, int, str]:
    """The separator of fields, how many lines stand before the heading, and the text after them.

    `sep=;`, as Excel writes, says the separator; remarks say nothing.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    told = first.strip().strip('"').lower()
    if told.startswith("sep=") and len(told) <= 5 and text.startswith(first):
        rest = text[len(first) :].removeprefix(
            "\r\n" if text.startswith("\r\n", len(first)) else "\n"
        )
        return (told[4:] or "\t"), 1, rest
    skipped, text = after_remarks(text)
    if skipped:
        first = next((line for line in text.splitlines() if line.strip()), "")
    bare = "".join(first.split('"')[::2])  # what stands between quotes parts nothing
    return (
        max(SEPARATORS, key=bare.count) if any(map(bare.count, SEPARATORS)) else ",",
        skipped,
        text,
    )
