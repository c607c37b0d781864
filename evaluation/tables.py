"""Checks of the tables where they enter, and codes that two tables share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from evaluation.errors import TableError


def check_annotations(frame: pd.DataFrame) -> None:
    """Check a table of ground truth: video, start, end (seconds), label, at least one row.

    A row may end before its start, as some of the public files' do: it counts as annotated, and the
    official code's tIoU of 0 leaves it unmatched. Raises TableError naming the row and the value.
    """
    _check_columns(frame, "annotations")
    _check_filled(frame, "annotations", "label")
    if frame.empty:
        raise TableError("annotations: no row; there are no ground truths to evaluate against")


def check_proposals(frame: pd.DataFrame, name: str = "proposals") -> None:
    """Check a table of proposals: video, start, end (seconds), score. No row is a valid table.

    Raises TableError naming the row and the value.
    """
    _check_columns(frame, name)
    _check_order(frame, name)
    _check_numbers(frame, name, "score")


def check_detections(frame: pd.DataFrame) -> None:
    """Check a table of detections: video, start, end (seconds), label, score; it may be empty.

    Raises TableError naming the row and the value.
    """
    check_proposals(frame, "detections")
    _check_filled(frame, "detections", "label")


def check_tious(tious: Sequence[float]) -> np.ndarray:
    """Give the tIoU thresholds as float64 [T], each in (0, 1].

    Raises TableError if there is none, or one is out of range.
    """
    values = np.asarray(tious, dtype=np.float64).reshape(-1)
    if not len(values):
        raise TableError("tious: no threshold; give at least one in (0, 1]")
    bad = ~((values > 0) & (values <= 1))
    if bad.any():
        raise TableError(f"tious: {values[bad][0]} is not in (0, 1]")
    return values


def segments(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The start and end columns as float64 [n], seconds."""
    return (
        frame["start"].to_numpy(dtype=np.float64),
        frame["end"].to_numpy(dtype=np.float64),
    )


def shared_codes(
    truth: pd.Series, other: pd.Series, other_name: str
) -> tuple[list[Any], np.ndarray, np.ndarray]:
    """Number the values of a ground-truth column, and find those of another table among them.

    Returns (names sorted, codes of `truth` [n], codes of `other` [m], -1 where not in `truth`).
    Raises TableError if one column is of numbers and the other of strings, so that none can
    agree.
    """
    codes, names = pd.factorize(truth, sort=True)
    names = pd.Index(names)
    found = names.get_indexer(pd.Index(other)) if len(other) else np.zeros(0, np.intp)
    if len(other) and (found < 0).all() and is_numeric_dtype(truth) != is_numeric_dtype(other):
        raise TableError(
            f"{other_name}: column {truth.name!r} holds {other.dtype} values (for example "
            f"{other.iloc[0]!r}), that of the annotations {truth.dtype} ({truth.iloc[0]!r}); "
            "give both the same type"
        )
    return names.tolist(), np.asarray(codes, np.int64), np.asarray(found, np.int64)


@dataclass(frozen=True)
class ClassGroups:
    """Ground truth and detections, numbered by class and by class in a video.

    classes: the classes of the ground truth, sorted, C of them
    truth_class, found_class: int64 [n], [m], numbers in `classes`, -1 where it is none of them
    truth_group, found_group: int64 [n], [m], one number a class and video, -1 where the ground truth
        has no such class, or no such video
    """

    classes: tuple[Any, ...]
    truth_class: np.ndarray
    found_class: np.ndarray
    truth_group: np.ndarray
    found_group: np.ndarray


def class_groups(annotations: pd.DataFrame, detections: pd.DataFrame) -> ClassGroups:
    """Check ground truth and detections, and number their classes and videos.

    Raises TableError for tables that cannot be compared.
    """
    check_annotations(annotations)
    check_detections(detections)
    classes, truth_class, found_class = shared_codes(
        annotations["label"], detections["label"], "detections"
    )
    videos, truth_video, found_video = shared_codes(
        annotations["video"], detections["video"], "detections"
    )
    known = (found_class >= 0) & (found_video >= 0)
    return ClassGroups(
        classes=tuple(classes),
        truth_class=truth_class,
        found_class=found_class,
        truth_group=truth_class * len(videos) + truth_video,
        found_group=np.where(known, found_class * len(videos) + found_video, -1),
    )


def _check_columns(frame: pd.DataFrame, name: str) -> None:
    _check_filled(frame, name, "video")
    _check_numbers(frame, name, "start")
    _check_numbers(frame, name, "end")


def _check_order(frame: pd.DataFrame, name: str) -> None:
    start, end = segments(frame)
    bad = np.flatnonzero(end < start)
    if len(bad):
        raise TableError(
            f"{_where(frame, name, bad[0])}: ends at {end[bad[0]]} s, before its start "
            f"{start[bad[0]]} s; give start <= end"
        )


def _check_filled(frame: pd.DataFrame, name: str, column: str) -> None:
    _check_column(frame, name, column)
    empty = frame[column].isna().to_numpy()
    if empty.any():
        row = int(empty.argmax())
        raise TableError(f"{name}, row {row}: no {column}; fill it in or leave the row out")


def _check_numbers(frame: pd.DataFrame, name: str, column: str) -> None:
    _check_column(frame, name, column)
    values = frame[column]
    if not len(values):
        return
    if not is_numeric_dtype(values) or is_bool_dtype(values):
        raise TableError(
            f"{name}: column {column!r} holds {values.dtype} values (for example "
            f"{values.iloc[0]!r}), not numbers"
        )
    bad = ~np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if bad.any():
        row = int(bad.argmax())
        raise TableError(
            f"{_where(frame, name, row)}: {column} is {values.iloc[row]}; give a finite number"
        )


def _check_column(frame: pd.DataFrame, name: str, column: str) -> None:
    if column not in frame.columns:
        found = ", ".join(map(str, frame.columns)) or "none"
        raise TableError(f"{name}: no column {column!r}; its columns are: {found}")


def _where(frame: pd.DataFrame, name: str, row: int) -> str:
    """Name a row by its position (0 is the first) and its video."""
    return f"{name}, row {row} (video {frame['video'].iloc[row]})"
