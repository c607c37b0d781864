"""Stage 4: every evaluation video through ActionFormer to its detections, or to segments without classes."""

from __future__ import annotations

from pipeline.runs.run import Run


def detect(run: Run) -> None:
    """Write a file a video, then `actionformer/detections/detections.csv` of all and `proposals.csv` beside it."""
    raise NotImplementedError


def propose(run: Run) -> None:
    """Write a file a video, then `actionformer/proposals/proposals.csv` of all: video, start, end, score."""
    raise NotImplementedError
