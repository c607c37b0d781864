"""The best tIoU of BMN's cells, against all of them."""

from __future__ import annotations

import numpy as np
import pytest

from bmn import decode_proposals
from bmn.upper_bound import Cells, best_tious
from bmn.windows import sliding_grid, sliding_windows


def every_cell(cells: Cells) -> np.ndarray:
    found = set()
    for offset in cells.offsets:
        for first in range(cells.temporal_scale):
            for stop in range(
                first + 1, min(first + cells.duration_scale, cells.temporal_scale) + 1
            ):
                if offset + stop < cells.length + bool(cells.boundary_center):
                    found.add((offset + first, offset + stop))
    return np.array(sorted(found), float).reshape(-1, 2)


@pytest.mark.parametrize("center", [0, 0.5])
@pytest.mark.parametrize("to_end", [False, True])
@pytest.mark.parametrize(
    ("length", "scale", "durations", "step"),
    [(40, 20, 10, 10), (37, 20, 10, 10), (12, 20, 10, 10), (60, 20, 20, 20), (50, 10, 10, 10), (10, 10, 10, 10),
     (64, 16, 12, 7), (2, 10, 5, 5), (1, 10, 5, 5), (33, 8, 1, 1), (55, 20, 5, 20)],
)  # fmt: skip
def test_best_tiou_equals_a_search_of_every_cell(length, scale, durations, step, to_end, center):
    grid = sliding_grid(0.4)
    offsets = sliding_windows(length, scale, step, to_end=to_end)
    cells = Cells(grid, length, offsets, scale, durations, center)
    rng = np.random.default_rng(length)
    start = rng.uniform(0, length * 0.4, 400)
    end = start + rng.exponential(2.5, 400) + 0.01
    segments = np.stack([start, np.minimum(end, length * 0.4 + 0.2)], axis=1)
    segments = segments[segments[:, 1] > segments[:, 0]]
    whole = np.round(segments[:50] / 0.4) * 0.4
    segments = np.concatenate([segments, whole[whole[:, 1] > whole[:, 0]]])
    table = every_cell(cells) * 0.4
    naive = np.zeros(len(segments))
    if len(table):
        overlap = np.minimum(segments[:, None, 1], table[:, 1]) - np.maximum(
            segments[:, None, 0], table[:, 0]
        )
        overlap = overlap.clip(0)
        union = (segments[:, 1] - segments[:, 0])[:, None] + (table[:, 1] - table[:, 0]) - overlap
        naive = (overlap / union).max(1)
    np.testing.assert_allclose(best_tious(segments, cells), naive, atol=1e-9)


@pytest.mark.parametrize("center", [0, 0.5])
def test_decoding_gives_the_cells_and_no_others(center):
    """Where every position is a peak, the proposals are the cells of the one window."""
    rng = np.random.default_rng(0)
    maps = rng.uniform(0.6, 1, 12), rng.uniform(0.6, 1, 12), rng.random((2, 5, 12))
    decoded = decode_proposals(*maps, seconds_per_position=1.0, boundary_center=center)
    cells = Cells(sliding_grid(1.0), 12, np.zeros(1, int), 12, 5, center)
    assert set(map(tuple, decoded[:, :2])) == set(map(tuple, every_cell(cells)))
