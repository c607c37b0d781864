"""The upper bound of recall: how well the nearest of BMN's T x D cells fits an annotated segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmn.windows import TimeGrid


@dataclass(frozen=True)
class Cells:
    """BMN's cells of one video: positions of `grid`, L of them, seen in windows of T from `offsets` on.

    A cell is a segment of 1 to D positions that lies in a window. None ends at the last position's end
    (time L) with `boundary_center` 0, as none is decoded there (`bmn.decode_proposals`).
    """

    grid: TimeGrid
    length: int
    offsets: np.ndarray
    temporal_scale: int
    duration_scale: int
    boundary_center: float = 0.0

    @property
    def last_end(self) -> int:
        """The latest position edge at which a proposal can end."""
        return self.length if self.boundary_center else self.length - 1


def best_tious(segments: np.ndarray, cells: Cells) -> np.ndarray:
    """The tIoU [N] of each segment [N, 2] (seconds, of some length) with the cell nearest to it."""
    return nearest_cells(segments, cells)[1]


def nearest_cells(segments: np.ndarray, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """The cell [N, 2] nearest to each segment [N, 2] (both seconds), NaN where there is none; their tIoU [N]."""
    start, end = cells.grid.to_positions(segments).T
    found, best = np.full((len(segments), 2), np.nan), np.zeros(len(segments))
    if cells.last_end < 1:
        return found, best
    reach = cells.duration_scale
    # The best cell begins at a whole position beside the segment's start, or is as long as a cell can be
    # and ends beside its end, or begins with the next window because this one breaks off.
    firsts = [np.floor(start), np.ceil(start), np.floor(end) - reach, np.ceil(end) - reach]
    firsts += [np.floor(end) - 1]
    firsts = [np.clip(first, 0, cells.last_end - 1) for first in firsts]
    firsts += [_next_offset(first, cells) for first in firsts[:2]]
    for first in firsts:
        offset = cells.offsets[np.searchsorted(cells.offsets, first, side="right") - 1]
        last = np.minimum(np.minimum(offset + cells.temporal_scale, cells.last_end), first + reach)
        for nearest in (np.floor(end), np.ceil(end)):
            stop = np.minimum(np.maximum(nearest, first + 1), last)
            tiou = _tiou(start, end, first, stop)
            better = tiou > best
            best = np.where(better, tiou, best)
            found[better] = np.stack([first, stop], axis=1)[better]
    return cells.grid.to_seconds(found), best


def _next_offset(first: np.ndarray, cells: Cells) -> np.ndarray:
    index = np.searchsorted(cells.offsets, first, side="right")
    return cells.offsets[np.minimum(index, len(cells.offsets) - 1)].astype(float)


def _tiou(start: np.ndarray, end: np.ndarray, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    overlap = np.clip(np.minimum(end, stop) - np.maximum(start, first), 0, None)
    union = np.maximum(end, stop) - np.minimum(start, first)
    return np.where(stop > first, overlap / union, 0.0)
