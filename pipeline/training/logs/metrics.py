"""`metrics.csv`: a line per step and a line per epoch of a training, written as it runs."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import cannot_write
from pipeline.plain_files import require_plain
from pipeline.run_folder.files import remove, write_text

METRICS = "metrics.csv"
STEP, EPOCH = "step", "epoch"  # what a line is of
FIRST = ("row", "epoch", "step", "learning_rate", "seconds", "samples_per_second")
Row = Mapping[str, float | str]
_WAIT_SECONDS = 2.0  # lines wait for so long at most, so that a step costs no writing


class MetricsFile:
    """The file of one training. Columns: `FIRST`, then the terms of the loss and the figures of validation by name.

    A line of a step has the step's values, one of an epoch the epoch's means and its validation. A file that a kill
    cut off in the middle of a line is continued before that line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []
        self._waiting: list[str] = []
        self._written = time.monotonic()

    def begin(self, taken: int, ended: int) -> list[Row]:
        """Forget all after this many steps and epochs; give the rows that are left. Raises UserError."""
        names, rows = _read(self._path)
        kept = [row for row in rows if _is_before(row, taken, ended)]
        if not kept:
            remove(self._path)
            return []
        self._names = names
        # whole, also where nothing is cut off but the line end is missing
        write_text(self._path, "".join(_line(names, row) for row in ({n: n for n in names}, *kept)))
        return kept

    def add(self, row: Row) -> None:
        """Add a row; it is written within some seconds. Raises UserError if that fails."""
        if new := [name for name in row if name not in self._names]:
            self._widen(new)
        self._waiting.append(_line(self._names, row))
        if time.monotonic() - self._written > _WAIT_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the rows that wait, all in one piece. Raises UserError if it cannot be written."""
        text, self._waiting = "".join(self._waiting), []
        self._written = time.monotonic()
        if not text:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            with open(os.open(self._path, flags, 0o666), "wb") as stream:
                stream.write(text.encode())
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def _widen(self, new: list[str]) -> None:
        """Columns more, as the first row and the first validation bring them; empty in the lines before."""
        self.save()
        _, rows = _read(self._path)
        self._names += new
        head = {name: name for name in self._names}
        write_text(self._path, "".join(_line(self._names, row) for row in (head, *rows)))


def read_metrics(path: Path) -> list[Row]:
    """The rows of a training's file in order, numbers as numbers; none where there is no such file.

    `row` is "step" or "epoch". A damaged line and what comes after it is left out.
    """
    return _read(path)[1]


def _is_before(row: Row, taken: int, ended: int) -> bool:
    if row["row"] == EPOCH:
        return float(row["epoch"]) <= ended
    return float(row["step"]) <= taken


def _line(names: list[str], row: Row) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([row.get(name, "") for name in names])
    return text.getvalue()


def _read(path: Path) -> tuple[list[str], list[Row]]:
    """The names of the columns and the whole lines; what cannot be read counts for nothing: it is shown, not used."""
    try:
        require_plain(path)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return [], []
    lines = text[: text.rfind("\n") + 1].splitlines()
    names, *parts = list(csv.reader(lines)) or [[]]
    rows: list[Row] = []
    if tuple(names[: len(FIRST)]) != FIRST:
        return [], []
    for cells in parts:
        row = _values(names, cells)
        if row is None:
            break
        rows.append(row)
    return names, rows


def _values(names: list[str], cells: list[str]) -> Row | None:
    """A row's values by name, without empty ones; None if it is not a row of ours."""
    if len(cells) != len(names) or cells[0] not in (STEP, EPOCH):
        return None
    row: dict[str, float | str] = {"row": cells[0]}
    try:
        for name, cell in zip(names[1:], cells[1:], strict=True):
            if cell:
                row[name] = int(cell) if name in (STEP, EPOCH) else float(cell)
    except ValueError:
        return None
    return row if STEP in row and EPOCH in row else None
