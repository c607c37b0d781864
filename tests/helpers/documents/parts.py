"""The sections and the tables of a document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Row:
    """A row of a table: the number of its line, the line, and its cells."""

    line: int
    text: str
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """A table: its titles, and its rows without the rule below the titles."""

    titles: list[str]
    rows: list[Row] = field(default_factory=list)


def sections_of(text: str, level: int = 2) -> dict[str, str]:
    """The sections of a level: heading -> the text below it."""
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def tables_of(text: str) -> list[Table]:
    """The tables of a document, in order."""
    found: list[Table] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip().startswith("|"):
            inside = False
            continue
        row = line.strip().removeprefix("|").removesuffix("|")
        cells = [cell.strip() for cell in BAR.split(row)]
        if not inside:
            found.append(Table(cells))
            inside = True
        elif not set(line) <= set("|-: "):
            found[-1].rows.append(Row(number, line, cells))
    return found
