"""Pairs of segments that overlap: the one computation under mAP and AR@AN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Pairs looked at together: bounds the memory (about 100 bytes a pair) whatever the tables hold.
_PAIRS_AT_ONCE = 1 << 20
_LEFTS_AT_ONCE = 1 << 20  # those whose partners are looked for together, at as many bytes each


@dataclass(frozen=True)
class GroupedSegments:
    """Segments in groups (a group is a video, or a class in a video).

    group: int64 [n], -1 for none; start, end: float64 [n], seconds.
    """

    group: np.ndarray
    start: np.ndarray
    end: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Overlapping pairs, in the order of `left`.

    left, right: int64 [m], rows of the two tables; tiou: float64 [m].
    """

    left: np.ndarray
    right: np.ndarray
    tiou: np.ndarray


def temporal_iou(
    start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray
) -> np.ndarray:
    """tIoU of segments with others, elementwise with broadcasting; float64.

    Two segments of no length have no tIoU (0 / 0). They count as 1 whatever their times, as the
    official ActivityNet code has it, where the comparison of NaN with the threshold lets them
    match.
    """
    inside = np.minimum(end, other_end) - np.maximum(start, other_start)
    np.maximum(inside, 0, out=inside)
    # In this order of additions the official code rounds; tIoUs on a threshold must fall alike.
    union = (other_end - other_start) + (end - start) - inside
    empty = union == 0
    return np.where(empty, 1.0, inside / np.where(empty, 1.0, union))


def overlapping_pairs(left: GroupedSegments, right: GroupedSegments, least: float) -> Pairs:
    """All pairs of one group whose tIoU is at least `least` (in (0, 1]).

    The rights are sorted by group and start; the tIoU bounds where the partners of a segment can
    start, so each left looks at one short run of them. Linear in memory and nearly so in time.
    """
    known = np.unique(right.group[right.group >= 0])
    lefts = np.flatnonzero(np.isin(left.group, known))
    rights = np.flatnonzero(right.group >= 0)
    if not len(lefts):
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    rights = rights[np.lexsort((right.start[rights], right.group[rights]))]
    parts = []
    for some in np.array_split(lefts, -(-len(lefts) // _LEFTS_AT_ONCE)):
        low, high = _partner_runs(left, right, some, rights, known, least)
        count = high - low
        for chunk in _pair_chunks(count):
            rows = np.repeat(some[chunk], count[chunk])
            skipped = np.cumsum(count[chunk]) - count[chunk]
            columns = rights[np.arange(len(rows)) + np.repeat(low[chunk] - skipped, count[chunk])]
            parts.append(_reaching(left, right, rows, columns, least))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _partner_runs(
    left: GroupedSegments,
    right: GroupedSegments,
    lefts: np.ndarray,
    rights: np.ndarray,
    known: np.ndarray,
    least: float,
) -> tuple[np.ndarray, np.ndarray]:
    """For each left, the run [low, high) of the sorted rights that may reach the tIoU `least`.

    With tIoU at least f, a partner of a segment of length L is at most L / f long and starts at
    most (1 - f) / f * L before it and at most (1 - f) * L after it.
    """
    start = left.start[lefts]
    length = left.end[lefts] - start
    first, last = right.start[rights].min(), right.start[rights].max()
    # No length pairs with no length anywhere in the group (see temporal_iou).
    earliest = np.where(length > 0, start - (1 - least) / least * length, first)
    latest = np.where(length > 0, start + (1 - least) * length, last)
    # One number orders by group, then start: groups stand `span` seconds apart. The slack covers
    # the rounding of that number; `_reaching` drops what it lets in.
    span = last - first + 1.0
    base = np.searchsorted(known, left.group[lefts]) * span
    keys = np.searchsorted(known, right.group[rights]) * span + (right.start[rights] - first)
    slack = 1e-9 + 8 * np.finfo(np.float64).eps * (np.abs(keys).max() + np.abs(start).max() + span)
    low = np.searchsorted(keys, base + np.clip(earliest - first, 0, span - 0.5) - slack, "left")
    high = np.searchsorted(keys, base + np.clip(latest - first, -0.25, span - 0.5) + slack, "right")
    return low, np.maximum(high, low)


def _pair_chunks(count: np.ndarray) -> list[slice]:
    """Cut rows into runs of about _PAIRS_AT_ONCE pairs (at least one row each)."""
    total = np.cumsum(count)
    marks = np.arange(_PAIRS_AT_ONCE, int(total[-1]) + _PAIRS_AT_ONCE, _PAIRS_AT_ONCE)
    ends = np.unique(np.append(np.searchsorted(total, marks, "right"), len(count)))
    ends = ends[ends > 0]
    return [slice(a, b) for a, b in zip(np.append(0, ends[:-1]), ends, strict=True)]


def _reaching(
    left: GroupedSegments,
    right: GroupedSegments,
    rows: np.ndarray,
    columns: np.ndarray,
    least: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tiou = temporal_iou(left.start[rows], left.end[rows], right.start[columns], right.end[columns])
    keep = (tiou >= least) & (left.group[rows] == right.group[columns])
    return rows[keep], columns[keep], tiou[keep]
