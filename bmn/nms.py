"""Soft non-maximum suppression of temporal proposals (Bodla et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bmn.errors import BMNError

FEW = 1024  # proposals: of more, a pick is compared with its neighbours only
TOGETHER = 64  # picks whose factors are made at once
BLOCK = 256  # scores under one running maximum


def soft_nms(
    segments: np.ndarray,
    scores: np.ndarray,
    *,
    alpha: float,
    low: float,
    high: float,
    power: float = 2.0,
    count: int,
    duration: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Pick the best proposal, decay those that overlap it, repeat until `count` are picked.

    segments [n, 2]: start and end, in any unit
    scores [n]: the next pick has the highest remaining score; among equals it has the lowest index
    alpha, power: the score of an overlapping proposal is multiplied by exp(-tIoU ** power / alpha)
    low, high: a proposal overlaps if its tIoU with the pick exceeds low + (high - low) * width / duration,
        where `width` is the length of the pick. A union of no length has tIoU 0.
    count: at most this many are picked
    duration: length of the video, in the unit of `segments` (1 for normalised ones)

    Returns the picks in order: index int64 [m], score float64 [m] (decayed), m = min(n, count).
    Equal to the plain loop over all proposals. Of many, only neighbours of a pick are touched:
    sorted by start, they are one run. Raises BMNError for shapes, NaN or settings that make no sense.
    """
    table, current = _checked_proposals(segments, scores, alpha, duration)
    picks = np.empty(min(max(count, 0), len(table)), dtype=np.int64)
    kept = np.empty(len(picks))
    # Below 0 it would take in those that are apart.
    limits = np.maximum(low + (high - low) * (table[:, 1] - table[:, 0]) / duration, 0.0)
    decay = partial(_decay, power, alpha)
    if len(table) <= FEW:
        _pick_of_few(table, current, limits, decay, picks, kept)
    else:
        _pick_of_many(table, current, limits, decay, picks, kept)
    return picks, kept


def _pick_of_many(
    table: np.ndarray,
    scores: np.ndarray,
    limits: np.ndarray,
    decay: Callable[[np.ndarray], np.ndarray],
    picks: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Fill `picks` and `kept`, each pick compared with its neighbours."""
    order = np.argsort(table[:, 0], kind="stable")
    starts, ends = table[order].T.copy()
    first, last = _neighbours(starts, ends)
    limits = limits[order]
    ladder = _Ladder(scores[order], order)
    for turn in range(len(picks)):
        best, kept[turn] = ladder.take()
        picks[turn] = order[best]
        run = slice(first[best], last[best])
        tiou = _tious(starts[run], ends[run], starts[best], ends[best])
        near = np.flatnonzero(tiou > limits[best])
        ladder.scale(run.start + near, decay(tiou[near]))


def _neighbours(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The run first:last of segments, sorted by start, outside which nothing overlaps each one."""
    # Before `first` everything has ended when a segment starts; from `last` on, nothing has begun.
    first = np.searchsorted(np.maximum.accumulate(ends), starts, side="right")
    return first, np.searchsorted(starts, ends, side="left")


def _tious(starts: np.ndarray, ends: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """tIoU of segments with others, with broadcasting; 0 where both have no length, at most 0 where they are apart."""
    shared = np.minimum(ends, end) - np.maximum(starts, start)
    union = (end - start) + (ends - starts) - shared
    tious: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return tious


def _decay(power: float, alpha: float, tious: np.ndarray) -> np.ndarray:
    factors: np.ndarray = np.exp(-(tious**power) / alpha)
    return factors


def _pick_of_few(
    table: np.ndarray,
    scores: np.ndarray,
    limits: np.ndarray,
    decay: Callable[[np.ndarray], np.ndarray],
    picks: np.ndarray,
    kept: np.ndarray,
) -> None:
    """Fill `picks` and `kept` where each pick is compared with all others: a few calls per pick.

    The factors of those that are likely the next picks are made together.
    """
    left, made = scores.copy(), np.zeros(len(scores), bool)
    starts, ends = table.T.copy()
    factors: dict[int, np.ndarray] = {}
    to_nothing = False
    for turn in range(len(picks)):
        best = int(left.argmax())
        if best not in factors:
            waiting = np.where(made, -np.inf, left)
            waiting[best] = np.inf
            next_ = np.argpartition(waiting, -min(TOGETHER, len(left)))[-TOGETHER:]
            tious = _tious(starts, ends, starts[next_, None], ends[next_, None])
            near = tious > limits[next_, None]
            rows = np.ones_like(tious)
            rows[near] = decay(tious[near])
            to_nothing |= not rows.all()
            made[next_] = True
            factors.update(zip(next_.tolist(), rows, strict=True))
        picks[turn], kept[turn] = best, left[best]
        left[best] = -np.inf
        # A factor of 0 must not turn a taken one into NaN.
        where = left > -np.inf if to_nothing else True
        np.multiply(left, factors.pop(best), out=left, where=where)


class _Ladder:
    """Scores whose maximum is found from the maxima of blocks."""

    def __init__(self, scores: np.ndarray, rank: np.ndarray) -> None:
        blocks = -(-len(scores) // BLOCK)
        self.scores = np.full(blocks * BLOCK, -np.inf)
        self.scores[: len(scores)] = scores
        self.best = self.scores.reshape(blocks, BLOCK).max(axis=1)
        self.rank = rank

    def take(self) -> tuple[int, float]:
        """Remove and return the place and score of the highest, the lowest rank among equals."""
        top = self.best.max()
        blocks = np.flatnonzero(self.best == top)
        rows = self.scores.reshape(-1, BLOCK)[blocks]
        row, column = np.nonzero(rows == top)
        places = blocks[row] * BLOCK + column
        place = int(places[np.argmin(self.rank[places])])
        self.scores[place] = -np.inf
        self._refresh(place, place)
        return place, float(top)

    def scale(self, places: np.ndarray, factors: np.ndarray) -> None:
        """Multiply the scores at ascending places; those already taken stay taken."""
        left = self.scores[places] > -np.inf  # a factor of 0 must not turn a taken one into NaN
        places = places[left]
        if len(places):
            self.scores[places] *= factors[left]
            self._refresh(places[0], places[-1])

    def _refresh(self, low: int, high: int) -> None:
        blocks = slice(low // BLOCK, high // BLOCK + 1)
        self.best[blocks] = self.scores.reshape(-1, BLOCK)[blocks].max(axis=1)


def _checked_proposals(
    segments: np.ndarray, scores: np.ndarray, alpha: float, duration: float
) -> tuple[np.ndarray, np.ndarray]:
    table = np.asarray(segments, dtype=np.float64)
    values = np.asarray(scores, dtype=np.float64)
    if table.size == 0:
        table = table.reshape(0, 2)
    if table.ndim != 2 or table.shape[1] != 2 or values.shape != (len(table),):
        raise BMNError(
            f"segments {table.shape} and scores {values.shape} do not fit: expected [n, 2] and [n]"
        )
    if not (np.isfinite(table).all() and np.isfinite(values).all()):
        raise BMNError("segments and scores must be finite: there are NaN or infinite values")
    if (table[:, 1] < table[:, 0]).any():
        row = int(np.argmax(table[:, 1] < table[:, 0]))
        raise BMNError(f"segment {row} ends before it starts: {table[row].tolist()}")
    if alpha <= 0 or duration <= 0:
        raise BMNError(f"alpha {alpha} and duration {duration} must be above 0")
    return table, values
