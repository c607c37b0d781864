"""Greedy matching of detections to ground truth, all thresholds and all groups together."""

from __future__ import annotations

import numpy as np

from evaluation.overlap import Pairs


def match(
    pairs: Pairs,
    thresholds: np.ndarray,
    num_left: int,
    num_right: int,
    preferred: np.ndarray | None = None,
) -> np.ndarray:
    """Which lefts get a partner when, in the order of rows, each takes the best one still free.

    The best partner is the free right with the largest tIoU at least the threshold (equal tIoU: the
    higher number in `preferred` [pairs]; None: the later row). `pairs` holds the candidates in rising
    order of left; thresholds [T]. Returns bool [num_left, T].
    """
    hits = np.zeros(num_left * len(thresholds), bool)
    asker, _ = _takers(pairs, thresholds, num_left, num_right, preferred)
    hits[asker] = True
    return hits.reshape(num_left, len(thresholds))


def partners(
    pairs: Pairs,
    thresholds: np.ndarray,
    num_left: int,
    num_right: int,
    preferred: np.ndarray | None = None,
) -> np.ndarray:
    """The right that each left takes, -1 for none: int64 [num_left, T]; in the manner of `match`."""
    taken = np.full(num_left * len(thresholds), -1)
    asker, right = _takers(pairs, thresholds, num_left, num_right, preferred)
    taken[asker] = right
    return taken.reshape(num_left, len(thresholds))


def _takers(
    pairs: Pairs,
    thresholds: np.ndarray,
    num_left: int,
    num_right: int,
    preferred: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Those that get a partner, as left * T + step, and the right that each takes.

    Taking turns is a loop over detections. The same matching is reached from the other side:
    everyone asks their best candidate at once, a ground truth keeps the asker that comes first, the
    others ask their next best, and so on. All ground truths rank the askers alike, so the outcome
    is unique, and each round is a handful of array operations. Checked against the loop in the
    tests.
    """
    steps = len(thresholds)
    if not len(pairs.left):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs = _by_preference(pairs, pairs.right if preferred is None else preferred)
    asker, pointer, stop = _askers(pairs, thresholds, num_left)
    nobody = num_left * steps
    keeper = np.full(num_right * steps, nobody)
    active = np.flatnonzero(pointer < stop)
    while len(active):
        asked = pairs.right[pointer[active]] * steps + asker[active] % steps
        before = keeper[asked]
        np.minimum.at(keeper, asked, active)
        kept = keeper[asked] == active
        ousted = before[kept & (before < nobody)]
        active = np.concatenate([active[~kept], ousted])
        pointer[active] += 1
        active = active[pointer[active] < stop[active]]
    kept_by = np.flatnonzero(keeper < nobody)
    return asker[keeper[kept_by]], kept_by // steps


def _by_preference(pairs: Pairs, preferred: np.ndarray) -> Pairs:
    """Sort the candidates of each left by falling tIoU, then by falling preference."""
    order = np.lexsort((-preferred, -pairs.tiou, pairs.left))
    return Pairs(pairs.left[order], pairs.right[order], pairs.tiou[order])


def _askers(
    pairs: Pairs, thresholds: np.ndarray, num_left: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (left, threshold) that has a candidate list: its number, and the list [pointer, stop).

    The lists are sorted by falling tIoU, so a higher threshold only cuts the list shorter.
    """
    steps = len(thresholds)
    lefts, first = np.unique(pairs.left, return_index=True)
    place = np.searchsorted(lefts, pairs.left)
    allowed = np.stack(
        [np.bincount(place[pairs.tiou >= tiou], minlength=len(lefts)) for tiou in thresholds],
        axis=1,
    )
    asker = (lefts[:, None] * steps + np.arange(steps)).reshape(-1)
    pointer = np.repeat(first, steps)
    return asker, pointer, pointer + allowed.reshape(-1)
