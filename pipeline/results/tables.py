"""The tables stages hand on as CSV files: proposals and detections, checked where they are read."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.tables import check_detections, check_proposals
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError, cannot_read, was_refused
from pipeline.plain_files import read_bytes, require_plain
from pipeline.run_folder.files import atomic_path

PROPOSALS = "proposals.csv"
DETECTIONS = "detections.csv"
MAPS = "maps"  # the folder of what BMN says of videos, in that of the proposals
LARGEST = 16 << 30  # bytes of a table: some 200 million rows
NAMES = ("video", "label")  # columns that hold what a user has named
# What a spreadsheet takes for a formula or cuts off: such a character at the start, also after white space, and in
# the full-width form of some keyboards. Apostrophes before it are ours, or the name's.
_FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
# Classes are text, even if they look like numbers.
_TYPES = {"video": str, "label": str, "verb": "int64", "noun": "int64"} | dict.fromkeys(
    ("start", "end", "score"), float
)

# Exact floats, which pandas did only on request until 3.1, and does by default now.
_EXACT: Mapping[str, Any] = (
    {}
    if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)
    else {"float_precision": "round_trip"}
)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table atomically, its names so that no spreadsheet evaluates them. Raises UserError if it cannot be."""
    names = [name for column in NAMES if column in table for name in table[column].unique()]
    # A bare carriage return would end the line where it is read.
    quoting = csv.QUOTE_NONNUMERIC if any("\r" in name for name in names) else csv.QUOTE_MINIMAL
    with atomic_path(path) as temporary:
        _renamed(table, as_cell).to_csv(temporary, index=False, quoting=quoting)


def as_cell(name: str) -> str:
    """A name as it is in a CSV file: after an apostrophe if a spreadsheet would evaluate

    it. A name that already has one gets one more; any other is unchanged.
    """
    return f"'{name}" if _FORMULA.match(name) else name


def from_cell(cell: str) -> str:
    """The name of a cell made by `as_cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_part(path: Path, video: str, *, command: str = "bmn") -> pd.DataFrame:
    """One video's proposals: video, start, end (seconds), score. Raises UserError if damaged."""
    return _read(path, check_proposals, {video}, command)


def read_detected(path: Path, video: str, *, command: str = "detect") -> pd.DataFrame:
    """One video's detections, as a head that names classes wrote them. Raises UserError if damaged."""
    return _read(path, check_detections, {video}, command)


def read_proposals(
    folder: Path, dataset: Dataset, subset: str, *, command: str = "bmn"
) -> pd.DataFrame:
    """The proposals of a stage's folder: video, start, end (seconds), score.

    Raises UserError if the table is damaged, or of other videos than the subset's.
    """
    return _read(folder / PROPOSALS, check_proposals, dataset.video_ids(subset), command)


def read_detections(
    folder: Path, dataset: Dataset, subset: str, *, command: str = "classify"
) -> pd.DataFrame:
    """The detections of a stage's folder: video, start, end (seconds), label, score (and verb, noun).

    Raises UserError if the table is damaged, or of other videos or classes than the subset's.
    """
    path = folder / DETECTIONS
    table = _read(path, check_detections, dataset.video_ids(subset), command)
    if len(dataset.heads) == 1:
        known = table["label"].isin(dataset.heads[0])
    else:
        if missing := {"verb", "noun"} - set(table.columns):
            raise _damaged(path, f"no column {' or '.join(sorted(missing))}", command)
        verbs, nouns = map(len, dataset.heads)
        pairs = table["verb"].astype(str) + "," + table["noun"].astype(str)
        known = table["verb"].between(0, verbs - 1) & table["noun"].between(0, nouns - 1)
        known &= table["label"] == pairs
    _require(path, table["label"], known, "class", command)
    return table


def read_given(path: Path) -> pd.DataFrame:
    """Any table (.csv, .csv.gz) in our form: detections where it has a label, else proposals.

    Its videos and classes are not checked. Raises UserError naming the file and what is wrong in it.
    """
    content = io.BytesIO()
    try:
        content = io.BytesIO(read_bytes(path, LARGEST, packed=True))
        table = _renamed(_parsed(content), from_cell)
        (check_detections if "label" in table else check_proposals)(table)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read ({reason})") from error
    except (ValueError, OverflowError, TableError) as error:
        reason = _wrong_cell(content) or " ".join(str(error).split())[:200]
        raise UserError(
            f"{path}: is not a table of detections (video,start,end,label,score; seconds) or of proposals "
            f"(video,start,end,score): {reason}"
        ) from error
    return table


def _wrong_cell(content: io.BytesIO) -> str | None:
    """The first cell that should be a number and is not, or a separator other than a comma; None if there is none."""
    content.seek(0)
    try:
        table = pd.read_csv(content, dtype=str, keep_default_na=False)
    except ValueError:  # pandas' own and those of an encoding
        return None
    heading = str(table.columns[0])
    if len(table.columns) == 1 and (";" in heading or "\t" in heading):
        return "its columns are not separated by commas; use commas, and decimal points in numbers"
    for name in (name for name, kind in _TYPES.items() if kind is not str and name in table):
        bad = pd.to_numeric(table[name], errors="coerce").isna().to_numpy()
        if bad.any():
            row = int(bad.argmax())
            return f"row {row}: {name} {table[name].iloc[row][:40]!r} is not a number"
    return None


def _parsed(file: Path | io.BytesIO) -> pd.DataFrame:
    return pd.read_csv(file, dtype=_TYPES, keep_default_na=False, **_EXACT)


def _read(
    path: Path, check: Callable[[pd.DataFrame], None], videos: Collection[str], command: str
) -> pd.DataFrame:
    try:
        require_plain(path, LARGEST)
        table = _renamed(_parsed(path), from_cell)
        check(table)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run `tada-loc {command}`") from error
    except (OSError, ValueError, OverflowError, TableError) as error:  # pandas raises ValueErrors
        if isinstance(error, OSError) and was_refused(error):
            raise cannot_read(path, error) from error
        raise _damaged(path, " ".join(str(error).split())[:200], command) from error
    _require(path, table["video"], table["video"].isin(videos), "video", command)
    return table


def _renamed(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """The table with its names changed; the same one where none does."""
    for column in NAMES:
        names = table[column].unique() if column in table else ()
        changed = {name: change(name) for name in names if change(name) != name}
        if changed:
            table = table.assign(**{column: [changed.get(name, name) for name in table[column]]})
    return table


def _require(path: Path, values: pd.Series, known: pd.Series, what: str, command: str) -> None:
    if not known.all():
        row = int(np.argmin(known.to_numpy()))
        found = f"row {row}: {what} {values.iloc[row]!r} is not in the annotations"
        raise _damaged(path, found, command)


def _damaged(path: Path, reason: str, command: str) -> UserError:
    return UserError(
        f"{path}: cannot be used ({reason}); run `tada-loc {command}` to make it again"
    )
