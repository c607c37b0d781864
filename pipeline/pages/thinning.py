"""What a page shows of a video, so that it stays small and quick: the best rows, thinned curves, short numbers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

MOST_ROWS = 2000  # bars of a track
CURVE_COLUMNS = 3000  # of a curve; each keeps its lowest and its highest point
LEAST_SHARE = 0.3  # of the best score: what a page shows when it opens


def best_rows(table: pd.DataFrame, most: int = MOST_ROWS) -> pd.DataFrame:
    """The `most` rows with the highest scores, best first; of equal scores, the earlier row first."""
    order = np.argsort(-table["score"].to_numpy(float), kind="stable")
    return table.iloc[order[:most]]


def thinned(times: np.ndarray, values: np.ndarray, columns: int = CURVE_COLUMNS) -> np.ndarray:
    """Which points of a curve [L] to draw, int64 [at most 2 * columns]: the extremes of each of `columns` equal parts.

    Drawn at one pixel a column, the curve looks as if all its points were there.
    """
    length = len(values)
    if length <= 2 * columns:
        return np.arange(length)
    edges = np.linspace(times[0], times[-1], columns + 1)[1:-1]
    parts = np.split(np.arange(length), np.searchsorted(times, edges))
    kept = {
        int(part[pick(values[part])]) for part in parts if len(part) for pick in (np.argmin, np.argmax)
    }  # fmt: skip
    return np.array(sorted(kept))


def spread(values: np.ndarray, points: int, also: int) -> np.ndarray:
    """Which rows of a curve to draw: evenly by row and by value, the ends, and the row `also`."""
    if len(values) <= points:
        return np.arange(len(values))
    by_row = np.linspace(0, len(values) - 1, points // 2).round().astype(int)
    ordered = np.argsort(values, kind="stable")
    asked = np.linspace(values.min(), values.max(), points // 2)
    by_value = ordered[np.clip(np.searchsorted(values[ordered], asked), 0, len(values) - 1)]
    return np.unique(np.concatenate([by_row, by_value, [also]]))


def opening_threshold(detections: pd.DataFrame) -> float:
    """The score a page begins with, so that it shows about the best detections that do not overlap.

    Going down from the best, a detection either stands free of all better ones or overlaps one. It is
    the score down to which the free ones outnumber the others by most, and at least `LEAST_SHARE` of the
    best; equal: the lower score. 0 where there are no detections.
    """
    if not len(detections):
        return 0.0
    ordered = best_rows(detections, len(detections))
    scores = ordered["score"].to_numpy(float)
    ordered = ordered[scores >= LEAST_SHARE * scores[0]].head(MOST_ROWS)
    start, end = ordered["start"].to_numpy(float), ordered["end"].to_numpy(float)
    free = np.array(
        [not ((start[:row] < end[row]) & (end[:row] > start[row])).any() for row in range(len(start))]
    )  # fmt: skip
    lead = np.cumsum(np.where(free, 1, -1))
    last = len(lead) - 1 - int(np.argmax(lead[::-1]))
    return float(scores[last])


def seconds(values: Iterable[float]) -> list[float]:
    """Times in seconds, to the millisecond."""
    return [round(float(value), 3) for value in values]


def short(values: Iterable[float], digits: int = 4) -> list[float]:
    """Numbers to this many significant digits."""
    return [float(f"{float(value):.{digits}g}") for value in values]
