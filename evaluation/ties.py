"""The order of equal scores and of equal tIoUs: by row, or as the official evaluators' sort leaves them.

Those sort with numpy's default, which is not stable: what it does with equal values depends on their number
and places, and may depend on the processor. Here the same sort is asked about the same arrays.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from evaluation.errors import TableError
from evaluation.overlap import GroupedSegments, Pairs, temporal_iou

Ties = Literal["stable", "official"]


def check_ties(ties: str) -> None:
    """Raises TableError if it is none of the orders there are."""
    if ties not in get_args(Ties):
        raise TableError(f"ties: {ties!r}; give stable or official")


def scoring_order(group: np.ndarray, score: np.ndarray, ties: Ties) -> np.ndarray:
    """The rows that have a class, by class, then falling score.

    group: int [n], the class of each row, -1 for none; score: float64 [n]. Equal scores: `stable` puts the
    earlier row first; `official` sorts the scores of each class, in the order of rows, rising and turns
    that around, as `argsort()[::-1]` does there.
    """
    if ties == "official":
        rows = np.flatnonzero(group >= 0)
        rows = rows[np.argsort(group[rows], kind="stable")]
        edges = np.flatnonzero(np.diff(group[rows])) + 1
        parts = [part[np.argsort(score[part])[::-1]] for part in np.split(rows, edges)]
        return np.concatenate(parts)
    order = np.argsort(-score, kind="stable")
    order = order[group[order] >= 0]
    # Small integers take numpy's radix sort.
    small = group[order].astype(np.min_scalar_type(int(group.max(initial=0))))
    return order[np.argsort(small, kind="stable")]


def preferences(pairs: Pairs, found: GroupedSegments, truth: GroupedSegments) -> np.ndarray:
    """Of pairs of one detection with equal tIoU, the one with the higher number is tried first: int64 [m].

    pairs: detections (left) with ground truths (right). Where a detection has such pairs, the official
    code's sort is asked: of its tIoUs with every ground truth of its class and video, in their order.
    Elsewhere it is the row of the ground truth, which decides nothing.
    """
    numbers = pairs.right.astype(np.int64)
    order = np.lexsort((pairs.tiou, pairs.left))
    left, tiou = pairs.left[order], pairs.tiou[order]
    tied = np.unique(left[1:][(left[1:] == left[:-1]) & (tiou[1:] == tiou[:-1])])
    if not len(tied):
        return numbers
    first, last = np.searchsorted(left, tied, "left"), np.searchsorted(left, tied, "right")
    by_group = np.argsort(truth.group, kind="stable")
    group = truth.group[by_group]
    for row, a, b in zip(tied, first, last, strict=True):
        low, high = np.searchsorted(group, [found.group[row], found.group[row] + 1])
        members = by_group[low:high]
        place = np.empty(len(members), np.int64)
        place[np.argsort(_official_tious(found, row, truth, members))] = np.arange(len(members))
        chosen = order[a:b]
        numbers[chosen] = place[np.searchsorted(members, pairs.right[chosen])]
    return numbers


def _official_tious(
    found: GroupedSegments, row: int, truth: GroupedSegments, members: np.ndarray
) -> np.ndarray:
    """tIoU of a detection with ground truths, NaN for 0 / 0 as there."""
    start, end = truth.start[members], truth.end[members]
    tious = temporal_iou(found.start[row], found.end[row], start, end)
    tious[(start == end) & (found.start[row] == found.end[row])] = np.nan
    return tious
