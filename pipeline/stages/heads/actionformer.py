"""Stage 3: features to ActionFormer (Zhang, Wu, Li 2022)."""

from __future__ import annotations

from pipeline.runs.run import Run


def run(run: Run) -> None:
    """Train on the videos of the training subset, and write `actionformer/model.pt`."""
    raise NotImplementedError
