"""Training targets of a window: tensors over all cells against a loop over them."""

from __future__ import annotations

from benchmarks.baselines.loops import baseline_targets
from benchmarks.drawn import draw_segments
from benchmarks.measure import Cost, Form, Row, Work, absolute_difference, compare
from bmn.targets import window_targets

STAGE = "BMN targets"
SEGMENTS = 20
WINDOW = (0.0, 53.3)


def run(quick: bool) -> list[Row]:
    """One window with 20 segments, seconds per window."""
    scale, times = (12, 2) if quick else (100, 50)
    segments = draw_segments(SEGMENTS, WINDOW[1])

    def ours() -> list:
        for _ in range(times):  # too short to be timed once
            targets = window_targets(segments, WINDOW, scale, scale)
        return [table.numpy() for table in targets]

    # Overlap, union, quotient and maximum of every segment and cell; the map is written once.
    cost = Cost(8.0 * SEGMENTS * scale * scale, 4.0 * scale * scale)
    return compare(
        Work(STAGE, f"T = D = {scale}, {SEGMENTS} segments", absolute_difference, "of tIoU"),
        Form("loop over cells", lambda: baseline_targets(segments, WINDOW, scale, scale)),
        [Form("all cells at once", ours, times, cost=cost)],
        runs=1 if quick else 5,
    )
