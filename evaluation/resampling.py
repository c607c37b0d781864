"""Average precision where every video counts a number of times: of resamples, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.matched import Matched

# Weights of rows held together: bounds the memory (some arrays of 8 bytes each).
_WEIGHTS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Ranked:
    """What average precision is made of: rows in scoring order, T columns of what they count as.

    group, video: int64 [n], class (rising) and video of each row; hits: bool [n, T], true positives;
    left_out: bool [n, T], does not count there, none of them a hit (None: all count)
    truth_group, truth_video: int64 [m]; truth_out: bool [m, T], not to be found there (None: all are)
    classes: C
    """

    group: np.ndarray
    video: np.ndarray
    hits: np.ndarray
    left_out: np.ndarray | None
    truth_group: np.ndarray
    truth_video: np.ndarray
    truth_out: np.ndarray | None
    classes: int


def ranked(found: Matched) -> Ranked:
    """Matched detections as they are scored, a column per threshold."""
    return Ranked(
        group=found.group,
        video=found.video,
        hits=found.taken >= 0,
        left_out=found.left_out if found.left_out.any() else None,
        truth_group=found.truth_group,
        truth_video=found.truth_video,
        truth_out=None,
        classes=len(found.classes),
    )


def resampled_precision(table: Ranked, weights: np.ndarray) -> np.ndarray:
    """Interpolated average precision with each video counted `weights` [R, V] times: float64 [R, C, T].

    It is that of `detection_map` on a table with as many copies of the video's rows, to the rounding of
    sums: copies of a true positive have rising precision, so the last one's counts for all. NaN where a
    class has no ground truth; 1 where it has some, and none that is to be found.
    """
    result = np.empty((len(weights), table.classes, table.hits.shape[1]))
    first_row = np.searchsorted(table.group, np.arange(table.classes))
    by_class = np.argsort(table.truth_group, kind="stable")
    columns = [_column(table, first_row, step) for step in range(table.hits.shape[1])]
    for part in _chunks(len(weights), len(table.group)):
        counts = np.asarray(weights[part], np.float64)
        rows = counts[:, table.video]
        seen = _running(rows)
        truths = counts[:, table.truth_video[by_class]]
        every = _by_class(truths, table.truth_group[by_class], table.classes)
        for step, column in enumerate(columns):
            there = every
            if table.truth_out is not None:
                kept = truths * ~table.truth_out[by_class, step]
                there = _by_class(kept, table.truth_group[by_class], table.classes)
            area = column.area(rows, seen, table.classes)
            with np.errstate(invalid="ignore", divide="ignore"):
                precision = np.where(there > 0, area / there, 1.0)
            result[part, :, step] = np.where(every > 0, precision, np.nan)
    return result


def means(precision: np.ndarray) -> np.ndarray:
    """Means [R, T] over classes of [R, C, T], those a resample has none of left out; 0 where it has no class."""
    there = ~np.isnan(precision)
    total = np.where(there, precision, 0.0).sum(axis=1)
    mean: np.ndarray = total / np.maximum(there.sum(axis=1), 1)
    return mean


@dataclass(frozen=True)
class _Column:
    """The hits of a column [h] with their classes, and how many rows are left out before them."""

    hits: np.ndarray
    group: np.ndarray
    begin: np.ndarray  # the first row of each hit's class [h]
    skipped: np.ndarray | None  # the rows left out, rising
    edges: np.ndarray  # the first hit of each class that has one
    present: np.ndarray  # those classes

    def area(self, rows: np.ndarray, seen: np.ndarray, classes: int) -> np.ndarray:
        """Sum of interpolated precision over weighted hits: [R, C]."""
        total = np.zeros((len(rows), classes))
        if not len(self.hits):
            return total
        own = rows[:, self.hits]
        so_far = seen[:, self.hits + 1] - seen[:, self.begin]
        if self.skipped is not None:
            out = _running(rows[:, self.skipped])
            last, first = (np.searchsorted(self.skipped, at) for at in (self.hits, self.begin))
            so_far = so_far - (out[:, last] - out[:, first])
        found = _running(own)
        right = found[:, 1:] - found[:, np.repeat(self.edges, self._lengths())]
        precision = right / np.maximum(so_far, 1.0)
        for a, b in zip(self.edges, [*self.edges[1:], len(self.hits)], strict=True):
            cell = precision[:, a:b]
            precision[:, a:b] = np.maximum.accumulate(cell[:, ::-1], axis=1)[:, ::-1]
        total[:, self.present] = np.add.reduceat(precision * own, self.edges, axis=1)
        return total

    def _lengths(self) -> np.ndarray:
        return np.diff(np.append(self.edges, len(self.hits)))


def _column(table: Ranked, first_row: np.ndarray, step: int) -> _Column:
    hits = np.flatnonzero(table.hits[:, step])
    group = table.group[hits]
    present, edges = np.unique(group, return_index=True)
    skipped = None if table.left_out is None else np.flatnonzero(table.left_out[:, step])
    if skipped is not None and not len(skipped):
        skipped = None
    return _Column(hits, group, first_row[group], skipped, edges, present)


def _running(values: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, ... of each row: [R, n + 1]."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _by_class(values: np.ndarray, group: np.ndarray, classes: int) -> np.ndarray:
    """Sums [R, C] of values [R, m] whose classes `group` [m] rise."""
    sums = _running(values)
    edges = np.searchsorted(group, np.arange(classes + 1))
    by_class: np.ndarray = np.diff(sums[:, edges], axis=1)
    return by_class


def _chunks(resamples: int, rows: int) -> Iterator[slice]:
    step = max(1, _WEIGHTS_AT_ONCE // max(1, rows))
    return (slice(first, first + step) for first in range(0, resamples, step))
