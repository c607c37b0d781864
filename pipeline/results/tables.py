"""The tables stages hand on as CSV files: proposals and detections, checked where they are read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.errors import TableError
from evaluation.tables import check_detections, check_proposals
from pipeline.data.annotations import Dataset
from pipeline.errors import UserError
from pipeline.run_folder.files import atomic_path

PROPOSALS = "proposals.csv"
DETECTIONS = "detections.csv"
# Classes are text, however they look.
_TYPES = {"video": str, "label": str, "verb": "int64", "noun": "int64"} | dict.fromkeys(
    ("start", "end", "score"), float
)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table atomically. Raises UserError where it cannot be written."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def read_part(path: Path, video: str) -> pd.DataFrame:
    """One video's proposals: video, start, end (seconds), score. Raises UserError where damaged."""
    return _read(path, check_proposals, {video}, "bmn")


def read_proposals(folder: Path, dataset: Dataset, subset: str) -> pd.DataFrame:
    """The proposals of a stage's folder: video, start, end (seconds), score.

    Raises UserError where the table is damaged, or of other videos than the subset's.
    """
    return _read(folder / PROPOSALS, check_proposals, dataset.video_ids(subset), "bmn")


def read_detections(folder: Path, dataset: Dataset, subset: str) -> pd.DataFrame:
    """The detections of a stage's folder: video, start, end (seconds), label, score (and verb, noun).

    Raises UserError where the table is damaged, or of other videos or classes than the subset's.
    """
    path = folder / DETECTIONS
    table = _read(path, check_detections, dataset.video_ids(subset), "classify")
    if len(dataset.heads) == 1:
        known = table["label"].isin(dataset.heads[0])
    else:
        if missing := {"verb", "noun"} - set(table.columns):
            raise _damaged(path, f"no column {' or '.join(sorted(missing))}", "classify")
        verbs, nouns = map(len, dataset.heads)
        pairs = table["verb"].astype(str) + "," + table["noun"].astype(str)
        known = table["verb"].between(0, verbs - 1) & table["noun"].between(0, nouns - 1)
        known &= table["label"] == pairs
    _require(path, table["label"], known, "class", "classify")
    return table


def _read(
    path: Path, check: Callable[[pd.DataFrame], None], videos: Collection[str], command: str
) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False)
        check(table)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run `tada-loc {command}`") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, OverflowError, TableError) as error:  # pandas' own are ValueErrors
        raise _damaged(path, " ".join(str(error).split())[:200], command) from error
    _require(path, table["video"], table["video"].isin(videos), "video", command)
    return table


def _require(path: Path, values: pd.Series, known: pd.Series, what: str, command: str) -> None:
    if not known.all():
        row = int(np.argmin(known.to_numpy()))
        found = f"row {row}: {what} {values.iloc[row]!r} is not in the annotations"
        raise _damaged(path, found, command)


def _damaged(path: Path, reason: str, command: str) -> UserError:
    return UserError(
        f"{path}: cannot be used ({reason}); run `tada-loc {command}`, which makes it again"
    )
